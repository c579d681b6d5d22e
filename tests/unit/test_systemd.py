"""What systemd and the journal are told, read from real sockets."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifier.systemd import JournalSocket, Progress, ServiceState, coroutine_stacks, watchdog_interval


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """A service manager's socket, and what ``$NOTIFY_SOCKET`` calls it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@notifier-test-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix:
        unix.bind(name.replace("@", "\0", 1))
        unix.settimeout(5)
        yield name, unix


def heard(unix: socket.socket) -> list[str]:
    """Read one message."""
    return unix.recv(65_536).decode().split("\n")


def test_every_message(listener: tuple[str, socket.socket]) -> None:
    """Each state is told in systemd's words, over both kinds of address."""
    name, unix = listener
    state = ServiceState.from_environ({"NOTIFY_SOCKET": name})
    assert state.ready("3 watches")
    assert heard(unix) == ["READY=1", "STATUS=3 watches"]
    assert state.reloading(lambda: 12.5)
    assert heard(unix) == ["RELOADING=1", "MONOTONIC_USEC=12500000"]
    assert state.status("prêt ✓")
    assert heard(unix) == ["STATUS=prêt ✓"]
    assert state.alive()
    assert heard(unix) == ["WATCHDOG=1"]
    assert state.extend(30)
    assert heard(unix) == ["EXTEND_TIMEOUT_USEC=30000000"]
    assert state.stopping("draining")
    assert heard(unix) == ["STOPPING=1", "STATUS=draining"]
    state.close()


def test_a_status_forges_nothing(listener: tuple[str, socket.socket]) -> None:
    """A line end in a status begins no assignment, half characters are no error, and it is bounded."""
    name, unix = listener
    state = ServiceState(name)
    state.status("a\nMAINPID=1\r\n\udc80" + "x" * 10_000)
    (line,) = heard(unix)
    assert line.startswith("STATUS=a MAINPID=1 ?xxx")
    assert len(line) < 600
    state.close()


@pytest.mark.parametrize("address", [None, "", "vsock:2:1", "relative", "/no/such/socket/anywhere"])
def test_nobody_to_tell(address: str | None) -> None:
    """Without a service manager, or with one that is gone, telling is harmless."""
    state = ServiceState(address)
    assert state.ready("x") is (address != "/no/such/socket/anywhere")
    state.close()
    assert state.alive()


def fill(state: ServiceState) -> None:
    """Say so much that the socket takes no more."""
    for _ in range(100_000):
        if not state.alive():
            return
    pytest.fail("the socket never filled")


def drain(unix: socket.socket) -> None:
    """Read what waits."""
    unix.setblocking(False)
    while True:
        try:
            unix.recv(65_536)
        except BlockingIOError:
            break
    unix.settimeout(5)


def test_what_a_full_socket_refused_is_said_again(listener: tuple[str, socket.socket]) -> None:
    """A service manager that stands still blocks nothing; READY=1 arrives with the next message."""
    name, unix = listener
    state = ServiceState(name)
    fill(state)
    assert not state.ready("lost?")
    drain(unix)
    assert state.alive()
    assert sorted(heard(unix)) == ["READY=1", "STATUS=lost?", "WATCHDOG=1"]
    assert state.alive()
    assert heard(unix) == ["WATCHDOG=1"]
    state.close()


def test_an_unsaid_state_is_overtaken(listener: tuple[str, socket.socket]) -> None:
    """READY=1 that never got through is not said any more once the daemon stops, nor RELOADING=1 once it is ready."""
    name, unix = listener
    state = ServiceState(name)
    fill(state)
    state.reloading()
    state.ready("reloaded")
    state.stopping("draining")
    drain(unix)
    state.alive()
    assert sorted(heard(unix)) == ["STATUS=draining", "STOPPING=1", "WATCHDOG=1"]
    state.close()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "x"}, None),
    ],
)
def test_watchdog_interval(environ: dict[str, str], seconds: float | None) -> None:
    """Half of what is allowed, when it is we who are watched."""
    assert watchdog_interval(environ, pid=7) == seconds


def test_watchdog_watches_this_process() -> None:
    """Without a given id it is ours that counts: children inherit the variables."""
    assert watchdog_interval({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}) == 1.0
    assert watchdog_interval({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getppid())}) is None


def test_progress() -> None:
    """A loop is stuck when its beat is overdue, and no more when it beats again."""
    progress = Progress()
    assert progress.stuck(1e9) == []
    progress.expect("polling", within=10, now=100)
    progress.expect("delivery", within=20, now=100)
    assert progress.stuck(110) == []
    assert progress.stuck(110.1) == ["polling"]
    assert progress.stuck(200) == ["delivery", "polling"]
    progress.beat("polling", 200)
    assert progress.stuck(200) == ["delivery"]
    assert progress.stuck(211) == ["delivery", "polling"]


def test_progress_forgets() -> None:
    """A loop that ended on purpose is not stuck, and a late beat of it changes nothing."""
    progress = Progress()
    progress.expect("polling", within=10, now=0)
    progress.forget("polling")
    progress.forget("polling")
    progress.beat("polling", 5)
    assert progress.stuck(1000) == []


# The journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[tuple[JournalSocket, socket.socket]]:
    """A journal's socket and ours to it."""
    path = str(tmp_path / "journal")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix:
        unix.bind(path)
        unix.settimeout(5)
        ours = JournalSocket(path)
        yield ours, unix
        ours.close()


def parse(entry: bytes) -> dict[str, bytes]:
    """Read the native protocol, as its specification tells."""
    fields = {}
    while entry:
        line, _, entry = entry.partition(b"\n")
        name, sign, value = line.partition(b"=")
        if not sign:
            size = int.from_bytes(entry[:8], "little")
            value, entry = entry[8 : 8 + size], entry[8 + size + 1 :]
        fields[name.decode()] = value
    return fields


def test_entry(journal: tuple[JournalSocket, socket.socket]) -> None:
    """Plain values are NAME=value; those with line ends carry their length, so that nothing can be forged."""
    ours, unix = journal
    assert ours.send({"MESSAGE": "a = ü", "TEXT": "a\nPRIORITY=0\n", "EMPTY": "", "HALF": "\udc80"})
    expected = {"MESSAGE": "a = ü".encode(), "TEXT": b"a\nPRIORITY=0\n", "EMPTY": b"", "HALF": b"\\udc80"}
    assert parse(unix.recv(65_536)) == expected


def test_large_entry(journal: tuple[JournalSocket, socket.socket]) -> None:
    """What no datagram holds arrives as a sealed file."""
    ours, unix = journal
    assert ours.send({"MESSAGE": "x" * 2_000_000})
    content, descriptors, _, _ = socket.recv_fds(unix, 65_536, 1)
    assert content == b""
    with os.fdopen(descriptors[0], "rb") as memory:
        memory.seek(0)
        assert parse(memory.read()) == {"MESSAGE": b"x" * 2_000_000}
        with pytest.raises(PermissionError):
            os.write(memory.fileno(), b"changed")


def test_a_journal_that_stands_still_drops(journal: tuple[JournalSocket, socket.socket]) -> None:
    """A full queue costs entries, large ones too, and blocks nothing."""
    ours, _ = journal
    while ours.send({"MESSAGE": "x"}):
        pass
    assert not ours.send({"MESSAGE": "x" * 2_000_000})
    assert ours.dropped == 2


def test_a_journal_that_is_gone_drops(tmp_path: Path) -> None:
    """No socket, no entry, no error."""
    ours = JournalSocket(str(tmp_path / "nothing"))
    assert not ours.send({"MESSAGE": "x"})
    assert ours.dropped == 1
    ours.close()


def test_journal_behind_stderr(tmp_path: Path) -> None:
    """The journal is used when standard error is the very stream that systemd made, not when it was redirected."""
    with (tmp_path / "file").open("w") as stream:
        found = os.fstat(stream.fileno())
        environ = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        ours = JournalSocket.behind_stderr(environ, stream.fileno())
        assert ours is not None
        ours.close()
        assert JournalSocket.behind_stderr({"JOURNAL_STREAM": f"{found.st_dev}:1"}, stream.fileno()) is None
        assert JournalSocket.behind_stderr({}, stream.fileno()) is None
    assert JournalSocket.behind_stderr(environ, 9999) is None


# Stacks


def test_an_abort_writes_the_stacks() -> None:
    """SIGABRT, as the watchdog sends it, ends the process and leaves the stacks of all threads on standard error."""
    program = """
import os, signal, sys, threading
from notifier.systemd import dump_stacks_when_aborted
def wait_in_a_thread(): threading.Event().wait()
def abort_here(): os.kill(os.getpid(), signal.SIGABRT)
dump_stacks_when_aborted()
threading.Thread(target=wait_in_a_thread, daemon=True).start()
abort_here()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == -signal.SIGABRT
    assert "in abort_here" in done.stderr
    assert "in wait_in_a_thread" in done.stderr


async def test_coroutine_stacks_lead_to_what_waits() -> None:
    """The stack goes from the outermost coroutine to the innermost, which a thread's stack does not show."""
    reached = asyncio.Event()

    async def inner() -> None:
        reached.set()
        await asyncio.Event().wait()

    async def outer() -> None:
        await inner()

    stuck = asyncio.create_task(outer(), name="the stuck one")
    await reached.wait()
    await asyncio.sleep(0)
    (line,) = [line for line in coroutine_stacks().splitlines() if line.startswith("the stuck one: ")]
    assert line.index(" outer") < line.index(" inner") < line.index(" wait")
    stuck.cancel()
