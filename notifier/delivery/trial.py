"""Tries a callback with a made-up event, outside the store: nothing is recorded, nothing is retried."""

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from notifier.clock import Clock, iso
from notifier.delivery.formats import FORMATS
from notifier.delivery.sender import Sender
from notifier.delivery.settings import Callback
from notifier.delivery.verdict import Case, Delivered, decide
from notifier.http import Failure, Http
from notifier.model import Claim, Delivery, DeliveryState, Event, EventType, Outcome, delivery_id

TRIAL_EVENTS: Mapping[str, Outcome] = {
    EventType.TASK_SUCCEEDED: Outcome.SUCCEEDED,
    EventType.TASK_FAILED: Outcome.FAILED,
    EventType.TASK_CANCELED: Outcome.CANCELED,
}


@dataclass(frozen=True, slots=True)
class Trial:
    """How it went."""

    accepted: bool
    event_id: str
    status_code: int | None
    reach: str
    reason: str
    seconds: float
    answer: str  # its beginning, secrets masked

    def shape(self) -> dict[str, Any]:
        """Give it as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}

    def summary(self) -> str:
        """Give it as a line."""
        status = "no answer" if self.status_code is None else f"status {self.status_code}"
        return f"{status} after {self.seconds:.3f}s, {self.reason} ({self.event_id})"


async def try_callback(callback: Callback, event_type: str, *, redact: Callable[[str], str]) -> Trial:
    """Send one made-up event of ``event_type``, one of ``TRIAL_EVENTS``."""
    event = sample_event(EventType(event_type), time.time())
    claim = _claim(event, callback)
    http = Http(max_connections=1)
    async with aclosing(http):
        sender = Sender(callback, http=http, clock=Clock(), redact=redact)
        began = time.monotonic()
        exchange = await sender.send(claim)
        seconds = time.monotonic() - began
    verdict = decide(Case(claim, callback, time.time(), 0.5), exchange, sender.ruling(exchange))
    accepted = isinstance(verdict, Delivered)
    return Trial(
        accepted=accepted,
        event_id=event.event_id,
        status_code=None if isinstance(exchange, Failure) else exchange.status,
        reach=str(exchange.reach) if isinstance(exchange, Failure) else "accepted" if accepted else "rejected",
        reason="delivered" if accepted else getattr(verdict, "reason", ""),
        seconds=round(seconds, 3),
        answer=sender.excerpt(exchange),
    )


def sample_event(event_type: EventType, now: float) -> Event:
    """Make up an event that says of itself that it is a test."""
    outcome = TRIAL_EVENTS[event_type]
    failed = outcome is Outcome.FAILED
    errors = [{"category": "VALIDATION_ERROR", "message": "This error is made up."}] if failed else []
    result = {"id": "1", "name": "test.png", "url": "https://example.com/test.png"}
    return Event(
        event_id="evt_test" + secrets.token_hex(8),
        type=event_type,
        occurred_at=now,
        data={
            "test": True,
            "account": "test",
            "kind": "hubspot.file_import",
            "task_id": "TEST",
            "label": "A test from notifier",
            "outcome": outcome,
            "status": "CANCELED" if outcome is Outcome.CANCELED else "COMPLETE",
            "requested_at": iso(now - 3),
            "started_at": iso(now - 2),
            "completed_at": iso(now),
            "observed_at": iso(now),
            "duration_seconds": 2.0,
            "num_errors": len(errors),
            "errors": errors,
            "result": result if outcome is Outcome.SUCCEEDED else None,
            "response": None,
        },
    )


def _claim(event: Event, callback: Callback) -> Claim:
    delivery = Delivery(
        delivery_id=delivery_id(event.event_id, callback.name),
        event_id=event.event_id,
        event_type=event.type,
        callback=callback.name,
        state=DeliveryState.PENDING,
        created_at=event.occurred_at,
        next_attempt_at=event.occurred_at,
    )
    return Claim(delivery, 1, FORMATS[callback.format].render(event))
