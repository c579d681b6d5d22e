"""Values that must never be shown."""

import re
from collections.abc import Callable, Iterable
from typing import final

MASK = "****"

# Shorter values are too likely to be ordinary words; replacing them would garble every line.
SHORTEST_REDACTED = 6


@final
class Secret:
    """A string that only ``reveal`` shows; ``str``, ``repr`` and formatting print the mask."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the value itself; call this as late as possible."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def redactor(values: Iterable[str]) -> Callable[[str], str]:
    """Give a function that masks every one of ``values`` wherever it stands in a text.

    The last line of defence, behind ``Secret``: for texts that others wrote (a receiver's answer, a library's error).
    """
    known = sorted({value for value in values if len(value) >= SHORTEST_REDACTED}, key=len, reverse=True)
    if not known:
        return lambda text: text
    pattern = re.compile("|".join(map(re.escape, known)))
    return lambda text: pattern.sub(MASK, text)
