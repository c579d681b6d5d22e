"""Made-up events, one of each type, that say of themselves that they are a test. Pure.

The check of the configuration, ``callback test`` and ``callback render`` share them. Those about tasks and watches have
the keys that polling tells, those for the operator are made where the real ones are.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from notifier import operator_events
from notifier.clock import iso
from notifier.model import Delivery, DeliveryState, Event, EventType, Outcome

CHECKED_AT = 1_795_288_080.123  # 2026-11-21T19:08:00.123Z: any moment does, when nothing is sent

_OUTCOMES: Mapping[EventType, Outcome] = {
    EventType.TASK_SUCCEEDED: Outcome.SUCCEEDED,
    EventType.TASK_FAILED: Outcome.FAILED,
    EventType.TASK_CANCELED: Outcome.CANCELED,
}


def sample_event(event_type: EventType, now: float, event_id: str) -> Event:
    """Make up an event that happens at ``now`` (unix seconds)."""
    made = _OPERATORS[event_type](now) if event_type in _OPERATORS else _about_task(event_type, now)
    return replace(made, event_id=event_id, data={"test": True, **made.data})


def _about_task(event_type: EventType, now: float) -> Event:
    outcome = _OUTCOMES.get(event_type)
    facts = _task_facts(now) | (_open_end(event_type) if outcome is None else _end(outcome, now))
    return Event("", event_type, now, facts)


def _task_facts(now: float) -> dict[str, Any]:
    return {
        "account": "test",
        "kind": "hubspot.file_import",
        "task_id": "TEST",
        "label": "A test from notifier",
        "outcome": None,
        "status": None,
        "requested_at": None,
        "started_at": None,
        "completed_at": None,
        "observed_at": iso(now),
        "duration_seconds": None,
        "num_errors": None,
        "errors": [],
        "result": None,
        "response": None,
    }


def _end(outcome: Outcome, now: float) -> dict[str, Any]:
    errors = [{"category": "VALIDATION_ERROR", "message": "This error is made up."}]
    result = {"id": "1", "name": "test.png", "url": "https://example.com/test.png"}
    return {
        "outcome": outcome.value,
        "status": "CANCELED" if outcome is Outcome.CANCELED else "COMPLETE",
        "requested_at": iso(now - 3),
        "started_at": iso(now - 2),
        "completed_at": iso(now),
        "duration_seconds": 2.0,
        "num_errors": 1 if outcome is Outcome.FAILED else 0,
        "errors": errors if outcome is Outcome.FAILED else [],
        "result": result if outcome is Outcome.SUCCEEDED else None,
    }


def _open_end(event_type: EventType) -> dict[str, Any]:
    if event_type is EventType.WATCH_LOST:
        return {"problem": "unknown_task: 404 This answer is made up."}
    return {"status": "PROCESSING", "problem": None}


def _dead(now: float) -> Event:
    told = _about_task(EventType.TASK_FAILED, now)
    undelivered = Delivery("dlv_test", "evt_test", told.type, "test", DeliveryState.PENDING, now, now)
    return operator_events.delivery_dead(undelivered, replace(told, event_id="evt_test"), "exhausted", 10, now)


_OPERATORS: Mapping[EventType, Callable[[float], Event]] = {
    EventType.ACCOUNT_REJECTED: lambda now: operator_events.account_rejected("test", "refused", "c-test", now),
    EventType.ACCOUNT_RESTORED: lambda now: operator_events.account_restored("test", now - 90, now),
    EventType.CALLBACK_DISABLED: lambda now: operator_events.callback_disabled("test", "gone", now),
    EventType.DELIVERY_DEAD: _dead,
}
