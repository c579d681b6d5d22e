"""Read the headers of HubSpot's answers: its clock, its quota, how long to wait. Nothing here raises."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

# A ``Date`` header counts whole seconds and is some milliseconds old: less than this, in seconds, is no difference.
LEAST_SKEW = 2.0

# More than this, in seconds, is a proxy's nonsense: with our clock that wrong no certificate would be valid.
MOST_SKEW = 40 * 86_400.0

_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_COUNT = re.compile(r"[0-9]{1,15}")
_DATE = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [12][0-9]{3} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")


@dataclass(frozen=True, slots=True)
class Quota:
    """What HubSpot says is left. ``None`` where it did not say; with OAuth it never tells of the day."""

    limit: int | None = None  # requests per ``interval``
    remaining: int | None = None
    interval: float | None = None  # seconds
    daily_limit: int | None = None  # of the whole account, shared with its other integrations
    daily_remaining: int | None = None


def read_quota(headers: Mapping[str, str]) -> Quota | None:
    """Read the rate limit headers; ``None`` when there is not one."""
    interval = _count(headers, "x-hubspot-ratelimit-interval-milliseconds")
    quota = Quota(
        limit=_count(headers, "x-hubspot-ratelimit-max"),
        remaining=_count(headers, "x-hubspot-ratelimit-remaining"),
        interval=None if interval is None else interval / 1000,
        daily_limit=_count(headers, "x-hubspot-ratelimit-daily"),
        daily_remaining=_count(headers, "x-hubspot-ratelimit-daily-remaining"),
    )
    return None if quota == _NOTHING_SAID else quota


_NOTHING_SAID = Quota()


def clock_skew(headers: Mapping[str, str], now: float) -> float:
    """Tell by how many seconds our clock is ahead of the server's; 0.0 when they agree or nobody can tell."""
    told = _http_date(headers.get("date", ""))
    return now - told if told is not None and LEAST_SKEW <= abs(now - told) <= MOST_SKEW else 0.0


def retry_after(headers: Mapping[str, str], now: float, skew: float) -> float | None:
    """Read ``Retry-After``, seconds or an HTTP date on the server's clock, into seconds from 0 up; ``None`` without."""
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    at = _http_date(text)
    return None if at is None else max(0.0, at - (now - skew))


def _count(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "").strip()
    return int(text) if _COUNT.fullmatch(text) else None


# A busy account answers many times a second with the same date.
@functools.lru_cache(maxsize=32)
def _http_date(text: str) -> float | None:
    """Read the one form of date that servers may send (RFC 9110, IMF-fixdate) into unix seconds."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
