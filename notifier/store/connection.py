"""Opens a SQLite file: ours or new, of a schema we know, durable."""

import os
import sqlite3
from pathlib import Path

from notifier.errors import StoreTooNew, StoreUnusable
from notifier.store.lockfile import is_locked
from notifier.store.queries import load_migrations

APPLICATION_ID = 0x4E4F5449  # "NOTI": tells our file from any other SQLite database
BUSY_TIMEOUT = 10.0  # seconds to wait for another writer
DAMAGED = "the file is damaged; move it away (with its -wal file) and restore a copy"

# What SQLite says of a disk that is full or a file somebody else is writing: it passes.
PASSING = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def open_file(path: Path, *, create: bool, daemon: bool) -> sqlite3.Connection:
    """Open the store's file and bring it to this program's schema.

    :param create: make the file when there is none.
    :param daemon: the caller holds the lock, so an older schema may be migrated.
    :raises StoreTooNew: the file was written by a newer notifier.
    :raises StoreUnusable: it can't be opened, or is no store of ours.
    """
    _prepare(path, create=create)
    try:
        connection = _connect(path)
        try:
            if daemon:
                _refuse_damaged(connection, path)
            _check_and_migrate(connection, path, may_migrate=daemon or is_locked(path) is None)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise unusable(path, error) from error
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a second connection for reading, so that reads never wait for a commit.

    :raises StoreUnusable: it can't be opened.
    """
    try:
        connection = _connect(path)
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error as error:
        raise unusable(path, error) from error
    return connection


def unusable(path: Path, error: sqlite3.Error) -> StoreUnusable:
    """Put SQLite's word into one line that names the file and what to do."""
    remedies = {
        "SQLITE_NOTADB": "this is not a notifier store; configure another `store`",
        "SQLITE_CORRUPT": DAMAGED,
        "SQLITE_READONLY": "the file or its folder can't be written by this user",
        "SQLITE_CANTOPEN": "the file or its folder can't be opened by this user",
        "SQLITE_FULL": "the disk is full",
        "SQLITE_BUSY": "another program holds the file",
        "SQLITE_IOERR": "the disk is full or failing",
    }
    name = getattr(error, "sqlite_errorname", "") or ""
    remedy = next((text for start, text in remedies.items() if name.startswith(start)), None)
    return StoreUnusable(f"{path}: {error}" + (f": {remedy}" if remedy else ""))


def _prepare(path: Path, *, create: bool) -> None:
    """Make the file with the right to read it ourselves only: it holds what HubSpot said."""
    try:
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        else:
            os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        raise StoreUnusable(f"{path}: there is no store yet; `notifier run` or `notifier watch add` makes it") from None
    except OSError as error:
        raise StoreUnusable(f"{path}: {error.strerror}") from error


def _connect(path: Path) -> sqlite3.Connection:
    # Worker threads take turns on a connection; transactions are ours to begin and end.
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    try:
        _refuse_foreign(
            connection, path
        )  # before anything is written: the next line would change another program's file
        # What pruning frees can be given back. Only before a file's first page, which the next line writes; said again of
        # an old file it would be a commit, which waits for other writers and wakes the daemon.
        if connection.execute("PRAGMA auto_vacuum").fetchone()[0] == 0:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_and_migrate(connection: sqlite3.Connection, path: Path, *, may_migrate: bool) -> None:
    migrations = load_migrations("sqlite")
    newest = max(migrations)
    version = _schema_version(connection)
    if version > newest:
        raise StoreTooNew(
            f"{path}: schema {version} was written by a newer notifier; this one knows {newest}: upgrade it"
        )
    if version == newest:
        return
    if not may_migrate:
        raise StoreUnusable(
            f"{path}: schema {version} is older than this program's ({newest}) and a daemon runs on it; restart the daemon first"
        )
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number in range(_schema_version(connection) + 1, newest + 1):
            for statement in migrations[number]:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {newest}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _refuse_damaged(connection: sqlite3.Connection, path: Path) -> None:
    """Look through the pages for damage: half a second per gigabyte, from memory."""
    found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise StoreUnusable(f"{path}: {' '.join(found.split())}: {DAMAGED}")


def _schema_version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that is neither ours nor empty."""
    if connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
        return
    if _schema_version(connection) or connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise StoreUnusable(f"{path}: this SQLite file belongs to another program; configure another `store`")
