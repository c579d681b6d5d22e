"""Durations (``1h30m``), rates (``100/10s``) and whole numbers, read strictly and written back."""

import re

from notifier.config.nodes import quoted
from notifier.config.problems import Mistake
from notifier.model import RateLimit

SECOND = 1.0
MINUTE = 60.0
HOUR = 3600.0
DAY = 86_400.0

_UNITS = (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 0.001))
_PARTS = "".join(rf"(?:([0-9]{{1,9}}){unit})?" for unit, _ in _UNITS)
_DURATION = re.compile(_PARTS)
_RATE = re.compile(r"([0-9]{1,9})/(.+)", re.DOTALL)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_LOOSE = re.compile(r"([0-9]{1,9}) *(ms|d|h|m|s|days?|hours?|hrs?|minutes?|mins?|seconds?|secs?)", re.IGNORECASE)
_SPELLINGS = {"min": "m", "mins": "m", "minute": "m", "minutes": "m", "ms": "ms"}

# For JSON Schema, where a look-ahead says "not empty".
DURATION_PATTERN = r"(?=.)(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?(?:[0-9]+ms)?"
RATE_PATTERN = rf"[0-9]+/{DURATION_PATTERN}"

_EXAMPLES = "write it like 250ms, 30s, 5m, 1h30m or 7d"


def duration(text: str, shown: str) -> float:
    """Read a duration into seconds.

    :raises Mistake: naming ``shown``, which is how the value may be quoted.

    >>> duration("1h30m", '"1h30m"')
    5400.0
    """
    found = _DURATION.fullmatch(text)
    if not text or not found:
        raise Mistake(f"expected a duration, got {shown}", _duration_hint(text))
    counts = zip(found.groups(), _UNITS, strict=True)
    milliseconds = sum(int(count) * round(size * 1000) for count, (_, size) in counts if count)
    return milliseconds / 1000


def parse_duration(text: str) -> float:
    """Read the duration of a command's option into seconds.

    :raises ValueError: whose text says what is wrong and how to write it.
    """
    try:
        return duration(text, quoted(text))
    except Mistake as mistake:
        raise ValueError(f"{mistake.message}; {mistake.hint}") from None


def _duration_hint(text: str) -> str:
    if _NUMBER.fullmatch(text):
        return f"a duration needs a unit; did you mean {int(float(text[:9]))}s?" if "." not in text else _EXAMPLES
    loose = _LOOSE.fullmatch(text)
    if loose:
        word = loose[2].lower()
        return f"did you mean {loose[1]}{_SPELLINGS.get(word, word[0])}?"
    return _EXAMPLES


def rate(text: str, shown: str) -> RateLimit:
    """Read ``100/10s``: at most 100 in any 10 seconds.

    :raises Mistake: naming ``shown``.
    """
    found = _RATE.fullmatch(text)
    if not found:
        raise Mistake(f"expected a rate, got {shown}", "write it like 100/10s: at most 100 in any 10 seconds")
    if found[2] in {"s", "m", "h", "d"}:
        raise Mistake(f"expected a rate, got {shown}", f"did you mean {found[1]}/1{found[2]}?")
    requests, seconds = int(found[1]), duration(found[2], shown)
    if not (1 <= requests <= 1_000_000 and 0 < seconds <= DAY):
        raise Mistake(
            f"the rate {shown} is out of bounds", "at least 1 and at most 1000000, in more than 0 and at most 1d"
        )
    return RateLimit(requests, seconds)


def span_text(seconds: float) -> str:
    """Write seconds as a duration that ``duration`` reads back.

    >>> span_text(5400.0), span_text(0.25), span_text(0.0)
    ('1h30m', '250ms', '0s')
    """
    rest = round(seconds * 1000)
    text = ""
    for unit, size in _UNITS:
        count, rest = divmod(rest, round(size * 1000))
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def rate_text(limit: RateLimit | None) -> str | None:
    """Write a rate as ``rate`` reads it; ``None`` stays ``None``."""
    return None if limit is None else f"{limit.requests}/{span_text(limit.seconds)}"
