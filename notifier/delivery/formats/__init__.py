"""The formats of callbacks. To add one: a file beside this one and its line in ``FORMATS``."""

from collections.abc import Mapping

from notifier.delivery.formats.apprise import Apprise
from notifier.delivery.formats.cloudevents import CloudEvents
from notifier.delivery.formats.contract import Courier, Format, Option, Remedy, Ruling, Unusable
from notifier.delivery.formats.slack import Slack
from notifier.delivery.formats.template import Template
from notifier.delivery.formats.webhook import Webhook
from notifier.delivery.settings import Callback

FORMATS: Mapping[str, Format] = {
    Webhook.name: Webhook(),
    Slack.name: Slack(),
    CloudEvents.name: CloudEvents(),
    Template.name: Template(),
    Apprise.name: Apprise(),
}

__all__ = ["FORMATS", "Courier", "Format", "Option", "Remedy", "Ruling", "Unusable", "format_of"]


def format_of(callback: Callback) -> Format:
    """Give the format of a callback as it has set it.

    :raises Unusable: it can't work here; a configuration that was accepted never comes to that.
    """
    return FORMATS[callback.format].configured(callback.options)
