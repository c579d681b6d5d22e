"""What lines look like: JSON, logfmt, for people, or as fields of the journal."""

import functools
import json
import math
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Literal

import structlog

from notifier.clock import iso
from notifier.telemetry import printed

LogFormat = Literal["auto", "json", "logfmt", "console"]
Line = MutableMapping[str, Any]
Entry = tuple[tuple[dict[str, str]], dict[str, Any]]  # as structlog passes it on: arguments for the sink

LONGEST_TEXT = 32_768  # characters of one field; HubSpot and receivers decide how long their texts are
_DEEPEST = 4  # levels of nesting kept as such; deeper ones are printed
PRIORITIES = {"debug": "7", "info": "6", "warning": "4", "error": "3", "critical": "2"}  # syslog(3)


class Arrange:
    """Puts the fields in order and makes every value plain and redacted."""

    def __init__(self, redact: Callable[[str], str], now: Callable[[], float]) -> None:
        self._redact = redact
        self._now = now

    def __call__(self, _logger: Any, level: str, line: Line) -> Line:
        """Give the line: the same first keys, then the fact's own."""
        plain = {key: self._plain(value) for key, value in line["fields"].items()}
        return {"timestamp": iso(self._now()), "level": level, "event": line["event"], **plain}

    def _plain(self, value: Any, depth: int = 0) -> Any:
        """Turn a value into what JSON knows; texts are redacted before they are cut, lest half a secret stays."""
        if isinstance(value, str):
            return self._text(str(value))
        if isinstance(value, int):
            return value if isinstance(value, bool) else int(value)
        if isinstance(value, float) and math.isfinite(value):
            return round(float(value), 6)
        if isinstance(value, Mapping) and depth < _DEEPEST:
            return {self._text(printed(key)): self._plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)) and depth < _DEEPEST:
            return [self._plain(item, depth + 1) for item in value]
        return None if value is None else self._text(printed(value))

    def _text(self, text: str) -> str:
        text = self._redact(text)
        return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


# Control characters, as Python writes them. Line ends and tabs are left to each layout.
_ESCAPED = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
_ESCAPED |= {0x2028: "\\u2028", 0x2029: "\\u2029"}
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_to_logfmt = structlog.processors.LogfmtRenderer(bool_as_flag=False)


def layout(line_format: LogFormat, *, coloured: bool) -> structlog.typing.Processor:
    """Give the renderer of a format other than ``auto``."""
    if line_format == "json":
        return lambda _logger, _level, line: _to_json(line)
    if line_format == "logfmt":
        return lambda _logger, _level, line: _logfmt(line)
    console = structlog.dev.ConsoleRenderer(colors=coloured, sort_keys=False, pad_event_to=22)
    return functools.partial(_console, console)


def _logfmt(line: Mapping[str, Any]) -> str:
    return str(_to_logfmt(None, "", {key: _flat(value) for key, value in line.items()}))


def _console(render: structlog.dev.ConsoleRenderer, logger: Any, level: str, line: Line) -> str:
    fields = {key: _flat(value) for key, value in line.items()}
    trace = fields.pop("traceback", None)
    if trace is not None:
        fields["exception"] = trace.rstrip("\n")  # the key that structlog prints below the line
    return str(render(logger, level, fields))


def _flat(value: Any) -> Any:
    """Make a value fit one line, and harmless to a terminal: others wrote some of these texts."""
    if isinstance(value, (dict, list)):
        value = _to_json(value)
    if isinstance(value, str) and not value.isprintable():
        return value.translate(_ESCAPED)
    return value


def journal_fields(_logger: Any, _level: str, line: Line) -> Entry:
    """Give each field its own name in the journal, and people one readable message (a traceback below it)."""
    fields = {key: value for key, value in line.items() if key not in {"timestamp", "level", "event", "traceback"}}
    message = f"{line['event']} {_logfmt(fields)}".rstrip()
    if "traceback" in line:
        message += "\n" + line["traceback"].rstrip("\n")
    named = {_journal_name(key): value if isinstance(value, str) else _to_json(value) for key, value in fields.items()}
    return _entry(line, message, named)


def journal_text(render: structlog.typing.Processor, logger: Any, level: str, line: Line) -> Entry:
    """Put a rendered line into the journal as its message."""
    return _entry(line, str(render(logger, level, line)), {})


def _entry(line: Line, message: str, fields: Mapping[str, str]) -> Entry:
    entry = {
        "MESSAGE": message,
        "PRIORITY": PRIORITIES[line["level"]],
        "SYSLOG_IDENTIFIER": "notifier",
        "NOTIFIER_EVENT": line["event"],
    }
    return ({**entry, **fields},), {}


@functools.cache
def _journal_name(key: str) -> str:
    """Name a journal field: ``task_id`` → ``NOTIFIER_TASK_ID``."""
    return "NOTIFIER_" + "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in key).upper()
