"""Read what others wrote: JSON bodies, times, counts, and texts fit to be stored. Nothing here raises."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from notifier.clock import parse_iso

# HubSpot nests about six levels. What is deeper than this might be read here and then break whoever writes it out again
# from a deeper stack.
MAX_DEPTH = 64

# 2005-01-01 and 9999-12-30. HubSpot is younger than the first, so an earlier time is a placeholder (1970, year 1), and
# believed it would stretch the schedule to a poll a day; ``clock.iso`` can't write years past 9999.
EARLIEST, LATEST = 1_104_537_600.0, 253_402_128_000.0

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Illegible:
    """A body that can't be read. ``reason`` is a short fixed word, ``detail`` is for people."""

    reason: str
    detail: str = ""


def read_object(body: bytes) -> dict[str, Any] | Illegible:
    """Read a JSON object, strictly: UTF-8, finite numbers, at most ``MAX_DEPTH`` levels."""
    if body.removeprefix(_BYTE_ORDER_MARK).lstrip()[:1] == b"<":
        return Illegible("html", "an HTML page instead of JSON")
    try:
        value = _DECODER.decode(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return Illegible("not_utf8", "not UTF-8")
    except ValueError as error:
        return Illegible("invalid_json", str(error))
    except RecursionError:
        return _TOO_DEEP
    # Counting brackets is quick, and few brackets can't be deep.
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _is_too_deep(value):
        return _TOO_DEEP
    return value if isinstance(value, dict) else Illegible("not_an_object", "JSON, but no object")


_TOO_DEEP = Illegible("too_deep", f"nested deeper than {MAX_DEPTH} levels")


def storable(text: str, limit: int) -> str:
    r"""Make a text fit for any database and any log: no lone surrogates, no control characters, at most ``limit`` long.

    >>> storable("COMP\x00LETE\ud800", 20)
    'COMP�LETE�'
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _stand_in(letter) for letter in text[:limit])


def _stand_in(letter: str) -> str:
    """Give what is stored for a letter that is not printable: a lone surrogate, a control character, a blank."""
    return " " if letter.isspace() else "\N{REPLACEMENT CHARACTER}"


def read_text(value: object, limit: int) -> str | None:
    """Give a text fit to be stored; ``None`` for what is no text or empty."""
    return storable(value, limit) if isinstance(value, str) and value.strip() else None


def read_time(value: object) -> float | None:
    """Read an RFC 3339 time into unix seconds; ``None`` for anything else and for placeholders."""
    at = parse_iso(value)
    return at if at is not None and EARLIEST <= at <= LATEST else None


def read_count(value: object) -> int | None:
    """Read a whole number from 0 up; ``None`` for anything else, ``true`` too."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _finite(text: str) -> float:
    """Refuse ``1e999``: it would be read as infinity, and written as no JSON at all."""
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"number out of range: {text[:20]}")
    return number


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse_constant)


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return True


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
