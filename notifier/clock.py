"""Time and chance, injected everywhere so that tests own them."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime


def boot_time() -> float:
    """Give seconds that never go back and go on while the machine is suspended, where the system has such a clock."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Clock:
    """Where the program reads time.

    ``now`` is unix seconds that never jump: all that is planned (polls, retries, deadlines) is planned in it. ``wall`` is
    what the machine says the time is, which receivers compare with theirs. When somebody sets the machine's clock the two
    part; ``stepped`` tells by how much, and ``follow`` makes ``now`` agree again once the plans were moved.
    """

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = boot_time) -> None:
        self.wall = wall
        self.monotonic = monotonic
        self._offset = wall() - monotonic()

    def now(self) -> float:
        """Give unix seconds that never jump."""
        return self.monotonic() + self._offset

    def stepped(self) -> float:
        """Give the seconds by which the machine's clock is ahead of ``now``."""
        return self.wall() - self.now()

    def follow(self, seconds: float) -> None:
        """Move ``now`` by ``seconds``."""
        self._offset += seconds


@dataclass(slots=True)
class ManualClock:
    """A clock that moves only when told; ``wall`` can be moved alone to play somebody setting the machine's clock."""

    wall: float = 1_800_000_000.0
    steady: float = 0.0
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(wall=lambda: self.wall, monotonic=lambda: self.steady)

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass on both clocks."""
        self.wall += seconds
        self.steady += seconds


def uniform01() -> float:
    """Draw from [0, 1): the default source of jitter."""
    return random.random()  # noqa: S311  # jitter, not a secret


def iso(at: float | None) -> str | None:
    """Write unix seconds as RFC 3339 in UTC with milliseconds, as HubSpot does; ``None`` stays ``None``.

    A time that no calendar holds (year 10000, not a number) is ``None`` too: answers may say anything.

    >>> iso(1763752083.1234)
    '2025-11-21T19:08:03.123Z'
    """
    if at is None:
        return None
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return None


def parse_iso(text: object) -> float | None:
    """Read an RFC 3339 time into unix seconds; anything else is ``None`` (HubSpot's fields are all optional)."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
