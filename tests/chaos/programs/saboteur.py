"""Runs notifier with one safeguard switched off: ``saboteur.py <safeguard> run -c …``. The pauses make the gap easy to hit."""

import asyncio
import secrets
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio

from notifier.cli import main
from notifier.delivery.sender import Sender
from notifier.http import Response
from notifier.model import Claim, TaskKey
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
    """A delivery is taken to be delivered before it leaves."""

    async def send_late(sender: Sender, claim: Claim) -> None:
        await anyio.sleep(GAP)
        await in_time(sender, claim)

    async def send(sender: Sender, claim: Claim) -> Response:
        late.append(asyncio.ensure_future(send_late(sender, claim)))
        return Response(200, {}, b"")

    late: list[asyncio.Future[None]] = []
    in_time = Sender.send
    _replace(Sender, send)


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
