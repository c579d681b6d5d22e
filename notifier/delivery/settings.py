"""What is configured of callbacks and of delivery."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from notifier.model import EventType, RateLimit
from notifier.secret import Secret
from notifier.transport import Transport

DEFAULT_EVENTS = ("task.*", "watch.*")

# Standard Webhooks' own: the delay before attempt n, in seconds. Ten attempts over about 75 hours.
DEFAULT_SCHEDULE = (0.0, 5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)

# A lease outlives the total deadline of an attempt by this many seconds (deciding, committing, a slow disk).
LEASE_MARGIN = 15.0


class OnUnknown(StrEnum):
    """What to do when a request went out and no answer came back."""

    RETRY = "retry"  # at least once: the default
    HOLD = "hold"  # at most once: a person decides


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token that is shown to the receiver (RFC 6750)."""

    token: Secret

    @property
    def header(self) -> Secret:
        """The value of ``Authorization``."""
        return Secret(f"Bearer {self.token.reveal()}")


@dataclass(frozen=True, slots=True)
class Basic:
    """User and password that are shown to the receiver (RFC 7617). The username is a secret, too: some put a key there."""

    username: Secret
    password: Secret

    @property
    def header(self) -> Secret:
        """The value of ``Authorization``."""
        pair = f"{self.username.reveal()}:{self.password.reveal()}"
        return Secret("Basic " + base64.b64encode(pair.encode()).decode())


@dataclass(frozen=True, slots=True)
class Callback:
    """One configured destination."""

    name: str
    url: Secret
    format: str = "webhook"
    secrets: tuple[Secret, ...] = ()  # signing secrets, all used while rotating
    headers: Mapping[str, Secret] = field(default_factory=dict)
    events: tuple[str, ...] = DEFAULT_EVENTS  # patterns over event types
    timeout: float = 15.0  # seconds, connect to last byte
    on_unknown: OnUnknown = OnUnknown.RETRY
    concurrency: int = 4  # attempts in flight
    rate: RateLimit | None = None
    max_attempts: int = 10
    options: Mapping[str, str] = field(default_factory=dict)  # of the format: its own settings
    transport: Transport = field(default_factory=Transport)
    auth: Bearer | Basic | None = None

    def wants(self, event_type: EventType) -> bool:
        """Tell whether one of the patterns in ``events`` matches."""
        return any(fnmatchcase(event_type, pattern) for pattern in self.events)

    @property
    def lease(self) -> float:
        """Seconds for which a claim of one of its deliveries holds."""
        return self.timeout + LEASE_MARGIN
