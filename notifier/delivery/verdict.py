"""What becomes of a delivery after an attempt. Pure: the answer, the settings, the time and one random number go in.

========================  ==============================================================================================
answer                    verdict
========================  ==============================================================================================
2xx                       ``Delivered``
3xx                       ``RetryAt``; never followed
410                       ``DisableCallback("gone")``
429                       ``PauseCallback``: the whole callback waits; costs no attempt, so it never kills a delivery
408, 425, 5xx, 6xx …      ``RetryAt``
401, 403, 404, 407        ``RetryAt``, loud, not sooner than ``SLOW_RETRY``: an operator can mend it
400, 413, 415, other 4xx  ``RetryAt``, at the delivery's third failed try ``Dead("rejected")``
no answer                 ``RetryAt``; ``Hold`` when bytes went out and the callback says ``on_unknown: hold``
by the format's ruling    retry, once more as plain text (costs no attempt, happens once), or ``Dead`` with its word
========================  ==============================================================================================

The failed try that makes ``max_attempts`` gives ``Dead("exhausted")`` instead of a ``RetryAt``.

The delay before try n is ``max(schedule[n] · (0.8 + 0.4u), floor · (1 + 0.2u))``, u random in [0, 1): the schedule with
±20 % jitter, and never below the floor, which is the answer's ``Retry-After`` (at most ``LONGEST_RETRY_AFTER``, jitter
included) or ``SLOW_RETRY``. With the default schedule, without jitter:

====  ======  ===============      ====  ======  ===============
try   delay   after the first      try   delay   after the first
====  ======  ===============      ====  ======  ===============
1     0       0                    6     5 h     7 h 35 min 5 s
2     5 s     5 s                  7     10 h    17 h 35 min 5 s
3     5 min   5 min 5 s            8     14 h    31 h 35 min 5 s
4     30 min  35 min 5 s           9     20 h    51 h 35 min 5 s
5     2 h     2 h 35 min 5 s       10    24 h    75 h 35 min 5 s
====  ======  ===============      ====  ======  ===============

The last delay repeats when ``max_attempts`` is greater.

A pause lasts ``max(backoff · (0.8 + 0.4u), Retry-After · (1 + 0.2u))``. Its backoff is not the schedule's, for a full
bucket says nothing of the delivery that met it, and one old delivery must not stop the callback for hours: it is 5 s,
doubled with every earlier try of this delivery that cost nothing, at most 5 min.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from notifier.delivery.formats.contract import Remedy, Ruling
from notifier.delivery.settings import DEFAULT_SCHEDULE, Callback, OnUnknown
from notifier.http import Failure, Reach, Response
from notifier.model import Claim

JITTER = 0.2
SLOW_RETRY = 300.0  # seconds: soon enough after a person mended it, seldom enough not to look like an attack
LONGEST_RETRY_AFTER = 21_600.0  # seconds: 6 h
FIRST_PAUSE = 5.0  # seconds
LONGEST_OWN_PAUSE = 300.0  # seconds: without being told to wait longer
REJECTED_TRIES = 3

REJECTED = "rejected"  # reach of an attempt that got an answer, if not the one hoped for

MENDABLE = frozenset({401, 403, 404, 407})
TEMPORARY = frozenset({408, 425})


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again. ``charged``: the try counts against ``max_attempts``; ``loud``: a person should look at it."""

    at: float  # unix seconds
    reason: str
    reach: str
    charged: bool = True
    loud: bool = False
    plain: bool = False  # from now on send the format's plain fallback


@dataclass(frozen=True, slots=True)
class Dead:
    """Give up; a person may redeliver."""

    reason: str
    reach: str


@dataclass(frozen=True, slots=True)
class PauseCallback:
    """Send nothing to this callback until then; the delivery is due again at the same time."""

    until: float  # unix seconds
    reason: str


@dataclass(frozen=True, slots=True)
class DisableCallback:
    """Send nothing more to this callback until a person enables it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Nobody can tell whether it arrived, and the callback would rather miss it than get it twice: a person decides."""

    reason: str


Verdict = Delivered | RetryAt | Dead | PauseCallback | DisableCallback | Hold


@dataclass(frozen=True, slots=True)
class Case:
    """What a verdict depends on beside the answer."""

    claim: Claim  # ``failures`` as before this attempt
    callback: Callback
    now: float  # unix seconds
    u: float  # random, in [0, 1)
    schedule: Sequence[float] = DEFAULT_SCHEDULE  # seconds before try n, at least one

    @property
    def failures(self) -> int:
        """Tries that count, this one included."""
        return self.claim.delivery.failures + 1

    @property
    def free_tries(self) -> int:
        """Tries before this one that cost nothing (since a redelivery: those before it, too)."""
        return max(0, self.claim.number - 1 - self.claim.delivery.failures)


def decide(case: Case, exchange: Response | Failure, ruling: Ruling | None = None) -> Verdict:
    """Give the verdict; ``ruling`` is how the format read the answer's words, if they meant something to it."""
    if isinstance(exchange, Failure):
        return _unanswered(case, exchange)
    if exchange.status == 429:
        return _pause(case, exchange)
    if ruling is not None:
        return _as_ruled(case, exchange, ruling)
    return _by_status(case, exchange)


def _unanswered(case: Case, failure: Failure) -> Verdict:
    if failure.reach is Reach.UNKNOWN and case.callback.on_unknown is OnUnknown.HOLD:
        return Hold(failure.reason)
    return _retry(case, failure.reason, failure.reach)


def _pause(case: Case, answer: Response) -> PauseCallback:
    backoff = min(FIRST_PAUSE * 2.0 ** min(case.free_tries, 10), LONGEST_OWN_PAUSE)
    return PauseCallback(case.now + _delay(backoff, _retry_after(answer, case.now), case.u), f"status_{answer.status}")


def _as_ruled(case: Case, answer: Response, ruling: Ruling) -> RetryAt | Dead:
    if ruling.remedy is Remedy.RETRY:
        return _retry(case, ruling.reason, REJECTED, floor=_retry_after(answer, case.now))
    if ruling.remedy is Remedy.PLAIN and not case.claim.delivery.plain:
        return RetryAt(case.now, ruling.reason, REJECTED, charged=False, plain=True)
    return Dead(ruling.reason, REJECTED)


def _by_status(case: Case, answer: Response) -> Verdict:
    status, reason = answer.status, f"status_{answer.status}"
    floor = _retry_after(answer, case.now)
    if 200 <= status < 300:
        return Delivered()
    if status == 410:
        return DisableCallback("gone")
    if status in MENDABLE:
        return _retry(case, reason, REJECTED, floor=max(floor, SLOW_RETRY), loud=True)
    if (
        400 <= status < 500
        and status not in TEMPORARY
        and case.failures >= min(REJECTED_TRIES, case.callback.max_attempts)
    ):
        return Dead("rejected", REJECTED)
    return _retry(case, reason, REJECTED, floor=floor)


def _retry(case: Case, reason: str, reach: str, *, floor: float = 0.0, loud: bool = False) -> RetryAt | Dead:
    if case.failures >= case.callback.max_attempts:
        return Dead("exhausted", reach)
    scheduled = case.schedule[min(case.failures, len(case.schedule) - 1)]
    return RetryAt(case.now + _delay(scheduled, floor, case.u), reason, reach, loud=loud)


def _delay(scheduled: float, floor: float, u: float) -> float:
    """Jitter ``scheduled`` both ways and ``floor`` only upward (and not beyond the cap); the longer one counts."""
    jittered = scheduled * (1 - JITTER + 2 * JITTER * u)
    return max(jittered, min(floor * (1 + JITTER * u), LONGEST_RETRY_AFTER))


def _retry_after(answer: Response, now: float) -> float:
    """Read ``Retry-After`` (RFC 9110, 10.2.3: seconds or a date) into seconds from ``now``, capped; garbage is 0."""
    text = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return min(float(text), LONGEST_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(text)
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
