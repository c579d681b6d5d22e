"""The log: facts as lines of JSON, logfmt or for people, or as fields of the journal.

A line holds its fact's non-empty fields, all texts of which pass the redactor last. Logging never raises and never waits
long: a line that can't be written is counted, and the count is told when lines get through again.
"""

import dataclasses
import functools
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, TextIO

import structlog

from notifier.log.layouts import PRIORITIES, Arrange, LogFormat, journal_fields, journal_text, layout
from notifier.log.sinks import Journal, JournalSink, Sink, StreamSink
from notifier.telemetry import Fact, crashed, printed

LogLevel = Literal["debug", "info", "warning", "error", "critical"]


class Log:
    """Writes facts as lines, and what libraries log and nobody caught with them. Made by ``log_to``; a ``Report``."""

    def __init__(self, sink: Sink, arrange: Arrange, render: structlog.typing.Processor, *, level: LogLevel) -> None:
        self._sink = sink
        self._level = level
        logger = structlog.wrap_logger(
            sink, processors=[arrange, render], wrapper_class=structlog.make_filtering_bound_logger(level)
        ).bind()
        self._write = {level: getattr(logger, level) for level in PRIORITIES}

    def __call__(self, fact: Fact) -> None:
        """Write ``fact`` as one line of its non-empty fields."""
        kind: Any = type(fact)  # mypy takes the instances' __hash__ for the class's
        fields = {}
        for attribute, key in _fields_of(kind):
            value = getattr(fact, attribute)
            if value is not None:
                fields[key] = value
        self._line(fact.level, fact.name, fields)

    def record(self, record: logging.LogRecord) -> None:
        """Write what a library logged."""
        fields = {"logger": record.name, "message": _message(record)}
        if record.exc_info and record.exc_info[1]:
            fields["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))
        self._line(_level_of(record.levelno), "library.logged", fields)

    @contextmanager
    def captured(self) -> Iterator[None]:
        """Take over, while it lasts, what Python would print by itself: library logs (from warning up), ``warnings``, uncaught exceptions.

        Python prints those as they are; this log redacts them.
        """
        reader = _LibraryReader(self, max(logging.WARNING, logging.getLevelNamesMapping()[self._level.upper()]))
        hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
        logging.getLogger().addHandler(reader)
        logging.captureWarnings(True)
        sys.excepthook = lambda _kind, error, _trace: self(crashed(error))
        threading.excepthook = lambda hook: self._ignored(hook.exc_value)
        sys.unraisablehook = lambda hook: self._ignored(hook.exc_value)
        try:
            yield
        finally:
            sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
            logging.captureWarnings(False)
            logging.getLogger().removeHandler(reader)

    def _ignored(self, error: BaseException | None) -> None:
        """Tell of an exception that ends a thread, or nothing at all (one raised in ``__del__``)."""
        if error is not None and not isinstance(error, SystemExit):
            fact = crashed(error)
            self._line("error", "exception.ignored", {"error": fact.error, "traceback": fact.traceback})

    def _line(self, level: str, event: str, fields: Mapping[str, Any]) -> None:
        self._write[level](event, fields=fields)
        if self._sink.missed and self._sink.working:
            self._confess(self._sink.missed)

    def _confess(self, count: int) -> None:
        """Say how many lines were lost, now that lines get through again."""
        self._sink.missed = 0
        self._write["warning"]("log.dropped", fields={"count": count})
        if not self._sink.working:
            self._sink.missed = count


def log_to(
    stream: TextIO,
    *,
    level: LogLevel = "info",
    line_format: LogFormat = "auto",
    redact: Callable[[str], str],
    journal: Journal | None = None,
    environ: Mapping[str, str] = os.environ,
    now: Callable[[], float] = time.time,
) -> Log:
    """Make the log.

    With ``journal`` every line becomes an entry of it and ``stream`` is left alone: ``auto`` gives each field its own
    journal field, the other formats are the text of the entry. Without, ``auto`` is ``console`` on a terminal (coloured
    unless ``NO_COLOR`` is set) and ``logfmt`` elsewhere. ``now`` gives unix seconds.
    """
    arrange = Arrange(redact, now)
    if journal is not None:
        return Log(JournalSink(journal), arrange, _journal_layout(line_format), level=level)
    terminal = _is_terminal(stream)
    chosen: LogFormat = ("console" if terminal else "logfmt") if line_format == "auto" else line_format
    coloured = terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return Log(StreamSink(stream), arrange, layout(chosen, coloured=coloured), level=level)


def _journal_layout(line_format: LogFormat) -> structlog.typing.Processor:
    if line_format == "auto":
        return journal_fields
    return functools.partial(journal_text, layout(line_format, coloured=False))


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


@functools.cache
def _fields_of(kind: type[Any]) -> tuple[tuple[str, str], ...]:
    """Give the (attribute, key) pairs of a class of facts; a key that every line has already gets an underscore."""
    names = (field.name for field in dataclasses.fields(kind))
    return tuple((name, name + "_" if name in {"timestamp", "level", "event"} else name) for name in names)


class _LibraryReader(logging.Handler):
    """Brings the records of ``logging`` to the log."""

    def __init__(self, log: Log, level: int) -> None:
        super().__init__(level)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.record(record)


def _message(record: logging.LogRecord) -> str:
    """Format a record; one whose arguments do not fit is shown as it was written."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # the library's mistake, and its text may still tell something
        return printed(record.msg)


def _level_of(number: int) -> LogLevel:
    """Map logging's numbers, which libraries may invent, to our words."""
    if number >= logging.CRITICAL:
        return "critical"
    if number >= logging.ERROR:
        return "error"
    return "warning" if number >= logging.WARNING else "info" if number >= logging.INFO else "debug"
