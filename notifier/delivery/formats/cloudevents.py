"""CloudEvents 1.0 in structured mode: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md.

::

    {"specversion": "1.0", "id": "evt_…", "source": "notifier/main", "type": "task.succeeded", "subject": "AAAAEZ6whGI",
     "time": "2026-11-21T19:08:00.123Z", "datacontenttype": "application/json", "data": {"event_id": "evt_…", …}}

``type`` is the event's, unprefixed, so that a rule for one format is a rule for all. ``source`` is a relative URI:
``notifier/`` and the account, ``notifier`` alone where the event is about no account. ``subject`` is the task's id, for
the operator's events the callback's or account's name. The signature's headers are those of the webhook.
"""

from typing import Any, ClassVar
from urllib.parse import quote

from notifier.clock import iso
from notifier.delivery.formats.payload import Facts, facts_of, fitted
from notifier.delivery.formats.webhook import Webhook
from notifier.model import Body, Event

CONTENT_TYPE = "application/cloudevents+json"
SUBJECTS = ("task_id", "callback", "account")  # the first that there is


class CloudEvents(Webhook):
    """A webhook whose body is a CloudEvent."""

    name: ClassVar[str] = "cloudevents"

    def render(self, event: Event) -> Body:
        """Write the attributes around the facts."""
        attributes = _attributes(event)
        return Body(fitted(facts_of(event), lambda facts: attributes | {"data": facts}), CONTENT_TYPE)


def _attributes(event: Event) -> dict[str, Any]:
    account = _attribute(event.data, "account")
    subject = next((text for text in (_attribute(event.data, name) for name in SUBJECTS) if text), None)
    return {
        "specversion": "1.0",
        "id": event.event_id,
        "source": f"notifier/{quote(account, safe='')}" if account else "notifier",
        "type": event.type,
        **({"subject": subject} if subject else {}),
        "time": iso(event.occurred_at),
        "datacontenttype": "application/json",
    }


def _attribute(facts: Facts, name: str) -> str:
    """Give what may stand in an attribute (section "Type System"): text without control characters and half pairs."""
    value = facts.get(name)
    return value[:512] if isinstance(value, str) and value.isprintable() else ""
