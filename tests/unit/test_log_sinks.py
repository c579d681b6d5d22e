"""Where lines go, and what happens when they can't be written; what Python and libraries say goes there too."""

import contextlib
import io
import json
import logging
import os
import pty
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from notifier.log import log_to
from notifier.secret import redactor
from notifier.telemetry import Fact

SECRET = "canary-of-a-secret"
redact = redactor([SECRET])


@dataclass(frozen=True, slots=True)
class Seen(Fact):
    """A fact with any value."""

    name = "thing.seen"
    value: Any
    label: str | None = None


@pytest.fixture
def pipe() -> Iterator[tuple[int, Any]]:
    """A pipe: the reading end's number and a stream on the writing end."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        yield reader, stream
    with contextlib.suppress(OSError):
        os.close(reader)


def read_all(reader: int) -> str:
    """Take what is in the pipe now."""
    os.set_blocking(reader, False)
    chunks = []
    with contextlib.suppress(BlockingIOError):
        while chunk := os.read(reader, 65_536):
            chunks.append(chunk)
    return b"".join(chunks).decode()


def test_auto_is_logfmt_in_a_pipe(pipe: tuple[int, Any]) -> None:
    """Piped, lines are for programs."""
    log_to(pipe[1], redact=redact)(Seen(1))
    assert read_all(pipe[0]).startswith("timestamp=")


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_auto_is_console_on_a_terminal(environ: Mapping[str, str], coloured: bool) -> None:
    """On a terminal lines are for people, in colour unless that is not wanted."""
    controller, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stream:
        log_to(stream, redact=redact, environ=environ)(Seen(1))
        shown = os.read(controller, 65_536).decode()
    os.close(controller)
    assert "info" in shown
    assert not shown.startswith("timestamp=")
    assert ("\x1b[" in shown) is coloured


def test_a_closed_pipe_is_no_error(pipe: tuple[int, Any]) -> None:
    """The reader may go away; the program goes on and Python has nothing to flush at exit."""
    log = log_to(pipe[1], redact=redact)
    os.close(pipe[0])
    for _ in range(3):
        log(Seen(1))
    pipe[1].flush()


def test_a_closed_stream_is_no_error() -> None:
    """Nor is a stream that is closed."""
    stream = io.StringIO()
    log = log_to(stream, redact=redact)
    stream.close()
    log(Seen(1))
    log_to(stream, redact=redact)(Seen(1))


def test_a_full_disk_is_no_error() -> None:
    """ENOSPC on standard error is survived."""
    with Path("/dev/full").open("w") as stream:
        log_to(stream, redact=redact)(Seen(1))


def test_a_reader_that_stands_still_costs_lines_not_time(pipe: tuple[int, Any]) -> None:
    """A full pipe never blocks; the first line after it tells how many were lost, and stands on a line of its own."""
    reader, stream = pipe
    log = log_to(stream, line_format="json", redact=redact)
    done = threading.Event()

    def write_much() -> None:
        for number in range(500):
            log(Seen("x" * 10_000, str(number)))
        done.set()

    threading.Thread(target=write_much, daemon=True).start()
    assert done.wait(10), "writing to a full pipe blocked"
    before = read_all(reader)
    log(Seen("again"))
    whole = before.count("\n")
    *_, torn, again, dropped = (before + read_all(reader)).splitlines()
    assert before.endswith(torn)
    assert json.loads(again)["value"] == "again"
    assert json.loads(dropped)["event"] == "log.dropped"
    assert json.loads(dropped)["count"] == 500 - whole > 400


def test_lines_the_journal_refuses_are_counted() -> None:
    """The loss is told once, when entries get through again."""
    entries: list[Mapping[str, str]] = []
    standing_still = True

    def journal(entry: Mapping[str, str]) -> bool:
        if not standing_still:
            entries.append(entry)
        return not standing_still

    log = log_to(sys.stderr, redact=redact, journal=journal)
    for _ in range(5):
        log(Seen(1))
    standing_still = False
    log(Seen(2))
    log(Seen(3))
    assert [entry["MESSAGE"] for entry in entries] == [
        "thing.seen value=2",
        "log.dropped count=5",
        "thing.seen value=3",
    ]


# What Python and libraries say


@pytest.fixture
def captured() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """A log that captures; call it for the lines so far."""
    stream = io.StringIO()
    with log_to(stream, line_format="json", redact=redact).captured():
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_libraries_log_through_us(
    captured: Callable[[], list[dict[str, Any]]], caplog: pytest.LogCaptureFixture
) -> None:
    """Warnings and worse become lines of ours, redacted; less is not shown, however talkative a library is."""
    caplog.set_level(logging.DEBUG, "apscheduler.scheduler")
    logging.getLogger("apscheduler.scheduler").info("not this")
    logging.getLogger("apscheduler.scheduler").warning("run of %s missed", SECRET)
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("asyncio").exception("it broke")
    first, second = captured()
    assert (first["level"], first["event"], first["logger"]) == ("warning", "library.logged", "apscheduler.scheduler")
    assert first["message"] == "run of **** missed"
    assert second["level"] == "error"
    assert "ValueError: ****" in second["traceback"]


def test_a_librarys_bad_record_is_shown_as_it_is() -> None:
    """Arguments that do not fit their text are the library's mistake, not our crash."""
    stream = io.StringIO()
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "%d items", ("many",), None)
    log_to(stream, line_format="json", redact=redact).record(record)
    assert json.loads(stream.getvalue())["message"] == "%d items"


def test_python_warnings_go_through_us(captured: Callable[[], list[dict[str, Any]]]) -> None:
    """``warnings`` would print to standard error by itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("odd", stacklevel=1)
    assert "odd" in captured()[0]["message"]


def test_uncaught_exceptions_go_through_us(captured: Callable[[], list[dict[str, Any]]]) -> None:
    """What would end the program is a crash line, what ends a thread an error line, both redacted."""
    error = ValueError(SECRET)
    sys.excepthook(ValueError, error, None)

    def fail() -> None:
        raise ValueError(SECRET)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    crash, ignored = captured()
    assert (crash["event"], crash["level"], crash["error"]) == ("daemon.crashed", "critical", "ValueError: ****")
    assert (ignored["event"], ignored["level"], ignored["error"]) == ("exception.ignored", "error", "ValueError: ****")


def test_capturing_ends() -> None:
    """Everything is as it was afterwards."""
    before = sys.excepthook, threading.excepthook, sys.unraisablehook, logging.getLogger().handlers[:]
    with log_to(io.StringIO(), redact=redact).captured():
        assert sys.excepthook is not before[0]
    assert before == (sys.excepthook, threading.excepthook, sys.unraisablehook, logging.getLogger().handlers[:])
