"""What is configured of how long things are remembered."""

from dataclasses import dataclass

DAY = 86_400.0  # seconds


@dataclass(frozen=True, slots=True)
class Retention:
    """In seconds. What is pending or held is kept however old it is."""

    delivered: float = 30 * DAY  # events whose deliveries all arrived, and watches that are over
    dead: float = 90 * DAY  # events of which a delivery is dead
