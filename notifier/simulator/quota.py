"""HubSpot's request limits, counted strictly. Pure: the caller brings the time.

A window of W seconds is rolling: at time t it holds what was taken at t - W < taken <= t. The day is UTC's.
"""

from collections import deque

from notifier.model import RateLimit

TEN_SECONDLY = "TEN_SECONDLY_ROLLING"
DAILY = "DAILY"

SECONDS_A_DAY = 86_400.0


class RollingWindow:
    """What was taken in the last ``seconds`` seconds; times must not go back."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._taken: deque[float] = deque()

    def count(self, now: float) -> int:
        """Count what the window that ends now holds."""
        while self._taken and self._taken[0] <= now - self.seconds:
            self._taken.popleft()
        return len(self._taken)

    def take(self, now: float) -> int:
        """Count one more; gives the new count."""
        held = self.count(now)
        self._taken.append(now)
        return held + 1

    def wait(self, now: float) -> float:
        """Seconds until the oldest leaves the window; 0 when it is empty."""
        return self._taken[0] + self.seconds - now if self.count(now) else 0.0


class Quota:
    """A rolling and a daily limit; ``None`` is no limit. A refused request takes nothing."""

    def __init__(self, rolling: RateLimit | None, daily: int | None) -> None:
        self.rolling = rolling
        self.daily = daily
        self._window = RollingWindow(rolling.seconds if rolling else 10.0)
        self._day = -1
        self._today = 0

    def spend(self, now: float, wall: float) -> str | None:
        """Take one request at ``now`` (monotonic) on the day of ``wall`` (unix seconds), or name the limit that refuses it."""
        self._turn_day(wall)
        if self.daily is not None and self._today >= self.daily:
            return DAILY
        if self.rolling is not None and self._window.count(now) >= self.rolling.requests:
            return TEN_SECONDLY
        self._window.take(now)
        self._today += 1
        return None

    def wait(self, now: float, wall: float, policy: str) -> float:
        """Seconds until ``policy`` lets the next request through."""
        return SECONDS_A_DAY - wall % SECONDS_A_DAY if policy == DAILY else self._window.wait(now)

    def headers(self, now: float, wall: float) -> dict[str, str]:
        """Give the ``X-HubSpot-RateLimit-*`` headers of an answer; those of an absent limit are absent."""
        self._turn_day(wall)
        headers = {}
        if self.rolling is not None:
            headers["X-HubSpot-RateLimit-Max"] = str(self.rolling.requests)
            headers["X-HubSpot-RateLimit-Remaining"] = str(self.rolling.requests - self._window.count(now))
            headers["X-HubSpot-RateLimit-Interval-Milliseconds"] = str(round(self.rolling.seconds * 1000))
        if self.daily is not None:
            headers["X-HubSpot-RateLimit-Daily"] = str(self.daily)
            headers["X-HubSpot-RateLimit-Daily-Remaining"] = str(self.daily - self._today)
        return headers

    def _turn_day(self, wall: float) -> None:
        day = int(wall // SECONDS_A_DAY)
        if day != self._day:
            self._day, self._today = day, 0
