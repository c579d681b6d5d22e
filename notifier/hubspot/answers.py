"""What HubSpot's answer to a status request means. Pure; no bytes of any kind raise.

====================================  =============================================================================
answer                                meaning
====================================  =============================================================================
2xx with a readable status            ``Seen``
2xx without a body                    ``Running``: HubSpot's client shows that unfinished tasks answer so
2xx with anything else                ``Unreadable``
400, 404 with JSON or without a body  ``UnknownTask``: a neighbour of this call answers 400 to an id it can't decode
400, 404 with anything else           ``Unreadable``: a wrong path answers 404 in HTML
401; 403 ``MISSING_SCOPES``           ``Refused``: the credentials, so the whole account
403                                   ``Forbidden``: this task
429                                   ``Throttled``
423, 477, 408, 5xx                    ``Busy``
all others, redirects too             ``Odd``: they are never followed, the token would go along
====================================  =============================================================================

Seconds to wait (n is ``strikes`` + 1: the how-manieth such answer of the account in a row):

==============================  ================================  ==================
answer                          without ``Retry-After``           at most
==============================  ================================  ==================
429 ``DAILY``                   15 min · n                        2 h (told: 24 h)
429, any other policy           10 s · n                          5 min (told: 24 h)
423 (locked)                    2 s · n, never less than 2 s      30 s (told: 1 h)
477 (the account is moving)     60 s · n                          15 min (told: 24 h)
408, 5xx                        3 s · n                           30 s (told: 1 h)
==============================  ================================  ==================

A wait that was told is honoured up to the bound in brackets, and never less than a second.
"""

from dataclasses import dataclass
from typing import Any, TypedDict

from notifier import http
from notifier.hubspot.headers import Quota, clock_skew, read_quota, retry_after
from notifier.hubspot.kinds import Kind
from notifier.hubspot.reading import Illegible, read_object, read_text
from notifier.model import Observation

HOUR, DAY = 3600.0, 86_400.0

_LONGEST_MESSAGE = 300
_LONGEST_WORD = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    """What every answer may carry besides its meaning."""

    correlation_id: str | None = None  # what HubSpot's support asks for
    skew: float = 0.0  # seconds our clock is ahead of HubSpot's; 0.0 when they agree to 2 s
    quota: Quota | None = None


@dataclass(frozen=True, slots=True)
class Seen(_Answered):
    """A status that could be read, terminal or not."""

    observation: Observation


@dataclass(frozen=True, slots=True)
class Running(_Answered):
    """Accepted, no content: the task is known and has not ended."""


@dataclass(frozen=True, slots=True)
class Unreadable(_Answered):
    """An answer that tells nothing of the task. ``reason`` is a short fixed word, ``detail`` is for people."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class UnknownTask(_Answered):
    """HubSpot says that there is no such task; not to be believed at once."""

    status: int
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Refused(_Answered):
    """The credentials are refused: a person has to act, and no other task of the account fares better."""

    status: int
    category: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Forbidden(_Answered):
    """This task may not be read with these credentials."""

    message: str | None = None


@dataclass(frozen=True, slots=True)
class Throttled(_Answered):
    """The limit is used up: the account waits for ``seconds``."""

    seconds: float
    policy: str | None = None  # "TEN_SECONDLY_ROLLING", "DAILY"


@dataclass(frozen=True, slots=True)
class Busy(_Answered):
    """HubSpot can't answer now, for ``seconds``. ``told``: it said so itself, in ``Retry-After``."""

    seconds: float
    status: int
    told: bool = False


@dataclass(frozen=True, slots=True)
class Odd(_Answered):
    """A status this call does not answer."""

    status: int


Answer = Seen | Running | Unreadable | UnknownTask | Refused | Forbidden | Throttled | Busy | Odd


@dataclass(frozen=True, slots=True)
class _Wait:
    """How long to wait, in seconds: ``step`` for each strike up to ``bound``; as told, up to ``told_bound``."""

    step: float
    bound: float
    told_bound: float
    least: float = 1.0

    def seconds(self, told: float | None, strikes: int) -> float:
        wish = min(self.step * (strikes + 1), self.bound) if told is None else min(told, self.told_bound)
        return max(wish, self.least)


_DAILY = _Wait(15 * 60.0, 2 * HOUR, DAY)
_ROLLING = _Wait(10.0, 300.0, DAY)
_LOCKED = _Wait(2.0, 30.0, HOUR, least=2.0)
_MOVING = _Wait(60.0, 15 * 60.0, DAY)
_FAILING = _Wait(3.0, 30.0, HOUR)

_Body = dict[str, Any] | Illegible | None


class _About(TypedDict):
    """The keywords of ``_Answered``."""

    correlation_id: str | None
    skew: float
    quota: Quota | None


def read_answer(kind: Kind, response: http.Response, *, now: float, strikes: int = 0) -> Answer:
    """Tell what an answer means.

    ``now`` is when it came, in unix seconds. ``strikes`` counts the account's answers in a row before this one that were
    ``Throttled`` or ``Busy``.
    """
    body = _read_body(response)
    skew = clock_skew(response.headers, now)
    about = _About(correlation_id=_correlation_id(response, body), skew=skew, quota=read_quota(response.headers))
    told = retry_after(response.headers, now, skew)
    match response.status:
        case status if 200 <= status < 300:
            return _success(kind, body, about)
        case 400 | 404 as status:
            return _unknown_task(status, body, about)
        case 401 | 403 as status:
            return _forbidden(status, body, about)
        case 429:
            return _throttled(body, told, strikes, about)
        case status if status in {408, 423, 477} or 500 <= status < 600:
            return Busy(_BUSY.get(status, _FAILING).seconds(told, strikes), status, told is not None, **about)
    return Odd(response.status, **about)


_BUSY = {423: _LOCKED, 477: _MOVING}


def _success(kind: Kind, body: _Body, about: _About) -> Answer:
    if body is None:
        return Running(**about)
    if isinstance(body, Illegible):
        return Unreadable(body.reason, body.detail, **about)
    observation = kind.read(body)
    if observation is None:
        return Unreadable("no_status", "JSON without a readable status", **about)
    return Seen(observation, **about)


def _unknown_task(status: int, body: _Body, about: _About) -> Answer:
    if not isinstance(body, Illegible):
        return UnknownTask(status, _text(body, "message", _LONGEST_MESSAGE), **about)
    if body.reason == "html":
        return Unreadable(
            "wrong_path", f"{status} with an HTML page: the base URL or API version may be wrong", **about
        )
    return Unreadable(body.reason, f"{status}: {body.detail}", **about)


def _forbidden(status: int, body: _Body, about: _About) -> Answer:
    category, message = _text(body, "category", _LONGEST_WORD), _text(body, "message", _LONGEST_MESSAGE)
    if status == 401 or category == "MISSING_SCOPES":
        return Refused(status, category, message, **about)
    return Forbidden(message, **about)


def _throttled(body: _Body, told: float | None, strikes: int, about: _About) -> Throttled:
    policy = _text(body, "policyName", _LONGEST_WORD)
    wait = _DAILY if policy == "DAILY" else _ROLLING
    return Throttled(wait.seconds(told, strikes), policy, **about)


def _read_body(response: http.Response) -> _Body:
    """Read the body; ``None`` when there is none."""
    if response.truncated:
        return Illegible("truncated", "broken off, longer than what is read, or packed so that it can't be read")
    return read_object(response.body) if response.body.strip() else None


def _correlation_id(response: http.Response, body: _Body) -> str | None:
    in_header = read_text(response.headers.get("x-hubspot-correlation-id"), _LONGEST_WORD)
    return in_header or _text(body, "correlationId", _LONGEST_WORD)


def _text(body: _Body, field: str, limit: int) -> str | None:
    return read_text(body.get(field), limit) if isinstance(body, dict) else None
