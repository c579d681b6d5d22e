"""What happened, as frozen facts; log lines and displays subscribe to them.

The core reports facts and knows nothing of their readers. One canonical line per poll that changed something, per event
and per attempt; names are ``noun.verbed``.
"""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened. ``level`` is the log level of its line."""

    name: ClassVar[str]
    level: ClassVar[str] = "info"


Report = Callable[[Fact], None]


@dataclass(frozen=True, slots=True)
class Crashed(Fact):
    """An exception nobody expected; the program ends with it."""

    name = "daemon.crashed"
    level = "critical"

    error: str
    traceback: str


def crashed(error: BaseException) -> Crashed:
    """Make the fact of an unexpected exception; ``error`` names what lies under groups of one (anyio wraps in those)."""
    innermost = error
    while isinstance(innermost, BaseExceptionGroup) and len(innermost.exceptions) == 1:
        innermost = innermost.exceptions[0]
    return Crashed(f"{type(innermost).__name__}: {printed(innermost)}", "".join(traceback.format_exception(error)))


class Telemetry:
    """Hands every reported fact to every subscriber, in the order they came. A ``Report`` itself."""

    def __init__(self, *subscribers: Report) -> None:
        self._subscribers = subscribers

    def __call__(self, fact: Fact) -> None:
        """Report ``fact``."""
        for subscriber in self._subscribers:
            subscriber(fact)


def printed(value: object) -> str:
    """Write any object, whatever its ``__str__`` does."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001  # other people's code, and telling of an error is no reason to die
        return f"<{type(value).__name__} that can't be printed>"
