"""Tries a callback with a made-up event, outside the store: nothing is recorded, nothing is retried."""

import secrets
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from notifier.clock import Clock
from notifier.delivery.formats import format_of
from notifier.delivery.samples import sample_event
from notifier.delivery.sender import Sender, courier_to
from notifier.delivery.settings import Callback
from notifier.delivery.verdict import Case, Delivered, decide
from notifier.http import Failure
from notifier.model import Body, Claim, Delivery, DeliveryState, Event, EventType, delivery_id


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


async def try_callback(callback: Callback, event_type: EventType, *, redact: Callable[[str], str]) -> Trial:
    """Send one made-up event of ``event_type``."""
    event = fresh_sample(event_type)
    claim = first_claim(event, callback, format_of(callback).render(event))
    async with aclosing(courier_to(callback)) as courier:
        sender = Sender(callback, courier=courier, clock=Clock(), redact=redact)
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


def fresh_sample(event_type: EventType) -> Event:
    """Make up an event that happens now, with an id that no receiver has seen."""
    return sample_event(event_type, time.time(), "evt_test" + secrets.token_hex(8))


def first_claim(event: Event, callback: Callback, body: Body) -> Claim:
    """Give what would be claimed for the first attempt to tell ``callback`` of ``event``."""
    delivery = Delivery(
        delivery_id=delivery_id(event.event_id, callback.name),
        event_id=event.event_id,
        event_type=event.type,
        callback=callback.name,
        state=DeliveryState.PENDING,
        created_at=event.occurred_at,
        next_attempt_at=event.occurred_at,
    )
    return Claim(delivery, 1, body)
