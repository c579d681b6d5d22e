"""What happened, in words for people; the formats for chats share them.

Every function takes whatever HubSpot sent: each field may be missing, or of a type nobody expected. Of any URL that
stands in a text only scheme and host are kept, for it may be a secret (a signed source, a download that needs no login).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from notifier.model import Event, EventType

Facts = Mapping[str, Any]

NAME = 80  # UTF-16 units of a label, so that a headline of 150 keeps its verb
MESSAGE = 350
CONTEXT = 150
WORD = 120
SHOWN_REASONS = 5
LONGEST_LINK = 1000

# Kinds as they stand inside a sentence.
NOUNS: Mapping[object, str] = {
    "hubspot.file_import": "import",
    "hubspot.folder_update": "folder update",
    "hubspot.crm_export": "export",
    "hubspot.source_extract": "source extraction",
    "hubspot.crm_import": "CRM import",
}

# Kinds whose ``result`` is a file with a lasting address. An export's is a download that works for anybody: never shown.
KINDS_WITH_LINK = frozenset({"hubspot.file_import"})

_URL = re.compile(r"([a-z][a-z0-9+.-]{0,20}://)([\w.-]*)(\S*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Link:
    """An address that may be shown, made of unreserved and reserved ASCII only."""

    url: str
    name: str


def say(value: object, limit: int = WORD) -> str:
    """Write anything on one line of at most ``limit`` UTF-16 units, cut with …, without URLs and invisible characters."""
    text = value if isinstance(value, str) else _spell(value, 3)
    text = _URL.sub(_host_only, text.lstrip()[: 4 * limit])
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return cut(text, limit)


def cut(text: str, limit: int) -> str:
    """Shorten to ``limit`` UTF-16 units, which is how the strictest readers count; a cut text ends with "…"."""
    units = text.encode("utf-16-le", "replace")
    if len(units) <= 2 * limit:
        return text
    return units[: 2 * (limit - 1)].decode("utf-16-le", "ignore").rstrip() + "…"


def _host_only(match: re.Match[str]) -> str:
    scheme, host, rest = match.groups()
    if "@" in rest.split("/")[0]:  # what looked like the host was a user's name
        return f"{scheme}…"
    return f"{scheme}{host}/…" if rest.strip("/") else match[0]


def _spell(value: object, depth: int) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 64 else "…"
    if isinstance(value, float):
        return f"{value:g}"
    return _spell_many(value, depth)


def _spell_many(value: object, depth: int) -> str:
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        return ", ".join(f"{_spell(name, 0)}: {_spell(item, depth - 1)}" for name, item in _first(value.items()))
    if isinstance(value, list | tuple):
        return ", ".join(_spell(item, depth - 1) for item in _first(value))
    return type(value).__name__


def _first(items: Iterable[Any]) -> list[Any]:
    return [item for _, item in zip(range(10), items, strict=False)]


def noun(facts: Facts) -> str:
    """Name the kind of task, as inside a sentence."""
    kind = facts.get("kind")
    return NOUNS.get(kind, "task") if isinstance(kind, str) else "task"


def subject(facts: Facts) -> str:
    """Name the task by its label, else by its id: ``import “Spring catalogue”``."""
    name = say(facts.get("label"), NAME) or say(facts.get("task_id"), NAME)
    return f"{noun(facts)} “{name}”" if name else noun(facts)


def quoted(value: object) -> str:
    """Write a name in quotation marks."""
    return f"“{say(value, NAME)}”"


def headline(event: Event) -> str:
    """Say what happened in one line of at most 150 UTF-16 units."""
    text = _HEADLINES[event.type](event.data)
    return cut(text[0].upper() + text[1:], 150)


def _failed(facts: Facts) -> str:
    count = error_count(facts)
    how_many = f": {count} error{'s' if count > 1 else ''}" if count else ""
    return f"{subject(facts)} failed{how_many}"


_HEADLINES: Mapping[EventType, Callable[[Facts], str]] = {
    EventType.TASK_SUCCEEDED: lambda facts: f"{subject(facts)} finished",
    EventType.TASK_FAILED: _failed,
    EventType.TASK_CANCELED: lambda facts: f"{subject(facts)} was canceled",
    EventType.WATCH_EXPIRED: lambda facts: f"{subject(facts)} was not finished by its deadline",
    EventType.WATCH_LOST: lambda facts: f"HubSpot does not know {subject(facts)}",
    EventType.ACCOUNT_REJECTED: lambda facts: (
        f"HubSpot refuses the credentials of account {quoted(facts.get('account'))}"
    ),
    EventType.ACCOUNT_RESTORED: lambda facts: f"HubSpot accepts account {quoted(facts.get('account'))} again",
    EventType.CALLBACK_DISABLED: lambda facts: f"callback {quoted(facts.get('callback'))} was disabled",
    EventType.DELIVERY_DEAD: lambda facts: f"callback {quoted(facts.get('callback'))} could not be told",
}


def meaning(event: Event) -> str:
    """Say in a sentence or two what it means and what can be done."""
    return _MEANINGS[event.type](event.data)


def _problem(facts: Facts) -> str:
    """Give what was wrong with the last answer, without the word that it is filed under (``timeout_read: …``)."""
    word, _, detail = say(facts.get("problem"), 200).partition(": ")
    return detail or word.replace("_", " ")


def _expired(facts: Facts) -> str:
    status, problem = say(facts.get("status"), 60), _problem(facts)
    word = f" HubSpot's last word was {status}." if status else " HubSpot never told its status."
    return "It is no longer watched." + word + (f" The last answer was no use: {problem}." if problem else "")


def _lost(facts: Facts) -> str:
    problem = _problem(facts)
    return f"HubSpot does not know this {noun(facts)}, however often it was asked. Check its id and its account." + (
        f" Its answer: {problem}" if problem else ""
    )


def _failure(facts: Facts) -> str:
    silence = "" if _errors(facts) else " HubSpot does not say why."
    return f"HubSpot ended it with errors; what it was to bring may be missing or incomplete.{silence}"


def _disabled(facts: Facts) -> str:
    buried = facts.get("buried")
    count = buried if isinstance(buried, int) and not isinstance(buried, bool) and 0 < buried < 1_000_000_000 else 0
    lost = (
        f" {count} message{'s' if count > 1 else ''} for it will not be sent, unless somebody redelivers."
        if count
        else ""
    )
    return "Nothing more is sent to it until somebody enables it." + lost


def _undelivered(facts: Facts) -> str:
    about = facts.get("undelivered")
    told = about if isinstance(about, Mapping) else {}
    what = say(told.get("type"), 60) or "an event"
    name = say(told.get("label"), NAME) or say(told.get("task_id"), NAME)
    return f"It will not be told of {what}{f' for “{name}”' if name else ''}, unless somebody redelivers it."


_MEANINGS: Mapping[EventType, Callable[[Facts], str]] = {
    EventType.TASK_SUCCEEDED: lambda _: "HubSpot reports that it is complete, without errors.",
    EventType.TASK_FAILED: _failure,
    EventType.TASK_CANCELED: lambda _: "Somebody or something canceled it in HubSpot; nothing more will come of it.",
    EventType.WATCH_EXPIRED: _expired,
    EventType.WATCH_LOST: _lost,
    EventType.ACCOUNT_REJECTED: lambda _: "Its tasks can't be watched until somebody mends its credentials or scopes.",
    EventType.ACCOUNT_RESTORED: lambda _: "Its tasks are watched as before.",
    EventType.CALLBACK_DISABLED: _disabled,
    EventType.DELIVERY_DEAD: _undelivered,
}


def error_count(facts: Facts) -> int:
    """Count the errors that HubSpot told of: the number it gave, or the errors themselves where there are more."""
    told = facts.get("num_errors")
    number = told if isinstance(told, int) and not isinstance(told, bool) and 0 < told < 1_000_000_000 else 0
    return max(number, len(_errors(facts)))


def reasons(event: Event, shown: int = SHOWN_REASONS) -> list[str]:
    """Say why a task failed: the first few errors, and how many more there are."""
    if event.type is not EventType.TASK_FAILED:
        return []
    lines = [line for line in map(_reason, _errors(event.data)[:shown]) if line]
    rest = error_count(event.data) - len(lines)
    return [*lines, f"and {rest} more"] if lines and rest > 0 else lines


def _errors(facts: Facts) -> list[object]:
    errors = facts.get("errors")
    return list(errors) if isinstance(errors, list | tuple) else []


def _reason(error: object) -> str:
    if not isinstance(error, Mapping):
        return say(error, MESSAGE)
    context = say(error.get("context"), CONTEXT)
    return _message(error) + (f" ({context})" if context else "")


def _message(error: Facts) -> str:
    """Give an error's own message, else its first cause's, else whatever it holds."""
    causes = error.get("errors")
    cause = causes[0] if isinstance(causes, list | tuple) and causes else None
    candidates = (
        error.get("message"),
        cause.get("message") if isinstance(cause, Mapping) else cause,
        error.get("category"),
        error,
    )
    return next((text for text in (say(candidate, MESSAGE) for candidate in candidates) if text), "error")


def file_link(event: Event) -> Link | None:
    """Give the address of the file that a finished import made, where it has one that may be shown."""
    result, kind = event.data.get("result"), event.data.get("kind")
    if event.type is not EventType.TASK_SUCCEEDED or not isinstance(result, Mapping):
        return None
    if not isinstance(kind, str) or kind not in KINDS_WITH_LINK:
        return None
    access = say(result.get("access"))
    if "PRIVATE" in access or "SENSITIVE" in access:  # such an address opens for nobody as it stands
        return None
    urls = (_showable(result.get(name)) for name in ("url", "defaultHostingUrl"))
    url = next((url for url in urls if url), None)
    return Link(url, say(result.get("name"), NAME) or "Open the file") if url else None


def _showable(url: object) -> str | None:
    if not isinstance(url, str) or len(url) > LONGEST_LINK:
        return None
    safe = quote(url.strip(), safe="%/:?#[]@!$&'()*+,;=~", errors="replace")
    try:
        parts = urlsplit(safe)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or len(safe) > LONGEST_LINK:
        return None
    return safe


def duration(seconds: object) -> str:
    """Write a length of time for people: ``12.4 s``, ``3 min 20 s``, ``2 h 5 min``; nothing when it is not one."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
        return ""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
