"""What happened, as frozen facts; log lines and displays subscribe to them.

The core reports facts and knows nothing of their readers. One canonical line per poll that changed something, per event
and per attempt; names are ``noun.verbed``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened. ``level`` is the log level of its line."""

    name: ClassVar[str]
    level: ClassVar[str] = "info"


Report = Callable[[Fact], None]
