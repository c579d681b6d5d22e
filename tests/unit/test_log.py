"""Lines: their layouts, their redaction, and what happens when they can't be written."""

import contextlib
import io
import json
import logging
import os
import pty
import sys
import threading
import timeit
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.log import Log, log_to
from notifier.log.layouts import LONGEST_TEXT
from notifier.model import Outcome
from notifier.secret import Secret, redactor
from notifier.telemetry import Fact, crashed

SECRET = "canary-of-a-secret"
redact = redactor([SECRET])


@dataclass(frozen=True, slots=True)
class Seen(Fact):
    """A fact with any value."""

    name = "thing.seen"
    value: Any
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Whispered(Fact):
    """A fact for debugging, with fields named as a line's own."""

    name = "thing.whispered"
    level = "debug"
    event: str = "mine"
    level_: str = "also mine"
    timestamp: str = "my own"


def line_of(fact: Fact, line_format: Any = "json", **options: Any) -> str:
    """Give the text that ``fact`` becomes."""
    stream = io.StringIO()
    log_to(stream, line_format=line_format, redact=redact, now=lambda: 1763752083.1234, **options)(fact)
    return stream.getvalue()


def entry_of(fact: Fact, line_format: Any = "auto") -> Mapping[str, str]:
    """Give the journal entry that ``fact`` becomes."""
    entries: list[Mapping[str, str]] = []
    log_to(sys.stderr, line_format=line_format, redact=redact, journal=lambda entry: not entries.append(entry))(fact)
    return entries[0]


def test_json() -> None:
    """One object a line; empty fields are left out, the time is UTC with milliseconds."""
    line = line_of(Seen(1))
    assert line == '{"timestamp":"2025-11-21T19:08:03.123Z","level":"info","event":"thing.seen","value":1}\n'


def test_logfmt() -> None:
    """Texts with spaces are quoted, line ends stay on the line, booleans are words."""
    assert line_of(Seen("a b\nc", "x"), "logfmt").endswith('event=thing.seen value="a b\\nc" label=x\n')
    assert line_of(Seen(True), "logfmt").endswith("value=true\n")
    assert line_of(Seen([1, 2]), "logfmt").endswith("value=[1,2]\n")


def test_console_without_a_terminal_has_no_colour() -> None:
    """The format for people stays plain in a pipe."""
    assert line_of(Seen("x"), "console") == "2025-11-21T19:08:03.123Z [info     ] thing.seen             value=x\n"


def test_console_shows_a_traceback_below_its_line() -> None:
    """A crash reads as Python tells it."""
    text = line_of(crashed(ValueError("no")), "console")
    assert "error='ValueError: no'" in text.splitlines()[0]
    assert text.splitlines()[-1] == "ValueError: no"


@pytest.mark.parametrize("line_format", ["logfmt", "console"])
@pytest.mark.parametrize("hostile", ["\x1b[2J", "a\nlevel=error", "a\r\nb", "\x9b31m", "\u2028", "\x00"])
def test_a_text_can_not_leave_its_line(line_format: str, hostile: str) -> None:
    """Texts of others begin no line of their own and send a terminal no orders."""
    line = line_of(Seen(hostile), line_format)
    assert len(line.splitlines()) == 1
    assert line.rstrip("\n").isprintable()


def test_values_become_plain() -> None:
    """Anything can stand in a fact."""

    class Number(IntEnum):
        SEVEN = 7

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    given_and_expected: list[tuple[Any, Any]] = [
        (Outcome.FAILED, "failed"),
        (Number.SEVEN, 7),
        (0.1 + 0.2, 0.3),
        (float("inf"), "inf"),
        (Secret("hunter22"), "****"),
        ((1, "a"), [1, "a"]),
        ({"a": {"b": [None]}}, {"a": {"b": [None]}}),
        (Broken(), "<Broken that can't be printed>"),
        ({1: b"x"}, {"1": "b'x'"}),
    ]
    for value, expected in given_and_expected:
        assert json.loads(line_of(Seen(value)))["value"] == expected


def test_endless_nesting_ends() -> None:
    """A list that holds itself is cut, not followed for ever."""
    endless: list[Any] = []
    endless.append(endless)
    assert json.loads(line_of(Seen(endless)))["value"] == [[[["[[...]]"]]]]


def test_long_texts_are_cut_after_redaction() -> None:
    """A text is bounded, and no half of a secret stays at the cut."""
    value = json.loads(line_of(Seen("x" * (LONGEST_TEXT - 5) + SECRET * 2)))["value"]
    assert len(value) == LONGEST_TEXT + 1
    assert "canar" not in value


def test_fields_named_like_the_lines_own() -> None:
    """A fact can't change a line's time, level or name."""
    line = json.loads(line_of(Whispered(), level="debug"))
    assert (line["level"], line["event"]) == ("debug", "thing.whispered")
    assert (line["event_"], line["level_"], line["timestamp_"]) == ("mine", "also mine", "my own")


@pytest.mark.parametrize("line_format", ["json", "logfmt", "console"])
@pytest.mark.parametrize(
    "value", [SECRET, f"Bearer {SECRET}", [SECRET], {"a": {SECRET: SECRET}}, ValueError(SECRET), SECRET.encode()]
)
def test_no_secret_in_a_line(line_format: str, value: Any) -> None:
    """Whatever a fact holds, the secret is masked."""
    assert SECRET not in (line := line_of(Seen(value), line_format))
    assert "****" in line
    assert SECRET not in str(entry_of(Seen(value)))


@pytest.mark.parametrize("line_format", ["json", "logfmt", "console"])
def test_no_secret_in_a_traceback(line_format: str) -> None:
    """Messages and shown source lines are masked too."""
    try:
        raise ValueError("canary-of-a-secret")
    except ValueError as error:
        fact = crashed(error)
    assert SECRET in fact.traceback
    assert SECRET not in line_of(fact, line_format)


@given(st.text(), st.text())
def test_any_text_gives_one_json_line(value: str, label: str) -> None:
    """Every text comes back from JSON as it was (half characters escaped)."""
    line = line_of(Seen(value, label))
    assert line.count("\n") == 1
    assert json.loads(line)["value"] == value


def test_journal_entry() -> None:
    """Every field has its own name; the message is for people."""
    assert entry_of(Seen([1, "a"], "two words")) == {
        "MESSAGE": r'thing.seen value="[1,\"a\"]" label="two words"',
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "notifier",
        "NOTIFIER_EVENT": "thing.seen",
        "NOTIFIER_VALUE": '[1,"a"]',
        "NOTIFIER_LABEL": "two words",
    }


def test_journal_entry_in_another_format() -> None:
    """A format asked for becomes the message; priority and name can still be asked for."""
    entry = entry_of(Seen(1), "json")
    assert json.loads(entry["MESSAGE"])["value"] == 1
    assert set(entry) == {"MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "NOTIFIER_EVENT"}


def test_level() -> None:
    """Lines below the level are not written."""
    assert line_of(Whispered()) == ""
    assert line_of(Whispered(), level="debug") != ""
    assert line_of(Seen(1), level="warning") == ""


# Where lines go


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


@pytest.mark.parametrize("line_format", ["json", "logfmt", "console"])
def test_a_line_is_cheap(line_format: Any) -> None:
    """A line costs at most some 60 µs, so that a thousand attempts a second can each have one."""
    with Path(os.devnull).open("w") as stream:
        log: Log = log_to(stream, line_format=line_format, redact=redactor([f"{SECRET}-{n}" for n in range(20)]))
        fact = Seen("a text of usual length, with blanks", "dlv_abcdefghijklmnopqrstuvwxyz")
        best = min(timeit.repeat(lambda: log(fact), number=500, repeat=8)) / 500
    assert best < 60e-6
