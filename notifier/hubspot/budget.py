"""One account's share of HubSpot's rolling limit: a token bucket. Pure, on a monotonic clock.

HubSpot counts requests where they arrive, up to J seconds after they were sent, so W seconds on its side can hold what
was sent here in W + J seconds. A bucket of ``burst`` tokens, refilled with ``rate`` tokens a second, lets go at most
burst + rate·(W + J) in that time, so rate = (L - burst) / (W + J) keeps every window of W seconds within L requests.

========  =====  ==========  ==============================
limit     burst  rate (1/s)  in the long run, of the limit
========  =====  ==========  ==============================
100/10s   10     8.57        86 %
190/10s   19     16.29       86 %
8/2s      1      2.80        70 %
1/10s     1      0.095       95 %
========  =====  ==========  ==============================

A bucket begins empty: nobody knows what a process that was killed a moment ago had sent, and with an empty bucket the
two together still keep the limit. At 100/10s that delays the first request by 0.12 s.
"""

import math
from dataclasses import dataclass, field

from notifier.model import RateLimit

# J: how much later than the fastest a request may arrive, in seconds. Longer than a TLS handshake over a slow line.
ARRIVAL_JITTER = 0.5

# One token less a rounding error, or a wait that was exactly long enough would end in another one of 1e-16 s.
_WHOLE_TOKEN = 1 - 1e-6

# With a limit of one request the burst is the whole limit: refill a little slower than once in W + J seconds, so that
# two requests are never W + J apart to the rounding error.
_LEAST_REFILL = 0.999


def burst_of(limit: RateLimit) -> int:
    """Give the bucket's size: a tenth of the limit at once, the rest spread evenly."""
    return max(1, limit.requests // 10)


def rate_of(limit: RateLimit) -> float:
    """Give the tokens a second that refill the bucket."""
    return max(limit.requests - burst_of(limit), _LEAST_REFILL) / (limit.seconds + ARRIVAL_JITTER)


@dataclass(slots=True)
class Bucket:
    """The tokens of one account. Every request takes one, right before it is sent and never ahead of time."""

    limit: RateLimit
    paused_until: float = -math.inf  # on the clock of ``take``
    _tokens: float = field(default=0.0, init=False)
    _counted_at: float | None = field(default=None, init=False)  # when ``_tokens`` was right

    def take(self, now: float) -> float:
        """Take a token: 0.0 when it was taken, else the seconds after which to ask again."""
        self._refill(now)
        if now < self.paused_until:
            return self.paused_until - now
        if self._tokens < _WHOLE_TOKEN:
            return (1 - self._tokens) / rate_of(self.limit)
        self._tokens -= 1
        return 0.0

    def pause_until(self, at: float) -> None:
        """Let nothing go before ``at``; of two pauses the later end counts."""
        self.paused_until = max(self.paused_until, at)

    def _refill(self, now: float) -> None:
        gone = 0.0 if self._counted_at is None else max(0.0, now - self._counted_at)
        self._tokens = min(float(burst_of(self.limit)), self._tokens + gone * rate_of(self.limit))
        self._counted_at = now
