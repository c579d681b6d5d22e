"""The payload: an event as JSON that fits, for every format that sends the facts themselves.

JSON is compact ASCII. A document of more than ``LARGEST_BODY`` bytes loses ``response``, then ``errors``, then
``result``, as far as needed: each becomes null and ``response_omitted`` (``errors_omitted``, ``result_omitted``) says so.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from notifier.clock import iso, parse_iso
from notifier.model import Event, EventType

LARGEST_BODY = 1 << 20  # bytes; receivers commonly refuse more (nginx: 1 MiB by default)
OMITTABLE = ("response", "errors", "result")  # the first to go is the first here
DEEPEST = 100  # levels of nesting kept when a value can't be written as it is
LONGEST_INTEGER = 10_000  # bits; Python writes and reads no more than 4300 digits
LONGEST_LEFT = 1000  # characters kept of each text when nothing is left to omit

Facts = Mapping[str, Any]


def facts_of(event: Event) -> dict[str, Any]:
    """Give the payload's ``data``."""
    return {"event_id": event.event_id, **event.data}


def payload_of(event: Event, facts: Facts) -> dict[str, Any]:
    """Give the payload of ``event`` that tells these ``facts``."""
    return {"type": event.type, "timestamp": iso(event.occurred_at), "data": facts}


def fitted(facts: Facts, document: Callable[[Facts], object]) -> bytes:
    """Write ``document(facts)`` as JSON of at most ``LARGEST_BODY`` bytes, leaving out of the facts what it must."""
    content = write_json(document(facts))
    for name in OMITTABLE:
        if len(content) <= LARGEST_BODY:
            return content
        facts = _without(facts, name)
        content = write_json(document(facts))
    return content if len(content) <= LARGEST_BODY else write_json(document(_scalars(facts)))


def read_event(content: bytes) -> Event | None:
    """Read a payload back into its event: a body that waited as the default format's, because its callback was absent."""
    try:
        payload = json.loads(content)
    except (ValueError, RecursionError):
        return None
    facts, event_type = (payload.get("data"), payload.get("type")) if isinstance(payload, dict) else (None, None)
    if not isinstance(facts, dict) or not isinstance(event_type, str) or event_type not in set(EventType):
        return None
    event_id = facts.get("event_id")
    occurred_at = parse_iso(payload.get("timestamp")) or 0.0
    return Event(event_id if isinstance(event_id, str) else "", EventType(event_type), occurred_at, facts)


def write_json(value: object) -> bytes:
    """Write compact ASCII; a lone surrogate stays the escape it came as, so any text makes valid bytes."""
    try:
        return _dump(value)
    except (ValueError, TypeError, RecursionError):
        return _dump(_tame(value, DEEPEST))


def _without(facts: Facts, name: str) -> dict[str, Any]:
    if name not in facts:
        return dict(facts)
    return {**facts, name: None, f"{name}_omitted": True}


def _scalars(facts: Facts) -> dict[str, Any]:
    """Keep what is short by nature, and cut texts that should have been."""
    kept = {name: value[:LONGEST_LEFT] if isinstance(value, str) else value for name, value in facts.items()}
    return {name: None if isinstance(value, Mapping | list | tuple) else value for name, value in kept.items()}


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def _tame(value: object, depth: int) -> object:
    """Turn what JSON can't say (NaN, infinity, bottomless nesting, foreign types) into what it can."""
    if isinstance(value, Mapping):
        return {str(name): _tame(item, depth - 1) for name, item in value.items()} if depth else None
    if isinstance(value, list | tuple):
        return [_tame(item, depth - 1) for item in value] if depth else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if value.bit_length() <= LONGEST_INTEGER else None
    return value if value is None or isinstance(value, str) else str(value)
