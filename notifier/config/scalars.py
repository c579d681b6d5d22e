"""The core schema of YAML 1.2.2, section 10.3.2: what an unquoted scalar is.

PyYAML's own rules are those of YAML 1.1, where ``on`` is true, ``012`` is ten and ``1:30`` is ninety.
"""

import re
from enum import StrEnum


class ScalarType(StrEnum):
    """What a scalar is; the value is the word used in messages."""

    NULL = "nothing"
    BOOL = "true or false"
    INT = "a whole number"
    FLOAT = "a number"
    TEXT = "text"


_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = frozenset({"true", "True", "TRUE", "false", "False", "FALSE"})
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_MAY_BE_SPECIAL = frozenset("0123456789+-.~nNtTfF")

# Python reads at most 4300 digits, and no number of ours has even twenty.
_MOST_DIGITS = 30


def type_of(text: str) -> ScalarType:
    """Tell what an unquoted scalar of this ``text`` is."""
    if text in _NULL:
        return ScalarType.NULL
    if text[0] not in _MAY_BE_SPECIAL:
        return ScalarType.TEXT
    if text in _BOOL:
        return ScalarType.BOOL
    if _INT.fullmatch(text):
        return ScalarType.INT
    return ScalarType.FLOAT if _FLOAT.fullmatch(text) else ScalarType.TEXT


def integer(text: str) -> int | None:
    """Read a whole number as the core schema writes it; ``None`` for anything else.

    >>> integer("012"), integer("0o17"), integer("0x1F"), integer("1_000")
    (12, 15, 31, None)
    """
    if len(text) > _MOST_DIGITS or not _INT.fullmatch(text):
        return None
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text, base)
