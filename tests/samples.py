"""Nouns to put into a store."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from notifier.model import (
    Body,
    DeliveryState,
    Event,
    EventType,
    NewDelivery,
    Outcome,
    TaskKey,
    Watch,
    WatchState,
    delivery_id,
)
from notifier.store.contract import Telling

NOW = 1_800_000_000.0


def a_watch(task_id: str = "T1", **changes: object) -> Watch:
    watch = Watch(
        key=TaskKey("main", "hubspot.file_import", task_id),
        label=None,
        callbacks=None,
        origin="config",
        state=WatchState.ACTIVE,
        began_at=NOW,
        deadline_at=NOW + 3600,
        next_poll_at=NOW + 1,
    )
    return replace(watch, **changes)


def a_telling(watch: Watch, *callbacks: str, state: DeliveryState = DeliveryState.PENDING) -> Telling:
    event_id = watch.key.event_id(EventType.TASK_SUCCEEDED)
    event = Event(
        event_id, EventType.TASK_SUCCEEDED, NOW, {"account": "main", "task_id": watch.key.task_id}, watch.watch_id
    )
    body = Body(b'{"a":1}', "application/json")
    owed = [NewDelivery(delivery_id(event_id, name), event_id, name, state, body) for name in callbacks or ("erp",)]
    return Telling(event, owed)


def ended(watch: Watch) -> Watch:
    return replace(watch, state=WatchState.ENDED, outcome=Outcome.SUCCEEDED, ended_at=NOW + 5, polls=watch.polls + 1)


@contextmanager
def hold_file(path: Path) -> Iterator[None]:
    """Write to a store's file as another program, and be slow about it: nobody else can, meanwhile."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
