"""``notifier run``: the daemon in the foreground, as systemd wants it."""

import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager

import anyio
import click

from notifier.app import Daemon, Surroundings
from notifier.cli.output import config_option
from notifier.cli.session import expected_error
from notifier.config import Loaded, find, load
from notifier.facts import ConfigDoubtful
from notifier.log import Log, log_to
from notifier.secret import redactor
from notifier.systemd import JournalSocket, ServiceState, dump_stacks_when_aborted, watchdog_interval
from notifier.telemetry import Telemetry, crashed

# After a drain, and after a second signal, the process ends within so many seconds, whatever a thread of it is stuck in.
THREAD_PATIENCE = 2.0

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@click.command()
@config_option
def run(config_path: str | None) -> None:
    """Watch the tasks of the configuration and tell the callbacks, until SIGTERM or Ctrl-C.

    A second signal stops at once; what is then in flight is sent again by the next run, under the same id.
    """
    dump_stacks_when_aborted()
    loaded = load(find(config_path, os.environ), os.environ)
    with _log(loaded) as log, closing(ServiceState.from_environ()) as service:
        sys.exit(_run(loaded, Telemetry(log), service))


@contextmanager
def _log(loaded: Loaded) -> Iterator[Log]:
    settings = loaded.settings
    journal = JournalSocket.behind_stderr()
    log = log_to(
        sys.stderr,
        level=settings.log.level,
        line_format=settings.log.format,
        redact=redactor(settings.secret_values()),
        journal=journal.send if journal else None,
    )
    with log.captured():
        yield log


def _run(loaded: Loaded, report: Telemetry, service: ServiceState) -> int:
    for warning in loaded.warnings:
        report(ConfigDoubtful(warning.message, warning.path or None, warning.line, warning.hint))
    surroundings = Surroundings(
        report=report,
        service=service,
        watchdog_interval=watchdog_interval(),
        config_path=str(loaded.path),
        config_warnings=len(loaded.warnings),
    )
    try:
        return anyio.run(run_until_signalled, Daemon(loaded.settings, surroundings))
    except KeyboardInterrupt:  # Ctrl-C before the signals are listened for
        return 128 + signal.SIGINT
    except BaseException as error:  # noqa: BLE001  # groups wrap everything; what is not ours is logged and ends the process
        if (expected := expected_error(error)) is not None:
            raise expected from None
        report(crashed(error))
        return 1


async def run_until_signalled(daemon: Daemon) -> int:
    """Run the daemon; gives the exit code: 0 after a drain, 128 + the signal's number after a second signal."""
    stopping, code = anyio.Event(), 0
    with anyio.open_signal_receiver(*SIGNALS) as signals:
        async with anyio.create_task_group() as group:

            async def watch_signals() -> None:
                nonlocal code
                await _next_signal(signals)
                stopping.set()
                second = await _next_signal(signals)
                code = 128 + second
                _end_without_fail(code)
                group.cancel_scope.cancel()

            group.start_soon(watch_signals)
            await daemon.run(stopping)
            _end_without_fail(code)  # a name server that hangs keeps a thread, and all is done
            group.cancel_scope.cancel()
    return code


async def _next_signal(signals: AsyncIterator[signal.Signals]) -> signal.Signals:
    """Wait for a signal to stop. A hang-up is one on a terminal that went; elsewhere it asks for what there is not yet."""
    async for received in signals:
        if received != signal.SIGHUP or sys.stderr.isatty():
            return received
    raise AssertionError("the receiver of signals never ends")


def _end_without_fail(code: int) -> None:
    timer = threading.Timer(THREAD_PATIENCE, os._exit, (code,))
    timer.daemon = True
    timer.start()
