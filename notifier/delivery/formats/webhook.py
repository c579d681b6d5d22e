"""Standard Webhooks 1.0: the payload as JSON, signed when a secret is configured.

::

    {"type": "task.succeeded", "timestamp": "2026-11-21T19:08:00.123Z", "data": {"event_id": "evt_…", …}}

The body is compact ASCII, at most ``LARGEST_BODY`` bytes. A larger one loses ``response``, then ``errors``, then
``result``, as far as needed: each becomes null and ``response_omitted`` (``errors_omitted``, ``result_omitted``) says so.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from notifier.clock import iso
from notifier.delivery.formats.contract import Format
from notifier.delivery.signing import sign
from notifier.model import Body, Claim, Event
from notifier.secret import Secret

CONTENT_TYPE = "application/json"
LARGEST_BODY = 1 << 20  # bytes; receivers commonly refuse more (nginx: 1 MiB by default)
OMITTABLE = ("response", "errors", "result")  # the first to go is the first here
DEEPEST = 100  # levels of nesting kept when a value can't be written as it is
LONGEST_INTEGER = 10_000  # bits; Python writes and reads no more than 4300 digits
LONGEST_LEFT = 1000  # characters kept of each text when nothing is left to omit


class Webhook(Format):
    """The default format."""

    name: ClassVar[str] = "webhook"
    takes_secret: ClassVar[bool] = True

    def render(self, event: Event) -> Body:
        """Write type, time and the facts."""
        facts = {"event_id": event.event_id, **event.data}
        content = _write(event, facts)
        for name in OMITTABLE:
            if len(content) <= LARGEST_BODY:
                break
            facts = _without(facts, name)
            content = _write(event, facts)
        if len(content) > LARGEST_BODY:
            content = _write(event, _scalars(facts))
        return Body(content, CONTENT_TYPE)

    def headers(self, claim: Claim, body: Body, timestamp: int, secrets: Sequence[Secret]) -> dict[str, str]:
        """Name the event and the time of this attempt, and sign both with the body."""
        event_id = claim.delivery.event_id
        headers = {"content-type": body.content_type, "webhook-id": event_id, "webhook-timestamp": str(timestamp)}
        if secrets:
            headers["webhook-signature"] = sign(event_id, timestamp, body.content, secrets)
        return headers


def _write(event: Event, facts: Mapping[str, Any]) -> bytes:
    return _json({"type": event.type, "timestamp": iso(event.occurred_at), "data": facts})


def _without(facts: Mapping[str, Any], name: str) -> dict[str, Any]:
    if name not in facts:
        return dict(facts)
    return {**facts, name: None, f"{name}_omitted": True}


def _scalars(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what is short by nature, and cut texts that should have been."""
    kept = {name: value[:LONGEST_LEFT] if isinstance(value, str) else value for name, value in facts.items()}
    return {name: None if isinstance(value, Mapping | list | tuple) else value for name, value in kept.items()}


def _json(value: object) -> bytes:
    """Write compact ASCII; a lone surrogate stays the escape it came as, so any text makes valid bytes."""
    try:
        return _dump(value)
    except (ValueError, TypeError, RecursionError):
        return _dump(_tame(value, DEEPEST))


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
