"""A real systemd as process 1 of private namespaces, over a copy-on-write view of this machine. Linux, as root.

It boots in under a second with util-linux and the installed systemd alone, keeps everything in memory, and leaves
nothing behind: the shell scripts in ``machine/`` say how. Its network is a loopback of its own.
"""

import contextlib
import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

SCRIPTS = Path(__file__).parent / "machine"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TOOLS = ("bash", "hostname", "mount", "nsenter", "pivot_root", "setpriv", "systemctl", "unshare")
FILE_SYSTEMS = ("cgroup2", "overlay", "tmpfs")

# The steps most often forbidden (containers, hardened kernels), tried where they change nothing.
PROBE = """
set -e
mount -t tmpfs tmpfs "$1"; cd "$1"; mkdir upper work root cgroups
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" root
mount -t cgroup2 cgroup2 cgroups
own=$(sed -n 's/^0:://p' /proc/self/cgroup); probe="cgroups${own%/}/${1##*/}"; mkdir "$probe"; rmdir "$probe"
"""


class UnbootableError(Exception):
    """A systemd can't be booted here; the message is one line that says why."""


def preflight() -> None:
    """Find out whether a machine can be booted.

    :raises UnbootableError: when not.
    """
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        raise UnbootableError("needs Linux and root")
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise UnbootableError(f"not installed: {', '.join(missing)}")
    if not Path("/lib/systemd/systemd").exists():
        raise UnbootableError("no /lib/systemd/systemd")
    known = Path("/proc/filesystems").read_text().split()
    if missing := [name for name in FILE_SYSTEMS if name not in known and not _load_module(name)]:
        raise UnbootableError(f"the kernel has no {', '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="nsmachine-probe-") as folder:
        tried = subprocess.run(
            [*_unshare(), "bash", "-c", PROBE, "probe", folder], capture_output=True, text=True, check=False, timeout=20
        )
    if tried.returncode:
        raise UnbootableError("namespaces are not permitted: " + (tried.stderr.strip().splitlines() or ["?"])[0])


def _load_module(name: str) -> bool:
    return (
        shutil.which("modprobe") is not None
        and subprocess.run(["modprobe", name], capture_output=True, check=False).returncode == 0
    )


def _unshare() -> list[str]:
    return ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--uts", "--ipc", "--net"]


class Machine:
    """One booted systemd; a context manager. ``binds`` maps places inside to files and folders outside, read-only there."""

    def __init__(self, binds: Mapping[str, Path], *, boot_deadline: float = 30) -> None:
        self._binds = binds
        self._boot_deadline = boot_deadline
        self._console = bytearray()
        self._clean_ups = contextlib.ExitStack()
        self._pid = 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as clean_ups:
            folder = Path(clean_ups.enter_context(tempfile.TemporaryDirectory(prefix="nsmachine-")))
            supervisor = self._supervise(folder)
            clean_ups.callback(self._kill, supervisor)
            self._wait_for_boot(supervisor, folder / "pid")
            self._clean_ups = clean_ups.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._clean_ups.close()

    def run(self, *argv: str, check: bool = True, timeout: float = 30) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root."""
        enter = ["nsenter", "-t", str(self._pid), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w"]
        environment = [f"PATH={PATH}", "LANG=C.UTF-8", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0", "NO_COLOR=1"]
        done = subprocess.run(
            [*enter, "env", "-i", *environment, *argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout,
        )
        if check and done.returncode:
            raise AssertionError(f"{argv} exited {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def systemctl(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ``systemctl`` inside."""
        return self.run("systemctl", *argv, check=check)

    def start(self, unit: str) -> None:
        """Start a unit and wait until it is ready; a failure shows what it said."""
        if self.systemctl("start", unit, check=False).returncode:
            self.run("journalctl", "--sync")
            raise AssertionError(self.describe(unit))

    def path(self, inside: str) -> Path:
        """Give the path, outside, of a file inside; it follows no absolute symlinks of the inside."""
        return Path(f"/proc/{self._pid}/root{inside}")

    def write(self, inside: str, content: str, mode: int = 0o644) -> None:
        """Write a file inside."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)

    def install(self, unit: str, text: str) -> None:
        """Write a unit file, or a drop-in (``x.service.d/y.conf``), and make systemd read it."""
        self.write(f"/etc/systemd/system/{unit}", text)
        self.systemctl("daemon-reload")

    def show(self, unit: str, *names: str) -> dict[str, str]:
        """Give a unit's properties, as ``systemctl show`` writes them."""
        lines = self.systemctl("show", unit, "-p", ",".join(names)).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines)

    def main_pid(self, unit: str) -> int:
        """Give the id, inside, of a unit's main process."""
        return int(self.show(unit, "MainPID")["MainPID"])

    def wait_for(self, unit: str, *, deadline: float = 15, **wanted: str) -> None:
        """Wait until a unit's properties are as wanted."""
        found: dict[str, str] = {}

        def reached() -> bool:
            found.update(self.show(unit, *wanted))
            return found == wanted

        self.until(reached, lambda: f"{unit}: wanted {wanted}, found {found}\n{self.describe(unit)}", deadline=deadline)

    def until(self, condition: Callable[[], bool], complaint: Callable[[], str], *, deadline: float = 15) -> None:
        """Wait until ``condition`` holds; ``complaint`` explains a failure."""
        end = time.monotonic() + deadline
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(complaint())
            time.sleep(0.05)

    def describe(self, unit: str) -> str:
        """Give what ``systemctl status`` shows."""
        return self.systemctl("status", unit, "--no-pager", "-l", "-n", "40", check=False).stdout

    def journal(self, *matches: str) -> list[dict[str, Any]]:
        """Give the journal's entries, oldest first, that match (``FIELD=value`` or ``--unit=…``)."""
        self.run("journalctl", "--sync")
        lines = self.run("journalctl", "-b", "-o", "json", "--all", "--no-pager", *matches).stdout.splitlines()
        return [json.loads(line) for line in lines]

    # Booting

    def _supervise(self, folder: Path) -> "subprocess.Popen[bytes]":
        (folder / "place").mkdir()
        terminal, console = pty.openpty()
        threading.Thread(target=self._read_console, args=(terminal,), daemon=True).start()
        environment = {
            **os.environ,
            "NAME": folder.name,
            "PID_FILE": str(folder / "pid"),
            "CONSOLE": os.ttyname(console),
            "BINDS": "\n".join(f"{source}\t{inside}" for inside, source in self._binds.items()),
        }
        # Killed with the test run, however that ends: the parent's death is a signal too.
        argv = ["setpriv", "--pdeathsig", "TERM", "unshare", "--mount", "--propagation", "private"]
        try:
            return subprocess.Popen(
                [*argv, "bash", str(SCRIPTS / "supervise.sh"), str(folder / "place")],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=console,
                env=environment,
                start_new_session=True,
            )
        finally:
            os.close(console)

    def _read_console(self, terminal: int) -> None:
        with contextlib.suppress(OSError), open(terminal, "rb", buffering=0) as reader:
            while chunk := reader.read(65_536):
                self._console += chunk

    def _wait_for_boot(self, supervisor: "subprocess.Popen[bytes]", pid_file: Path) -> None:
        def booted() -> bool:
            if supervisor.poll() is not None:
                raise AssertionError(self._tell_console("the machine died while it booted"))
            return next(stages, "done") == "done"

        stages = self._stages(pid_file)
        self.until(booted, lambda: self._tell_console("the machine did not boot"), deadline=self._boot_deadline)

    def _stages(self, pid_file: Path) -> Iterator[str]:
        while not pid_file.exists():
            yield "waiting for the process"
        self._pid = int(pid_file.read_text())
        while not self.path("/run/systemd/private").exists():
            yield "waiting for systemd"
        while self.systemctl("is-system-running", check=False).stdout.strip() not in {"running", "degraded"}:
            yield "waiting for its units"

    def _tell_console(self, what: str) -> str:
        return f"{what}:\n{self._console.decode(errors='replace')}"

    def _kill(self, supervisor: "subprocess.Popen[bytes]") -> None:
        """End the machine (its process 1 takes all others with it) and wait until its supervisor has tidied up."""
        supervisor.terminate()
        try:
            supervisor.wait(20)
        except subprocess.TimeoutExpired:
            supervisor.kill()
            supervisor.wait(5)
