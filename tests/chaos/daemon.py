"""The daemon as a program of its own, started as people start it, and its end waited for."""

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import anyio

import notifier

SOURCE = Path(notifier.__file__).parents[1]
NOTIFIER = ("-m", "notifier")


async def until(is_so: Callable[[], bool], what: Callable[[], object] | str, *, timeout: float = 20.0) -> None:
    """Wait until something is so; ``what`` says in the failure what was waited for."""
    with anyio.move_on_after(timeout):
        while not is_so():
            await anyio.sleep(0.01)
        return
    raise AssertionError(f"not within {timeout:g} s: {what() if callable(what) else what}")


def environment(folder: Path, **more: str) -> dict[str, str]:
    """What a program is started with: nothing of the tests' own surroundings."""
    plain = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(SOURCE), "NO_COLOR": "1"}
    return plain | {"PYTHONDONTWRITEBYTECODE": "1"} | more


class Daemon:
    """One run. It tells by systemd's protocol that it is ready; its log goes to ``errors``."""

    def __init__(
        self, config: Path, errors: Path, *, program: Sequence[str] = NOTIFIER, enter: Sequence[str] = ()
    ) -> None:
        """Start ``program``, through the command ``enter`` if any."""
        address = "notifier-chaos-" + secrets.token_hex(8)
        self._notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._notifications.bind("\0" + address)
        self._ready = False
        self._errors = errors
        argv = [*enter, sys.executable, *program, "run", "-c", str(config)]
        with errors.open("wb") as stream:
            self._popen = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                cwd=config.parent,
                env=environment(config.parent, NOTIFY_SOCKET="@" + address),
            )
        self._pidfd = os.pidfd_open(self._popen.pid)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs, minus the signal's number when one killed it."""
        return self._popen.poll()

    @property
    def log(self) -> str:
        """What it wrote, on stdout and stderr."""
        return self._errors.read_text("utf-8", "replace")

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        self._popen.send_signal(number)

    def kill(self) -> None:
        """Kill it as a power cut would: no chance to do anything."""
        self.send(signal.SIGKILL)

    async def ready(self, timeout: float = 20.0) -> None:
        """Wait until it says that it is ready."""
        await self.ready_or_ended(timeout)
        assert self._ready, f"it ended by itself with {self.code}:\n{self.log[-3000:]}"

    async def ready_or_ended(self, timeout: float = 20.0) -> None:
        """Wait until it is ready or could not be."""
        await until(lambda: self._has_told_ready() or self.code is not None, lambda: self.log, timeout=timeout)

    def _has_told_ready(self) -> bool:
        """Tell whether it said that it is ready."""
        while not self._ready:
            try:
                self._ready = b"READY=1" in self._notifications.recv(4096).splitlines()
            except BlockingIOError:
                break
        return self._ready

    async def ended(self, timeout: float = 30.0) -> int:
        """Wait for its end and give the exit code."""
        with anyio.move_on_after(timeout):
            while self.code is None:
                await anyio.wait_readable(self._pidfd)
        assert self.code is not None, f"still running after {timeout:g} s:\n{self.log[-3000:]}"
        return self.code

    async def stop(self, number: signal.Signals = signal.SIGTERM, *, timeout: float = 30.0) -> int:
        """Ask it to stop and give the exit code."""
        self.send(number)
        return await self.ended(timeout)

    def close(self) -> None:
        """Leave nothing behind."""
        self.send(signal.SIGKILL)
        self._popen.wait()
        os.close(self._pidfd)
        self._notifications.close()


@contextmanager
def closing_all() -> Iterator[list[Daemon]]:
    """Keep the daemons of a test and leave none running."""
    daemons: list[Daemon] = []
    try:
        yield daemons
    finally:
        for daemon in daemons:
            daemon.close()
