"""Lines: their layouts and their redaction."""

import io
import json
import os
import sys
import timeit
from collections.abc import Mapping
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


@pytest.mark.parametrize("line_format", ["json", "logfmt", "console"])
def test_a_line_is_cheap(line_format: Any) -> None:
    """A line costs at most some 60 µs, so that a thousand attempts a second can each have one."""
    with Path(os.devnull).open("w") as stream:
        log: Log = log_to(stream, line_format=line_format, redact=redactor([f"{SECRET}-{n}" for n in range(20)]))
        fact = Seen("a text of usual length, with blanks", "dlv_abcdefghijklmnopqrstuvwxyz")
        best = min(timeit.repeat(lambda: log(fact), number=500, repeat=8)) / 500
    assert best < 60e-6
