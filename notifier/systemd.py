"""What the daemon says to systemd: its state, that it makes progress, and its journal.

Nothing here raises or waits: a service manager or a journal that stands still must not stop the daemon.
Sources: sd_notify(3), sd_watchdog_enabled(3), https://systemd.io/JOURNAL_NATIVE_PROTOCOL/.
"""

import asyncio
import errno
import faulthandler
import fcntl
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Any

JOURNAL_SOCKET = "/run/systemd/journal/socket"
LONGEST_STATUS = 500  # characters
_STATES = frozenset({"READY", "RELOADING", "MONOTONIC_USEC", "STOPPING"})  # a new one makes unsaid ones obsolete


class ServiceState:
    """Tells the service manager how the daemon stands, when one asked for it in ``$NOTIFY_SOCKET``.

    What a full socket refused is said again with the next message. Each method tells whether the message got through;
    without a service manager it did.
    """

    def __init__(self, address: str | None) -> None:
        """Talk to ``address``: a path, ``@`` and an abstract name, or nobody."""
        self._address = _socket_address(address)
        self._owed: dict[str, str] = {}
        self._socket = _datagram_socket() if self._address else None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> "ServiceState":
        """Talk to whom ``$NOTIFY_SOCKET`` names."""
        return cls(environ.get("NOTIFY_SOCKET"))

    @property
    def listening(self) -> bool:
        """Whether a service manager asked to be told."""
        return self._socket is not None

    def ready(self, status: str) -> bool:
        """Say that start-up, or a reload, is finished."""
        return self._enter(READY="1", STATUS=_one_line(status))

    def reloading(self, monotonic: Callable[[], float] = time.monotonic) -> bool:
        """Say that a reload begins; ``ready`` ends it. ``monotonic`` gives CLOCK_MONOTONIC in seconds."""
        return self._enter(RELOADING="1", MONOTONIC_USEC=str(int(monotonic() * 1_000_000)))

    def status(self, text: str) -> bool:
        """Set the line that ``systemctl status`` shows."""
        return self._send(STATUS=_one_line(text))

    def alive(self) -> bool:
        """Satisfy the watchdog for another ``WatchdogSec``."""
        return self._send(WATCHDOG="1")

    def extend(self, seconds: float) -> bool:
        """Ask for ``seconds`` from now before a start or stop counts as timed out."""
        return self._send(EXTEND_TIMEOUT_USEC=str(int(seconds * 1_000_000)))

    def stopping(self, status: str) -> bool:
        """Say that the daemon is on its way out."""
        return self._enter(STOPPING="1", STATUS=_one_line(status))

    def close(self) -> None:
        """Give the socket back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _enter(self, **fields: str) -> bool:
        self._owed = {name: value for name, value in self._owed.items() if name not in _STATES}
        return self._send(**fields)

    def _send(self, **fields: str) -> bool:
        if self._socket is None:
            return True
        self._owed |= fields
        message = "\n".join(f"{name}={value}" for name, value in self._owed.items())
        try:
            self._socket.sendto(message.encode("utf-8", "replace"), self._address)
        except OSError:
            return False
        self._owed.clear()
        return True


def _socket_address(address: str | None) -> str:
    """Translate ``@name`` into an abstract address; other kinds of socket (``vsock:``) are nobody."""
    if not address or address[0] not in "@/":
        return ""
    return "\0" + address[1:] if address[0] == "@" else address


def _datagram_socket() -> socket.socket:
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    unix.setblocking(False)
    return unix


def _one_line(text: str) -> str:
    """Take line ends out: they would begin another assignment."""
    return " ".join(text.split())[:LONGEST_STATUS]


def watchdog_interval(environ: Mapping[str, str] = os.environ, pid: int | None = None) -> float | None:
    """Give the seconds between two signs of life, half of what the watchdog allows; ``None`` when it watches nobody or another."""
    try:
        allowed = int(environ.get("WATCHDOG_USEC", "0"))
        watched = int(environ.get("WATCHDOG_PID", "0"))
    except ValueError:
        return None
    if allowed <= 0 or watched not in {0, os.getpid() if pid is None else pid}:
        return None
    return allowed / 2_000_000


class Progress:
    """Knows which loops have not come round for too long. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._due: dict[str, tuple[float, float]] = {}

    def expect(self, name: str, *, within: float, now: float) -> None:
        """Begin to watch a loop that promises a beat every ``within`` seconds at least."""
        self._due[name] = (within, now + within)

    def beat(self, name: str, now: float) -> None:
        """Note that a loop came round; beats of a loop not watched (any more) are nothing."""
        if name in self._due:
            within, _ = self._due[name]
            self._due[name] = (within, now + within)

    def forget(self, name: str) -> None:
        """Watch a loop no more: it ended on purpose."""
        self._due.pop(name, None)

    def stuck(self, now: float) -> list[str]:
        """Name the loops that are late, in alphabetical order."""
        return sorted(name for name, (_, due) in self._due.items() if now > due)


class JournalSocket:
    """Sends entries to the journal with their fields, as its native protocol wants them."""

    def __init__(self, path: str = JOURNAL_SOCKET) -> None:
        self._path = path
        self._socket = _datagram_socket()
        self.dropped = 0  # entries the journal did not take, since the start

    @classmethod
    def behind_stderr(cls, environ: Mapping[str, str] = os.environ, descriptor: int = 2) -> "JournalSocket | None":
        """Give the journal when standard error leads there: ``$JOURNAL_STREAM`` names its device and inode."""
        try:
            found = os.fstat(descriptor)
        except OSError:
            return None
        return cls() if environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}" else None

    def send(self, fields: Mapping[str, str]) -> bool:
        """Send one entry; False when it was dropped because the journal stands still or is gone."""
        entry = b"".join(_journal_field(name, value) for name, value in fields.items())
        try:
            self._send(entry)
        except OSError:
            self.dropped += 1
            return False
        return True

    def _send(self, entry: bytes) -> None:
        try:
            self._socket.sendto(entry, self._path)
        except OSError as error:
            if error.errno not in {errno.EMSGSIZE, errno.ENOBUFS}:
                raise
            self._send_sealed(entry)

    def _send_sealed(self, entry: bytes) -> None:
        """Send an entry too large for a datagram as a file in memory that nobody can change any more."""
        memory = os.memfd_create("journal-entry", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.truncate(memory, len(entry))
            os.pwrite(memory, entry, 0)
            seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, memory.to_bytes(4, sys.byteorder))
            # Not socket.send_fds: Python 3.11's forgets the address.
            self._socket.sendmsg([], [rights], 0, self._path)
        finally:
            os.close(memory)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()


def _journal_field(name: str, value: str) -> bytes:
    """Write ``NAME=value``; a value with line ends as its name, its length in 64 bits and itself."""
    content = value.encode("utf-8", "backslashreplace")
    if b"\n" not in content:
        return b"%s=%s\n" % (name.encode(), content)
    return b"%s\n%s%s\n" % (name.encode(), len(content).to_bytes(8, "little"), content)


def dump_stacks_when_aborted(descriptor: int = 2) -> None:
    """Let the watchdog's SIGABRT (and every other fatal signal) write the stacks of all threads, then die of it as it would."""
    faulthandler.enable(descriptor, all_threads=True)


def coroutine_stacks() -> str:
    """Write where every coroutine of the running loop waits: faulthandler sees only that the thread waits for a socket."""
    return "\n".join(f"{task.get_name()}: " + " > ".join(_frames(task.get_coro())) for task in asyncio.all_tasks())


def _frames(coroutine: Any) -> Iterator[str]:
    """Walk from the outermost coroutine to the one that waits."""
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        yield f"{PurePath(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"
        coroutine = coroutine.cr_await
