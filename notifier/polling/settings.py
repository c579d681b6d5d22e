"""What is configured of polling."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PollingSettings:
    """All times in seconds."""

    request_cost: float = 1.0  # c of the squares schedule: what one request is worth, in seconds of delay
    deadline: float = 86_400.0  # of a watch that names none
    timeout: float = 15.0  # of one request, connect to last byte
    concurrency: int = 10  # requests in flight per account
    lost_after_answers: int = 5  # "no such task" is believed after this many answers …
    lost_after: float = 300.0  # … and this many seconds since the first of them
