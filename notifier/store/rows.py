"""Rows to nouns and back."""

import json
import sqlite3
from typing import Any

from notifier.model import (
    Attempt,
    Body,
    Claim,
    Delivery,
    DeliveryState,
    Event,
    EventType,
    NewDelivery,
    Outcome,
    TaskKey,
    Watch,
    WatchState,
)

_WATCH_FIELDS = [
    "label",
    "began_at",
    "deadline_at",
    "next_poll_at",
    "anchor_at",
    "polls",
    "polled_at",
    "status",
    "unknown_count",
    "unknown_since",
    "problem",
    "correlation_id",
    "ended_at",
    "origin",
]
_DELIVERY_FIELDS = [
    "delivery_id",
    "event_id",
    "callback",
    "created_at",
    "next_attempt_at",
    "attempts",
    "failures",
    "reason",
    "delivered_at",
    "task_id",
]


def storable(text: str | None) -> str | None:
    """Replace what UTF-8 can't write (lone surrogates from hostile JSON)."""
    return None if text is None else text.encode("utf-8", "replace").decode()


def watch_to_row(watch: Watch) -> dict[str, Any]:
    """Give a watch's columns by name."""
    row = {name: getattr(watch, name) for name in _WATCH_FIELDS}
    row |= {name: storable(row[name]) for name in ("label", "status", "problem", "correlation_id")}
    return row | {
        "watch_id": watch.watch_id,
        "account": watch.key.account,
        "kind": watch.key.kind,
        "task_id": watch.key.task_id,
        "callbacks": None if watch.callbacks is None else json.dumps(watch.callbacks),
        "state": str(watch.state),
        "outcome": watch.outcome and str(watch.outcome),
    }


def watch_from_row(row: sqlite3.Row) -> Watch:
    """Read a watch."""
    return Watch(
        key=TaskKey(row["account"], row["kind"], row["task_id"]),
        callbacks=None if row["callbacks"] is None else tuple(json.loads(row["callbacks"])),
        state=WatchState(row["state"]),
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        **{name: row[name] for name in _WATCH_FIELDS},
    )


def event_to_row(event: Event, now: float) -> dict[str, Any]:
    """Give an event's columns by name; the JSON is ASCII, so that any text HubSpot sent can be stored."""
    return {
        "event_id": event.event_id,
        "type": str(event.type),
        "occurred_at": event.occurred_at,
        "recorded_at": now,
        "watch_id": event.watch_id,
        "about_callback": event.about_callback,
        "content": json.dumps(event.data, separators=(",", ":")),
    }


def event_from_row(row: sqlite3.Row) -> Event:
    """Read an event."""
    return Event(
        event_id=row["event_id"],
        type=EventType(row["type"]),
        occurred_at=row["occurred_at"],
        data=json.loads(row["content"]),
        watch_id=row["watch_id"],
        about_callback=row["about_callback"],
    )


def new_delivery_to_row(delivery: NewDelivery, now: float) -> dict[str, Any]:
    """Give the columns of a delivery about to be owed."""
    return {
        "delivery_id": delivery.delivery_id,
        "event_id": delivery.event_id,
        "callback": delivery.callback,
        "state": str(delivery.state),
        "now": now,
        "content_type": delivery.body.content_type,
        "body": delivery.body.content,
    }


def delivery_from_row(row: sqlite3.Row) -> Delivery:
    """Read a delivery joined with its event's type and task."""
    return Delivery(
        event_type=EventType(row["event_type"]),
        state=DeliveryState(row["state"]),
        plain=bool(row["plain"]),
        **{name: row[name] for name in _DELIVERY_FIELDS},
    )


def claim_from_row(row: sqlite3.Row) -> Claim:
    """Read a claimed delivery with what is sent."""
    return Claim(
        delivery=delivery_from_row(row),
        number=row["attempts"],
        body=Body(row["body"], row["content_type"]),
        about={
            "account": row["account"],
            "task_id": row["task_id"],
            "label": row["label"],
            "recorded_at": row["recorded_at"],
        },
    )


def attempt_from_row(row: sqlite3.Row) -> Attempt:
    """Read an attempt."""
    return Attempt(**dict(row))
