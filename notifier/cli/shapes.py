"""What commands print as JSON: one shape per noun, documented in the README, stable."""

from typing import Any

from notifier.clock import iso
from notifier.model import Attempt, Delivery, Event, Watch


def watch_shape(watch: Watch) -> dict[str, Any]:
    """Give a watch as JSON; times are RFC 3339 in UTC, null where unknown."""
    return {
        "watch_id": watch.watch_id,
        "account": watch.key.account,
        "kind": watch.key.kind,
        "task_id": watch.key.task_id,
        "label": watch.label,
        "callbacks": None if watch.callbacks is None else list(watch.callbacks),
        "origin": watch.origin,
        "state": watch.state,
        "outcome": watch.outcome,
        "status": watch.status,
        "problem": watch.problem,
        "correlation_id": watch.correlation_id,
        "polls": watch.polls,
        "began_at": iso(watch.began_at),
        "deadline_at": iso(watch.deadline_at),
        "polled_at": iso(watch.polled_at),
        "next_poll_at": iso(watch.next_poll_at) if watch.ended_at is None else None,
        "ended_at": iso(watch.ended_at),
    }


def delivery_shape(delivery: Delivery) -> dict[str, Any]:
    """Give a delivery as JSON."""
    return {
        "delivery_id": delivery.delivery_id,
        "event_id": delivery.event_id,
        "type": delivery.event_type,
        "callback": delivery.callback,
        "task_id": delivery.task_id,
        "state": delivery.state,
        "reason": delivery.reason,
        "attempts": delivery.attempts,
        "failures": delivery.failures,
        "created_at": iso(delivery.created_at),
        "next_attempt_at": iso(delivery.next_attempt_at) if delivery.state == "pending" else None,
        "delivered_at": iso(delivery.delivered_at),
    }


def attempt_shape(attempt: Attempt) -> dict[str, Any]:
    """Give an attempt as JSON."""
    return {
        "number": attempt.number,
        "started_at": iso(attempt.started_at),
        "finished_at": iso(attempt.finished_at),
        "reach": attempt.reach,
        "reason": attempt.reason,
        "status_code": attempt.status_code,
        "answer": attempt.answer,
    }


def event_shape(event: Event) -> dict[str, Any]:
    """Give an event as JSON: its payload."""
    return {
        "event_id": event.event_id,
        "type": event.type,
        "timestamp": iso(event.occurred_at),
        "data": dict(event.data),
    }
