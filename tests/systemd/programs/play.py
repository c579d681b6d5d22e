"""A daemon that plays the part its argument names, to see what systemd makes of ``notifier.systemd`` and ``notifier.log``."""

import asyncio
import signal
import sys
import time
from dataclasses import dataclass

from notifier.log import Log, log_to
from notifier.secret import redactor
from notifier.systemd import JournalSocket, ServiceState, dump_stacks_when_aborted, watchdog_interval
from notifier.telemetry import Fact, crashed

SECRET = "canary-of-a-secret"


@dataclass(frozen=True, slots=True)
class Noted(Fact):
    """Something to see in the journal."""

    name = "program.noted"
    level = "warning"

    task_id: str
    text: str
    count: int | None = None


def get_ready_and_reload(state: ServiceState, _log: Log) -> None:
    """Become ready at SIGUSR1, reload at SIGHUP (done at the next SIGUSR1), stop at SIGTERM."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    state.status("starting")
    signal.sigwait({signal.SIGUSR1})
    state.ready("prêt — 2 watches")
    signal.sigwait({signal.SIGHUP})
    state.reloading()
    signal.sigwait({signal.SIGUSR1})
    state.ready("reloaded")
    signal.pause()


def fill_the_journal(state: ServiceState, log: Log) -> None:
    """Log ordinary, long, odd and secret texts."""
    log(Noted("plain", "text", 1))
    log(Noted("forged", "line\nPRIORITY=0\nMESSAGE=forged \udc80 ü"))
    log(Noted("secret", f"Bearer {SECRET}"))
    try:
        raise ValueError(f"{SECRET} in an error")
    except ValueError as error:
        log(crashed(error))
    JournalSocket().send(
        {"MESSAGE": "large\n" + "x" * 700_000, "NOTIFIER_EVENT": "program.noted", "NOTIFIER_TASK_ID": "large"}
    )
    state.ready("filled")
    signal.sigwait({signal.SIGTERM})


def log_without_end(state: ServiceState, log: Log) -> None:
    """Log far more than the journal's queue holds and satisfy the watchdog; the status counts the rounds."""
    interval = watchdog_interval()
    assert interval is not None
    state.ready("round 0")
    rounds = 0
    while not signal.sigtimedwait({signal.SIGTERM}, interval / 5):
        rounds += 1
        for _ in range(1000):
            log(Noted("noise", "x" * 100, rounds))
        state.alive()
        state.status(f"round {rounds}")


def get_stuck(state: ServiceState, _log: Log) -> None:
    """Block the event loop for ever, once it has become ready."""

    async def block_the_loop_here() -> None:
        state.ready("stuck")
        while True:
            time.sleep(1)

    asyncio.run(block_the_loop_here())


PARTS = {part.__name__: part for part in (get_ready_and_reload, fill_the_journal, log_without_end, get_stuck)}


def main() -> None:
    """Play."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGHUP, signal.SIGTERM})
    dump_stacks_when_aborted()
    journal = JournalSocket.behind_stderr()
    assert journal is not None, "standard error is not the journal"
    log = log_to(sys.stderr, redact=redactor([SECRET]), journal=journal.send)
    PARTS[sys.argv[1]](ServiceState.from_environ(), log)


main()
