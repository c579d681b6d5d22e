"""Natural group commit: what waits when the writer is free goes into one transaction.

A commit with ``synchronous=FULL`` waits for the disk. Under load many changes wait meanwhile, and the next commit carries
them all; without load a change is committed at once. A change is a function over the connection that can run again, so
that a batch with a bad change in it is undone and its changes are made one by one.
"""

import math
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
from anyio import to_thread

from notifier.errors import NotifierError
from notifier.store.connection import PASSING

T = TypeVar("T")
Change = Callable[[sqlite3.Connection], T]

MOST_IN_ONE = 500  # changes of one transaction: bounds how long a reader of the result waits
SHORT_LOG = 100  # pages of the log of changes, once the disk has been full
PASSING_PAUSE = 1.0  # seconds between tries while the disk is full or the file is held


@dataclass(slots=True, eq=False)
class _Wish:
    change: Change[Any]
    made: bool = False  # on disk, or refused for good: never run again
    result: Any = None
    error: BaseException | None = None
    done: anyio.Event = field(default_factory=anyio.Event)


class Committer:
    """Runs changes on the one connection that writes; ``run`` must be running in a task group."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        on_stuck: Callable[[str], None],
        patience: float = math.inf,
        *,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection = connection
        self._check = check  # raises when what is committed would not be kept
        self._patience = patience  # seconds after which a trouble that passes counts as one that does not
        self._on_stuck = on_stuck  # told once when commits begin to fail for a reason that passes
        self._turn = anyio.Lock()
        self._waiting: list[_Wish] = []
        self._wake = anyio.Event()
        self._running = anyio.CancelScope(shield=True)
        self.stuck = False

    async def submit(self, change: Change[T]) -> T:
        """Make a change and give its result once it is on disk; its own exceptions are raised here."""
        wish = _Wish(change)
        self._waiting.append(wish)
        self._wake.set()
        await wish.done.wait()
        if wish.error is not None:
            raise wish.error
        result: T = wish.result
        return result

    async def look(self, read: Change[T]) -> T:
        """Read on the writing connection, between two commits."""
        async with self._turn:
            self._check()
            return await to_thread.run_sync(read, self._connection)

    async def run(self) -> None:
        """Commit until ``stop``; who is cancelled around it may still have something to save."""
        with self._running:
            while True:
                await self._wake.wait()
                self._wake = anyio.Event()
                while self._waiting:
                    batch, self._waiting = self._waiting[:MOST_IN_ONE], self._waiting[MOST_IN_ONE:]
                    await self._commit(batch)

    def stop(self) -> None:
        """Make ``run`` return."""
        self._running.cancel()

    async def _commit(self, batch: Sequence[_Wish]) -> None:
        began = anyio.current_time()
        while (trouble := await self._try(batch)) is not None and anyio.current_time() - began < self._patience:
            self._tell_stuck(str(trouble))
            await anyio.sleep(PASSING_PAUSE)
        self.stuck = False
        for wish in batch:
            wish.error = wish.error if wish.made else trouble
            wish.done.set()

    async def _try(self, batch: Sequence[_Wish]) -> Exception | None:
        """Make what is not made yet; gives the trouble that passes, if there is one."""
        unmade = [wish for wish in batch if not wish.made]
        async with self._turn:
            return await to_thread.run_sync(self._commit_and_check, unmade)

    def _commit_and_check(self, batch: Sequence[_Wish]) -> Exception | None:
        """Commit; nobody is told that something is on disk which is on no disk any more."""
        if self.stuck:
            _empty_log(self._connection)
        trouble = _commit_together(self._connection, batch)
        try:
            self._check()
        except NotifierError as error:
            return _told(batch, error)
        return trouble

    def _tell_stuck(self, trouble: str) -> None:
        if not self.stuck:
            self.stuck = True
            self._on_stuck(trouble)


def _commit_together(connection: sqlite3.Connection, batch: Sequence[_Wish]) -> Exception | None:
    """Make every change; gives the reason when some could not be made for a trouble that passes."""
    if (trouble := _transact(connection, batch)) is None or len(batch) == 1 or _passes(trouble):
        return _told(batch, trouble)
    # Whichever change it was: each is made alone and keeps its own error.
    for wish in batch:
        if (passing := _told([wish], _transact(connection, [wish]))) is not None:
            return passing
    return None


def _told(batch: Sequence[_Wish], trouble: Exception | None) -> Exception | None:
    """Mark what is settled; gives a trouble that passes, for which the batch is tried again."""
    if trouble is not None and _passes(trouble):
        return trouble
    for wish in batch:
        wish.made, wish.error = True, trouble
    return None


def _passes(trouble: Exception) -> bool:
    return isinstance(trouble, sqlite3.Error) and getattr(trouble, "sqlite_errorcode", 0) & 0xFF in PASSING


def _empty_log(connection: sqlite3.Connection) -> None:
    """Have the log of changes give its space back, which on a small disk may be nearly all there is.

    SQLite does so by itself only once the log has 4 MB, from now on with ``SHORT_LOG``: a log that fills the disk leaves no
    room to move its pages to. Before anything else is written, or that takes what room there is.
    """
    with suppress(sqlite3.Error):
        connection.execute(f"PRAGMA wal_autocheckpoint = {SHORT_LOG}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _transact(connection: sqlite3.Connection, batch: Sequence[_Wish]) -> Exception | None:
    """Make the changes of ``batch`` in one transaction, or none of them."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for wish in batch:
                wish.result = wish.change(connection)
            connection.execute("COMMIT")
        except BaseException:
            # A full disk makes SQLite roll back by itself.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except Exception as error:  # noqa: BLE001  # handed to the one who asked for the change
        return error
    return None
