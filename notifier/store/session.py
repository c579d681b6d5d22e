"""How a session reads and changes its SQLite file: reads beside the one thread that writes."""

import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import anyio
from anyio import to_thread

from notifier.store import changes
from notifier.store.committer import Committer
from notifier.store.connection import unusable

T = TypeVar("T")


class SqliteSession:
    """Two connections to the file, one to write and one to read."""

    def __init__(self, path: Path, reader: sqlite3.Connection, committer: Committer) -> None:
        self.path = path
        self.session = "ses_" + secrets.token_hex(8)
        self._reader = reader
        self._committer = committer
        self._reading = anyio.Lock()
        self._version_seen: int | None = None

    @property
    def stuck(self) -> bool:
        """Commits wait for a trouble that passes: a full disk, another writer."""
        return self._committer.stuck

    async def _change(self, change: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self._committer.submit(change)
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error

    async def _read(self, query: str, parameters: Any) -> list[sqlite3.Row]:
        try:
            async with self._reading:
                return await to_thread.run_sync(lambda: self._reader.execute(changes.SQL[query], parameters).fetchall())
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error

    async def _look(self, read: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self._committer.look(read)
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error

    async def changed_elsewhere(self) -> bool:
        """Tell whether somebody else wrote to the store since this was last asked."""
        version = await self._look(lambda connection: int(connection.execute("PRAGMA data_version").fetchone()[0]))
        changed = self._version_seen is not None and version != self._version_seen
        self._version_seen = version
        return changed
