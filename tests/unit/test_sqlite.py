"""What is SQLite's own: files, locks, schemas, commits."""

import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import anyio
import pytest
from anyio import from_thread, to_thread, wait_all_tasks_blocked
from samples import NOW, a_telling, a_watch, ended, hold_file

from notifier.errors import StoreError, StoreLocked, StoreTooNew, StoreUnusable
from notifier.store.committer import Committer
from notifier.store.connection import APPLICATION_ID, open_file, open_reader
from notifier.store.contract import PollResult
from notifier.store.lockfile import is_locked
from notifier.store.queries import load_migrations, load_queries, statements
from notifier.store.sqlite import open_sqlite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store will be."""
    return tmp_path / "state" / "notifier.db"


async def open_once(path: Path, *, daemon: bool = True, create: bool = True) -> None:
    async with open_sqlite(path, daemon=daemon, create=create):
        pass


class TestOpening:
    """A file that is ours or new; everything else has one clear line."""

    async def test_a_new_store_is_private(self, path: Path) -> None:
        """The folder is made; nobody else may read what HubSpot said."""
        async with open_sqlite(path, daemon=True) as store:
            await store.add_watch(a_watch())
            modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        assert set(modes) >= {"notifier.db", "notifier.db-wal", "notifier.db.lock"}
        assert set(modes.values()) == {0o600}

    async def test_durable(self, path: Path) -> None:
        """WAL, and each commit waits for the disk."""
        async with open_sqlite(path, daemon=True) as store:
            look = await store._committer.look(
                lambda connection: [
                    connection.execute(f"PRAGMA {name}").fetchone()[0]
                    for name in ("journal_mode", "synchronous", "foreign_keys")
                ]
            )
        assert look == ["wal", 2, 1]

    async def test_a_second_daemon_is_refused(self, path: Path) -> None:
        """With one line that names the file and the process; commands may still come."""
        async with open_sqlite(path, daemon=True):
            assert is_locked(path) == os.getpid()
            with pytest.raises(StoreLocked, match=rf"notifier.db: another notifier \(process id {os.getpid()}\)"):
                await open_once(path)
            await open_once(path, daemon=False)
        assert is_locked(path) is None
        await open_once(path)

    async def test_the_lock_dies_with_its_process(self, path: Path) -> None:
        """kill -9 leaves no lock behind."""
        script = textwrap.dedent("""
            import sys, pathlib, time
            from notifier.store.lockfile import LockFile
            with LockFile(pathlib.Path(sys.argv[1])):
                print("held", flush=True)
                time.sleep(60)
        """)
        with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            assert is_locked(path) == holder.pid
            holder.kill()
            await to_thread.run_sync(holder.wait)
        await open_once(path)

    async def test_a_newer_schema_is_refused(self, path: Path) -> None:
        """Rolled back to an older program: it says so and touches nothing."""
        await open_once(path)
        newest = max(load_migrations("sqlite"))
        with sqlite3.connect(path) as connection:
            connection.execute(f"PRAGMA user_version = {newest + 1}")
        connection.close()
        with pytest.raises(StoreTooNew, match=f"schema {newest + 1} was written by a newer notifier"):
            await open_once(path)

    async def test_an_older_schema_is_migrated(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was stored stays; a command does not migrate under a running daemon."""
        async with open_sqlite(path, daemon=True) as store:
            await store.add_watch(a_watch())
        newest = max(load_migrations("sqlite"))
        more = {
            **load_migrations("sqlite"),
            newest + 1: ("ALTER TABLE watches ADD COLUMN colour TEXT", "CREATE TABLE x (y)"),
        }
        monkeypatch.setattr("notifier.store.connection.load_migrations", lambda _dialect: more)
        async with _locked(path):
            with pytest.raises(StoreUnusable, match="restart the daemon first"):
                await open_once(path, daemon=False)
        async with open_sqlite(path, daemon=True) as store:
            assert [watch.key.task_id for watch in await store.find_watches()] == ["T1"]
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA user_version").fetchone()[0] == newest + 1
            assert connection.execute("SELECT colour FROM watches").fetchall() == [(None,)]
        connection.close()

    async def test_opening_writes_nothing(self, path: Path) -> None:
        """Who only looks neither waits for a writer nor wakes the daemon."""
        async with open_sqlite(path, daemon=True) as store:
            await store.add_watch(a_watch("a"))
            assert not await store.changed_elsewhere()
            await open_once(path, daemon=False)
            assert not await store.changed_elsewhere()
            with hold_file(path), anyio.fail_after(1):
                open_reader(path).close()

    async def test_a_failed_migration_changes_nothing(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """All of a migration or none of it."""
        await open_once(path)
        newest = max(load_migrations("sqlite"))
        broken = {**load_migrations("sqlite"), newest + 1: ("CREATE TABLE half (done)", "SELECT broken FROM nowhere")}
        monkeypatch.setattr("notifier.store.connection.load_migrations", lambda _dialect: broken)
        with pytest.raises(StoreUnusable, match="nowhere"):
            await open_once(path)
        monkeypatch.undo()
        await open_once(path)
        with sqlite3.connect(path) as connection:
            assert connection.execute("SELECT name FROM sqlite_schema WHERE name = 'half'").fetchall() == []
        connection.close()

    async def test_files_that_are_not_ours(self, path: Path) -> None:
        """Another program's database or no database at all: left as it is."""
        path.parent.mkdir()
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE theirs (x)")
        connection.close()
        with pytest.raises(StoreUnusable, match="belongs to another program"):
            await open_once(path)
        path.write_bytes(b"not a database at all, by any means " * 200)
        with pytest.raises(StoreUnusable, match="not a notifier store"):
            await open_once(path)
        assert path.read_bytes().startswith(b"not a database")

    async def test_an_empty_file_is_a_new_store(self, path: Path) -> None:
        """As `touch` or a crash before the first commit leaves it."""
        path.parent.mkdir()
        path.touch()
        async with open_sqlite(path, daemon=True) as store:
            assert await store.find_watches() == []

    async def test_no_store_yet(self, path: Path) -> None:
        """A command that only looks makes no file."""
        with pytest.raises(StoreUnusable, match="there is no store yet"):
            await open_once(path, daemon=False, create=False)
        assert not path.parent.exists()

    async def test_a_folder_in_its_place(self, path: Path) -> None:
        """The operating system's word, with the path."""
        path.mkdir(parents=True)
        with pytest.raises(StoreError, match="Is a directory"):
            await open_once(path)

    async def test_a_folder_that_cannot_be_made(self) -> None:
        """The operating system's word, with the path; /proc takes no folders, from root neither."""
        with pytest.raises(StoreUnusable, match="/proc/notifier"):
            await open_once(Path("/proc/notifier/notifier.db"))


class TestCommits:
    """Group commit."""

    async def test_what_waits_goes_together(self, path: Path) -> None:
        """Changes that wait while one commits share the next transaction."""
        commits: list[str] = []
        async with open_sqlite(path, daemon=True) as store:
            await store._committer.look(lambda connection: connection.set_trace_callback(commits.append))
            async with anyio.create_task_group() as group:
                for number in range(100):
                    group.start_soon(store.add_watch, a_watch(f"T{number}"))
            assert sum(statement.startswith("COMMIT") for statement in commits) <= 3
            assert len(await store.find_watches()) == 100

    async def test_a_bad_change_spoils_no_other(self, path: Path) -> None:
        """Each change of a batch keeps its own error; the others are on disk."""
        connection = open_file_in(path)
        connection.execute("CREATE TEMP TABLE t (x)")
        committer = Committer(connection, on_stuck=lambda _: None)
        results: list[object] = []

        async def ask(number: int) -> None:
            def change(connection: sqlite3.Connection) -> int:
                connection.execute("INSERT INTO t VALUES (?)", (number,))
                if number == 3:
                    raise LookupError("three")
                return number

            try:
                results.append(await committer.submit(change))
            except LookupError as error:
                results.append(str(error))

        async with anyio.create_task_group() as group:
            for number in range(6):
                group.start_soon(ask, number)
            with anyio.move_on_after(0):
                await anyio.sleep(1)
            group.start_soon(committer.run)
            while len(results) < 6:
                await anyio.sleep(0.001)
            committer.stop()
        assert sorted(map(str, results)) == ["0", "1", "2", "4", "5", "three"]
        assert {row[0] for row in connection.execute("SELECT x FROM t")} == {0, 1, 2, 4, 5}
        connection.close()

    async def test_a_full_disk_is_waited_out(self, path: Path) -> None:
        """Commits wait until there is room again; who asked notices nothing but the time, and nothing is lost."""
        told: list[str] = []
        async with open_sqlite(path, daemon=True, on_stuck=told.append) as store:
            await store.add_watch(a_watch("before"))
            used = await store._committer.look(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
            await store._committer.look(
                lambda connection: connection.execute(f"PRAGMA max_page_count = {used}").fetchone()
            )
            big = "x" * 100_000

            async def save() -> None:
                watch, _ = await store.add_watch(a_watch("big", label=big))
                await store.save_poll(PollResult(ended(watch), a_telling(watch)), NOW)

            async with anyio.create_task_group() as group:
                group.start_soon(save)
                with anyio.fail_after(10):
                    while not told:
                        await anyio.sleep(0.01)
                assert store.stuck
                assert len(await store.find_watches()) == 1
                await store._committer.look(
                    lambda connection: connection.execute("PRAGMA max_page_count = 100000").fetchone()
                )
            assert not store.stuck
            assert [watch.label for watch in await store.watches_of_task("big")] == [big]
            assert len(await store.find_deliveries()) == 1
        assert told == ["database or disk is full"]

    async def test_another_writer_is_waited_out(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Somebody's slow transaction outlasts SQLite's own patience: a daemon waits for ever, and says so once."""
        monkeypatch.setattr("notifier.store.connection.BUSY_TIMEOUT", 0.01)
        monkeypatch.setattr("notifier.store.committer.PASSING_PAUSE", 0.01)
        told: list[str] = []
        async with open_sqlite(path, daemon=True, on_stuck=told.append) as store, anyio.create_task_group() as group:
            with hold_file(path):
                group.start_soon(store.add_watch, a_watch("a"))
                with anyio.fail_after(5):
                    while not told:
                        await anyio.sleep(0.005)
                await anyio.sleep(0.1)
                assert store.stuck
            with anyio.fail_after(5):
                while not await store.watches_of_task("a"):
                    await anyio.sleep(0.005)
        assert told == ["database is locked"]

    async def test_a_command_waits_for_another_writer_so_long(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Then it ends, with one clear line, and closes although it can't write any more."""
        monkeypatch.setattr("notifier.store.sqlite.COMMAND_PATIENCE", 0.1)
        monkeypatch.setattr("notifier.store.committer.PASSING_PAUSE", 0.01)
        async with open_sqlite(path, daemon=True) as beside:
            expected = pytest.RaisesExc(StoreUnusable, match="another program holds the file")
            with hold_file(path), anyio.fail_after(2), pytest.RaisesGroup(expected, flatten_subgroups=True):
                async with open_sqlite(path, daemon=False) as store:
                    await store.add_watch(a_watch("a"))
            assert await beside.find_watches() == []

    async def test_who_is_cancelled_can_still_save(self, path: Path) -> None:
        """Commits go on for those who shield what they must put on record."""
        with anyio.CancelScope() as scope:
            async with open_sqlite(path, daemon=True) as store:
                scope.cancel()
                with anyio.move_on_after(5, shield=True):
                    await store.add_watch(a_watch("a"))
        async with open_sqlite(path, daemon=True) as store:
            assert len(await store.find_watches()) == 1

    async def test_what_was_asked_for_is_on_disk_when_the_store_is_closed(self, path: Path) -> None:
        """A commit is slow, and others wait behind it: closing waits for them."""
        begun, go_on = anyio.Event(), threading.Event()

        def slow(_connection: sqlite3.Connection) -> None:
            from_thread.run_sync(begun.set)
            go_on.wait(5)

        async with anyio.create_task_group() as group:
            async with open_sqlite(path, daemon=True) as store:
                group.start_soon(store._committer.submit, slow)
                await begun.wait()
                group.start_soon(store.add_watch, a_watch("a"))
                await wait_all_tasks_blocked()
                threading.Timer(0.05, go_on.set).start()
            group.cancel_scope.cancel()
        async with open_sqlite(path, daemon=True) as store:
            assert len(await store.find_watches()) == 1


class TestQueries:
    """SQL lives in files."""

    def test_statements_are_cut_where_they_end(self) -> None:
        """Triggers, comments and strings with semicolons stay whole."""
        script = "CREATE TABLE a (b TEXT DEFAULT ';');\n-- a; comment\nCREATE TRIGGER t AFTER INSERT ON a BEGIN\nDELETE FROM a;\nEND;\n"
        assert len(list(statements(script))) == 2

    def test_every_query_is_valid(self, path: Path) -> None:
        """SQLite can plan each of them on the newest schema."""
        connection = open_file_in(path)
        for name, sql in load_queries("sqlite").items():
            cursor = connection.execute(f"EXPLAIN {sql}", _blanks(sql))
            assert cursor.fetchone() is not None, name
        assert connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        connection.close()

    @pytest.mark.parametrize(
        "name", ["due_watches", "next_poll_at", "overdue_watches", "next_attempt_at", "claim", "orphans"]
    )
    def test_the_hot_queries_use_an_index(self, path: Path, name: str) -> None:
        """None of them reads a whole table."""
        connection = open_file_in(path)
        sql = load_queries("sqlite")[name]
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", _blanks(sql))]
        assert not [step for step in plan if step.startswith("SCAN") and "INDEX" not in step], plan
        connection.close()


def _blanks(sql: str) -> object:
    import re

    names = set(re.findall(r":([a-z_]+)", sql))
    return dict.fromkeys(names) if names else (None,) * sql.count("?")


def open_file_in(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(exist_ok=True)
    return open_file(path, create=True, daemon=True)


class _locked:  # noqa: N801  # reads as what it does
    """Holds the daemon's lock."""

    def __init__(self, path: Path) -> None:
        from notifier.store.lockfile import LockFile

        self._lock = LockFile(path)

    async def __aenter__(self) -> None:
        self._lock.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self._lock.__exit__(None, None, None)


async def test_a_link_to_the_store_has_the_same_lock(path: Path) -> None:
    """Two names of one file are one store."""
    async with open_sqlite(path, daemon=True):
        link = path.with_name("link.db")
        link.symlink_to(path)
        assert is_locked(link) == os.getpid()
        with pytest.raises(StoreLocked):
            await open_once(link)


def test_a_second_connection_that_can_not_be_had_is_an_error_of_ours(tmp_path: Path) -> None:
    """As when no file may be opened any more: one line, no crash."""
    with pytest.raises(StoreUnusable, match="can't be opened by this user"):
        open_reader(tmp_path / "missing" / "notifier.db")
