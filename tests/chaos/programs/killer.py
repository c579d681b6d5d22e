"""Runs notifier until it comes to a named point for the nth time, where it kills itself: ``killer.py <point> <nth> [<safeguard>] run -c …``.

With ``safeguard``, that one is switched off as the saboteur does it.
"""

import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import saboteur

from notifier.cli import main
from notifier.delivery.sender import Sender
from notifier.http import Response
from notifier.http.connection import Connection
from notifier.model import EventType
from notifier.store import changes, committer
from notifier.store.contract import PollResult, Telling
from notifier.store.sqlite import SqliteStore

Fuse = Callable[[], None]
OF_OPERATOR = {kind for kind in EventType if kind.value.startswith(("account.", "callback.", "delivery."))}


def fuse(nth: int) -> Fuse:
    """Kill this program, as a power cut would, the nth time it is called."""
    left = nth

    def burn() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return burn


def before(owner: Any, name: str, burn: Fuse, *, counts: Callable[..., Any] = lambda *_, **__: True) -> None:
    """Burn when a coroutine function is called, if ``counts`` says so of its arguments."""
    original = getattr(owner, name)

    @wraps(original)
    async def called(*arguments: Any, **keywords: Any) -> Any:
        if counts(*arguments, **keywords):
            burn()
        return await original(*arguments, **keywords)

    setattr(owner, name, called)


def after(owner: Any, name: str, burn: Fuse, *, counts: Callable[[Any], Any] = lambda _: True) -> None:
    """Burn when a coroutine function has a result, if ``counts`` says so of it."""
    original = getattr(owner, name)

    @wraps(original)
    async def called(*arguments: Any, **keywords: Any) -> Any:
        result = await original(*arguments, **keywords)
        if counts(result):
            burn()
        return result

    setattr(owner, name, called)


def within(name: str, burn: Fuse, *, first: bool = False, counts: Callable[..., Any] = lambda *_: True) -> None:
    """Burn in the middle of a transaction, after one of its changes (``first``: before it)."""
    original = getattr(changes, name)

    @wraps(original)
    def called(*arguments: Any) -> Any:
        if first and counts(None, *arguments):
            burn()
        result = original(*arguments)
        if not first and counts(result, *arguments):
            burn()
        return result

    setattr(changes, name, called)


def ends_a_task(_store: SqliteStore, result: PollResult, _now: float) -> bool:
    return result.telling is not None


def of_operator(_result: object, _connection: object, telling: Telling, _now: float) -> bool:
    return telling.event.type in OF_OPERATOR


def of_task(_result: object, _connection: object, telling: Telling, _now: float) -> bool:
    return telling.event.type not in OF_OPERATOR


def ending_committed(burn: Fuse) -> None:
    """A task's end and what is owed for it are on disk, and the poller was not told."""
    save = SqliteStore.save_poll

    async def save_and_burn(store: SqliteStore, result: PollResult, now: float) -> bool:
        saved = await save(store, result, now)
        if result.telling is not None:
            burn()
        return saved

    SqliteStore.save_poll = save_and_burn  # type: ignore[method-assign]  # that is the purpose


def in_batch(burn: Fuse) -> None:
    """Half of the changes of a group commit are made, none is committed."""
    transact = committer._transact

    def transact_half(connection: sqlite3.Connection, batch: Any) -> Exception | None:
        if len(batch) > 1:
            middle = batch[len(batch) // 2]
            change = middle.change

            def change_and_burn(connection: sqlite3.Connection) -> Any:
                burn()
                return change(connection)

            middle.change = change_and_burn
        return transact(connection, batch)

    committer._transact = transact_half


def batch_committed(burn: Fuse) -> None:
    """A group commit is on disk, and none of those who wait for it was told."""
    transact = committer._transact

    def transact_all(connection: sqlite3.Connection, batch: Any) -> Exception | None:
        trouble = transact(connection, batch)
        if len(batch) > 1:
            burn()
        return trouble

    committer._transact = transact_all


def in_request(burn: Fuse, *, whole: bool) -> None:
    """The bytes of a request to a receiver are out: all of them, or half."""
    send = Connection._send

    async def send_and_burn(connection: Connection, written: bytes) -> None:
        if not written.startswith(b"POST"):
            await send(connection, written)
            return
        half = len(written) // 2
        await send(connection, written if whole else written[:half])
        burn()
        if not whole:
            await send(connection, written[half:])

    Connection._send = send_and_burn  # type: ignore[method-assign]  # that is the purpose


POINTS: dict[str, Callable[[Fuse], None]] = {
    "claim_asked": lambda burn: before(SqliteStore, "claim", burn),
    "attempt_written": lambda burn: within("claim", burn, counts=lambda claims, *_: claims),
    "claim_committed": lambda burn: after(SqliteStore, "claim", burn, counts=bool),
    "request_begun": lambda burn: before(Sender, "send", burn),
    "request_half_out": lambda burn: in_request(burn, whole=False),
    "request_out": lambda burn: in_request(burn, whole=True),
    "answer_come": lambda burn: after(Sender, "send", burn, counts=lambda it: isinstance(it, Response)),
    "settle_asked": lambda burn: before(SqliteStore, "settle", burn),
    "settle_written": lambda burn: within("settle", burn),
    "settle_committed": lambda burn: after(SqliteStore, "settle", burn),
    "ending_asked": lambda burn: before(SqliteStore, "save_poll", burn, counts=ends_a_task),
    "ending_written": lambda burn: within("record", burn, first=True, counts=of_task),
    "event_written": lambda burn: within("record", burn, counts=of_task),
    "ending_committed": ending_committed,
    "batch_half_made": in_batch,
    "batch_committed": batch_committed,
    "adopt_asked": lambda burn: before(SqliteStore, "adopt_deliveries", burn),
    "adopt_written": lambda burn: within("give_back", burn),
    "adopt_committed": lambda burn: after(SqliteStore, "adopt_deliveries", burn),
    "reconcile_asked": lambda burn: before(SqliteStore, "reconcile", burn),
    "reconcile_written": lambda burn: within("reconcile", burn),
    "reconcile_committed": lambda burn: after(SqliteStore, "reconcile", burn),
    "operator_event_asked": lambda burn: within("record", burn, first=True, counts=of_operator),
    "operator_event_written": lambda burn: within("record", burn, counts=of_operator),
    "operator_event_committed": lambda burn: after(SqliteStore, "settle", burn, counts=lambda it: it and it.tellings),
    "standing_asked": lambda burn: before(SqliteStore, "set_account_standing", burn),
    "standing_committed": lambda burn: after(SqliteStore, "set_account_standing", burn),
}


if __name__ == "__main__":
    point, nth, *rest = sys.argv[1:]
    if rest[0] != "run":
        getattr(saboteur, rest.pop(0))()
    POINTS[point](fuse(int(nth)))
    main(rest)
