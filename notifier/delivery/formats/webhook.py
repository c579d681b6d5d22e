"""Standard Webhooks 1.0: the payload as JSON, signed when a secret is configured.

::

    {"type": "task.succeeded", "timestamp": "2026-11-21T19:08:00.123Z", "data": {"event_id": "evt_…", …}}

``payload.py`` says how it is made to fit.
"""

from collections.abc import Sequence
from typing import ClassVar

from notifier.delivery.formats.contract import Format
from notifier.delivery.formats.payload import LARGEST_BODY, facts_of, fitted, payload_of
from notifier.delivery.signing import sign
from notifier.model import Body, Claim, Event
from notifier.secret import Secret

__all__ = ["CONTENT_TYPE", "LARGEST_BODY", "Webhook"]

CONTENT_TYPE = "application/json"


class Webhook(Format):
    """The default format."""

    name: ClassVar[str] = "webhook"
    takes_secret: ClassVar[bool] = True
    expects_secret: ClassVar[bool] = True

    def render(self, event: Event) -> Body:
        """Write type, time and the facts."""
        return Body(fitted(facts_of(event), lambda facts: payload_of(event, facts)), CONTENT_TYPE)

    def headers(self, claim: Claim, body: Body, timestamp: int, secrets: Sequence[Secret]) -> dict[str, str]:
        """Name the event and the time of this attempt, and sign both with the body."""
        event_id = claim.delivery.event_id
        headers = {"content-type": body.content_type, "webhook-id": event_id, "webhook-timestamp": str(timestamp)}
        if secrets:
            headers["webhook-signature"] = sign(event_id, timestamp, body.content, secrets)
        return headers
