"""What can't work is refused at once, with the reason and no traceback, and without touching what runs."""

import fcntl
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from chaos.daemon import Daemon
from chaos.places import MORTAL, need_root
from chaos.world import Config, World
from notifier.store.lockfile import is_locked

Change = Callable[[Config], Any]


async def refused(daemon: Daemon, code: int) -> str:
    """Wait for its end and give what it said, log lines left out."""
    assert await daemon.ended(timeout=10.0) == code, daemon.log
    assert "Traceback" not in daemon.log
    return "\n".join(line for line in daemon.log.splitlines() if not line.startswith("{"))


@pytest.mark.parametrize(
    ("change", "complaints"),
    [
        (lambda config: config["accounts"]["main"].update(base_url="ftp://127.0.0.1"), ["not an absolute http"]),
        (lambda config: config["accounts"]["main"].update(base_url="http://127.0.0.1:99999"), ["accounts.main.base_url"]),
        (lambda config: config["callbacks"]["erp"].update(url="http://127.0.0.1:0/hook"), ["callbacks.erp.url"]),
        (lambda config: config["callbacks"]["erp"].update(secret="whsec_c2hvcnQ="), ["callbacks.erp.secret"]),
        (lambda config: config.update(store="postgresql://db/notifier"), ["PostgreSQL"]),
        (lambda config: config.update(pollling={}), ["pollling", "polling"]),
        (lambda config: config["polling"].update(request_cost=5, timeout="1h"), ["request_cost", "polling.timeout"]),
        (lambda config: config["tasks"].extend(["twice", "twice"]), ["twice"]),
        (lambda config: config.pop("accounts"), ["accounts"]),
        (lambda config: config["accounts"]["main"].update(token="${NOT_SET_ANYWHERE}"), ["NOT_SET_ANYWHERE"]),
        (lambda config: config["accounts"].update(main={"token_file": "no-such-file"}), ["no-such-file"]),
    ],
)  # fmt: skip
async def test_a_bad_configuration(it: World, change: Change, complaints: list[str]) -> None:
    """Exit code 78, which the service manager does not start again, and every mistake with its place on stderr."""
    config = it.config(["t"])
    change(config)
    it.write(config)
    said = await refused(it.start(), 78)
    assert all(complaint in said for complaint in complaints), said
    assert f"{it.config_file.name}:" in said
    assert not it.store.exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"accounts: [", "config.yaml:1"),
        (b"\xff\xfea\x00", "UTF-16"),
        (b"a: \x80", "not UTF-8"),
        (b"\0", "config.yaml"),
        (b"", "the file is empty"),
        (b"- 1", "config.yaml:1"),
        (b"a: &a [*a]", "config.yaml:1"),
        (b"{" * 5000, "config.yaml:1"),
    ],
)
async def test_no_configuration_at_all(it: World, content: bytes, complaint: str) -> None:
    """Bytes that are no YAML, or no mapping, are a bad configuration like any other."""
    it.config_file.write_bytes(content)
    assert complaint in await refused(it.start(), 78)


async def test_a_configuration_that_is_not_there(it: World) -> None:
    """The path is named, and where to begin."""
    assert "no such file" in await refused(it.start(), 78)


async def test_a_configuration_that_may_not_be_read(it: World) -> None:
    """Permission is what is missing, and it says so."""
    need_root("setpriv")
    it.write(it.config())
    it.config_file.chmod(0o000)
    assert "can't be read: Permission denied" in await refused(it.start(enter=MORTAL), 78)


async def test_a_second_daemon(it: World) -> None:
    """It is told who runs, in one line; the first one does not notice."""
    it.write(it.config(["t"]))
    it.hubspot.add_task("t", pending=0.0, ends="never")
    first = await it.started()
    [line] = (await refused(it.start(), 1)).splitlines()
    assert f"process id {first.pid}" in line
    assert str(it.store) in line
    it.hubspot.end_task("t")
    await it.receiver.wait_for(1)
    assert await first.stop() == 0


async def test_looking_on_never_keeps_a_daemon_from_starting(it: World) -> None:
    """`notifier status` finds out whether a daemon runs, again and again, while one starts."""
    it.write(it.config())
    for _ in range(5):
        with looking_on(it.store):
            daemon = await it.started()
        assert is_locked(it.store) == daemon.pid
        assert await daemon.stop() == 0


@contextmanager
def looking_on(store: Path) -> Iterator[None]:
    """Look in a thread whether a daemon runs, as ``is_locked`` does, but slowly; then pause as long."""
    enough = threading.Event()

    def look() -> None:
        while not enough.wait(0.02):
            with store.with_name(store.name + ".lock").open("a") as stream, suppress(BlockingIOError):
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
                enough.wait(0.02)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


async def test_a_store_of_another_program(it: World) -> None:
    """It is left as it is."""
    with closing(sqlite3.connect(it.store)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = it.store.read_bytes()
    it.write(it.config(["t"]))
    [line] = (await refused(it.start(), 1)).splitlines()
    assert "belongs to another program" in line
    assert it.store.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"no database, but long enough to look at" * 100, b"SQLite format 3\0" + b"\xff" * 4096]
)
async def test_a_store_that_is_none(it: World, content: bytes) -> None:
    """Some other file, or a damaged one: one line, and the file stays."""
    it.store.write_bytes(content)
    it.write(it.config(["t"]))
    [line] = (await refused(it.start(), 1)).splitlines()
    assert line.startswith(f"notifier: {it.store}: ")
    assert it.store.read_bytes() == content


async def test_a_store_of_a_newer_program(it: World) -> None:
    """Its schema is unknown: upgrade, says the line."""
    it.write(it.config())
    await (await it.started()).stop()
    with closing(sqlite3.connect(it.store)) as connection:
        connection.execute("PRAGMA user_version = 999")
    assert "newer notifier" in await refused(it.start(), 1)


async def test_a_store_in_a_place_that_can_not_be(it: World) -> None:
    """Below a file, where nothing can be."""
    (it.folder / "file").write_text("")
    it.store = it.folder / "file" / "notifier.db"
    it.write(it.config())
    [line] = (await refused(it.start(), 1)).splitlines()
    assert f"{it.folder / 'file'}: " in line


async def test_a_store_that_somebody_else_is_writing(it: World) -> None:
    """Another program holds the file for a while: the daemon waits, and can be stopped meanwhile."""
    it.write(it.config())
    await (await it.started()).stop()
    it.write(it.config(["t"]))
    it.hubspot.add_task("t", pending=0.0, processing=0.0)
    with closing(sqlite3.connect(it.store, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        daemon = it.start()
        await anyio.sleep(1.0)
        assert await daemon.stop(timeout=15.0) in {0, 1, -15}
        assert "Traceback" not in daemon.log
        daemon = it.start()
        await anyio.sleep(1.0)
        connection.execute("ROLLBACK")
        await daemon.ready()
    await it.receiver.wait_for(1)
    assert await daemon.stop() == 0
