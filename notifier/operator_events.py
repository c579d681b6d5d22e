"""The events for the operator: what notifier has to say about its own surroundings.

They go through the same outbox as those of tasks, and never to the callback they are about. ``now`` and ``since`` are
unix seconds. The same episode gives the same id, so telling it twice is telling it once.
"""

from typing import Any

from notifier.clock import iso
from notifier.model import Delivery, Event, EventType, episode_event_id


def account_rejected(account: str, reason: str, correlation_id: str | None, since: float) -> Event:
    """Tell that HubSpot refuses the account's credentials since ``since``, and only a person can mend it."""
    return Event(
        event_id=episode_event_id(EventType.ACCOUNT_REJECTED, account, since),
        type=EventType.ACCOUNT_REJECTED,
        occurred_at=since,
        data={"account": account, "reason": reason, "correlation_id": correlation_id, "rejected_at": iso(since)},
    )


def account_restored(account: str, since: float, now: float) -> Event:
    """Tell that HubSpot accepts an account again that it had refused since ``since``."""
    return Event(
        event_id=episode_event_id(EventType.ACCOUNT_RESTORED, account, since),
        type=EventType.ACCOUNT_RESTORED,
        occurred_at=now,
        data={
            "account": account,
            "rejected_at": iso(since),
            "restored_at": iso(now),
            "duration_seconds": round(max(0.0, now - since), 3),
        },
    )


def callback_disabled(callback: str, reason: str, now: float, *, buried: int = 1) -> Event:
    """Tell that nothing more is sent to the callback until somebody enables it.

    ``buried`` deliveries died of it, the one that was answered so included; none of them has a ``delivery.dead`` of its own.
    """
    return Event(
        event_id=episode_event_id(EventType.CALLBACK_DISABLED, callback, now),
        type=EventType.CALLBACK_DISABLED,
        occurred_at=now,
        data={"callback": callback, "reason": reason, "disabled_at": iso(now), "buried": buried},
        about_callback=callback,
    )


def delivery_dead(delivery: Delivery, event: Event, reason: str, attempts: int, now: float) -> Event:
    """Tell that the callback was not told ``event`` and won't be, unless somebody redelivers it."""
    undelivered: dict[str, Any] = {"event_id": event.event_id, "type": event.type.value}
    undelivered |= {name: event.data.get(name) for name in ("account", "kind", "task_id", "label")}
    return Event(
        event_id=episode_event_id(EventType.DELIVERY_DEAD, delivery.delivery_id, now),
        type=EventType.DELIVERY_DEAD,
        occurred_at=now,
        data={
            "callback": delivery.callback,
            "delivery_id": delivery.delivery_id,
            "reason": reason,
            "attempts": attempts,
            "died_at": iso(now),
            "undelivered": undelivered,
        },
        about_callback=delivery.callback,
    )
