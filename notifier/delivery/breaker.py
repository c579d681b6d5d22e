"""Says whether a receiver is worth asking at all. Pure: a frozen value, the time and one random number go in.

::

    closed ──── THRESHOLD attempts in a row get no sensible answer ────► open
       ▲                                                                  │ its time is over
       └── an answer that makes sense, whichever attempt gets it ──┬── half-open ◄┘
                                                                   └── the probe fails ──► open, for twice as long

What counts is what speaks of the receiver as a whole: no connection, no answer in time, 5xx, 408, 425 (``is_ill``). Any
other answer, a 400 or a 429 too, is a sign of life: what it means for its delivery is the verdict's matter.

While open nothing is claimed, so it costs no attempts: retries that fall due meanwhile wait, and no delivery dies of
waiting. Half-open, one attempt goes out, the longest due. The n-th opening in a row lasts
``min(FIRST_REST · 2ⁿ⁻¹, LONGEST_REST) · (0.8 + 0.2u)`` seconds, u random in [0, 1): 30 s, 1, 2, 4, 8, 10, 10 … minutes
at most, a tenth less on average.

It lives in the memory of a callback's lane: a restart begins closed. Times are of a clock that is never set.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from notifier.http import Failure, Response

THRESHOLD = 5  # failures in a row
FIRST_REST = 30.0  # seconds
LONGEST_REST = 600.0  # seconds
JITTER = 0.2  # of a rest, only downward

TEMPORARY = frozenset({408, 425})


class BreakerState(StrEnum):
    """What may be sent."""

    CLOSED = "closed"  # everything
    OPEN = "open"  # nothing
    HALF_OPEN = "half_open"  # one probe


def is_ill(exchange: Response | Failure) -> bool:
    """Tell whether what came back, or did not, speaks of the receiver as a whole rather than of what it was sent."""
    return isinstance(exchange, Failure) or exchange.status >= 500 or exchange.status in TEMPORARY


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is known of a receiver; begins closed."""

    failures: int = 0  # in a row, since the last sign of life
    openings: int = 0  # in a row, since the last sign of life
    era: int = 0  # openings ever; an attempt belongs to the era in which it was claimed
    opened_at: float = 0.0  # when the first of the openings in a row was
    open_until: float | None = None  # None: closed
    probing: bool = False  # the one probe is out

    def state(self, now: float) -> BreakerState:
        """Tell what may be sent at ``now``."""
        if self.open_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self.open_until else BreakerState.HALF_OPEN

    def rest(self, now: float) -> float:
        """Give the seconds for which nothing may be sent."""
        return max(0.0, (self.open_until or now) - now)

    def room(self, free: int, now: float) -> int:
        """Give how many of ``free`` attempts may begin."""
        state = self.state(now)
        if state is BreakerState.CLOSED:
            return free
        return min(free, 1) if state is BreakerState.HALF_OPEN and not self.probing else 0

    def began(self, era: int) -> "Breaker":
        """Give what is so after an attempt of ``era`` went out."""
        return replace(self, probing=True) if self.open_until is not None and era == self.era else self

    def ended(self, era: int, now: float, u: float, *, ill: bool) -> "Breaker":
        """Give what is so after an attempt of ``era`` has ended.

        :param ill: what ``is_ill`` says of its exchange.
        :param u: random, in [0, 1).
        """
        if not ill:
            return Breaker(era=self.era)
        if era < self.era:
            return self  # it was out already when the breaker opened: old news
        failed = replace(self, failures=self.failures + 1)
        opens = failed.failures >= THRESHOLD or self.open_until is not None
        return _opened(failed, now, u) if opens else failed


def _opened(breaker: Breaker, now: float, u: float) -> Breaker:
    rest = min(FIRST_REST * 2.0 ** min(breaker.openings, 30), LONGEST_REST) * (1 - JITTER + JITTER * u)
    return replace(
        breaker,
        openings=breaker.openings + 1,
        era=breaker.era + 1,
        opened_at=breaker.opened_at if breaker.openings else now,
        open_until=now + rest,
        probing=False,
    )
