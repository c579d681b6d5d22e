"""Runs notifier with one safeguard switched off: ``saboteur.py <safeguard> run -c …``. The pauses make the gap easy to hit."""

import secrets
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio

from notifier.cli import main
from notifier.delivery.dispatcher import Lane
from notifier.delivery.settle import Tried
from notifier.delivery.verdict import Delivered
from notifier.http import Response
from notifier.model import TaskKey
from notifier.store import changes
from notifier.store.contract import PollResult
from notifier.store.sqlite import SqliteStore

GAP = 0.15  # seconds


def event_after_watch() -> None:
    """The end of a task is saved first and what is owed for it later, instead of both at once."""

    async def save_poll(store: SqliteStore, result: PollResult, now: float) -> bool:
        saved = await together(store, replace(result, telling=None), now)
        if saved and result.telling is not None:
            await anyio.sleep(GAP)
            await store.record(result.telling, now)
        return saved

    together = SqliteStore.save_poll
    _replace(SqliteStore, save_poll)


def id_by_chance() -> None:
    """What is owed is recorded before the end of the task, under an id that the same facts do not give again."""

    async def save_poll(store: SqliteStore, result: PollResult, now: float) -> bool:
        if result.telling is not None:
            await store.record(result.telling, now)
            await anyio.sleep(GAP)
        return await together(store, replace(result, telling=None), now)

    def event_id(_key: TaskKey, _kind_of_event: object) -> str:
        return "evt_" + secrets.token_hex(26)

    together = SqliteStore.save_poll
    _replace(SqliteStore, save_poll)
    _replace(TaskKey, event_id)


def done_before_sent() -> None:
    """A delivery is on record as delivered before it is."""

    async def _attempt(lane: Any, claim: Any) -> None:
        now = lane._clock.now()
        await lane._settle(Tried(claim, Response(200, {}, b""), "", now, now), Delivered(), 0.0)
        await anyio.sleep(GAP)
        await lane._sender.send(claim)
        lane.in_flight -= 1
        lane.wake()

    _replace(Lane, _attempt)


def attempt_after_sending() -> None:
    """An attempt is on record when it is over, instead of before the request leaves."""
    queries: Any = changes.SQL
    columns = "delivery_id, number, finished_at, reach, reason, status_code, answer"
    values = ", ".join(f":{column}" for column in columns.split(", "))
    queries["open_attempt"] = "INSERT INTO attempts (delivery_id, number, started_at) SELECT ?, ?, ? WHERE false"
    queries["close_attempt"] = f"INSERT INTO attempts (started_at, {columns}) VALUES (:finished_at, {values})"


def _replace(owner: type, function: Callable[..., Any]) -> None:
    setattr(owner, function.__name__, function)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    main(sys.argv[2:])
