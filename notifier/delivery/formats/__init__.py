"""The formats of callbacks. To add one: a file beside this one and its line in ``FORMATS``."""

from collections.abc import Mapping

from notifier.delivery.formats.contract import Format, Remedy, Ruling
from notifier.delivery.formats.slack import Slack
from notifier.delivery.formats.webhook import Webhook

FORMATS: Mapping[str, Format] = {
    Webhook.name: Webhook(),
    Slack.name: Slack(),
}

__all__ = ["FORMATS", "Format", "Remedy", "Ruling"]
