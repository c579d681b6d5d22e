"""The nouns, and the tables of what may become of them.

Times are unix seconds as floats, UTC. Everything here is immutable.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from notifier.errors import TransitionError


class WatchState(StrEnum):
    """What became of our interest in a task."""

    ACTIVE = "active"
    ENDED = "ended"
    EXPIRED = "expired"
    LOST = "lost"
    REMOVED = "removed"


class DeliveryState(StrEnum):
    """What became of the duty to tell one event to one callback."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    HELD = "held"


class Outcome(StrEnum):
    """How a task ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class EventType(StrEnum):
    """Facts worth telling; those of ``OPERATOR_EVENTS`` are about notifier's own surroundings."""

    TASK_SUCCEEDED = "task.succeeded"
    TASK_FAILED = "task.failed"
    TASK_CANCELED = "task.canceled"
    WATCH_EXPIRED = "watch.expired"
    WATCH_LOST = "watch.lost"
    ACCOUNT_REJECTED = "account.rejected"
    ACCOUNT_RESTORED = "account.restored"
    CALLBACK_DISABLED = "callback.disabled"
    DELIVERY_DEAD = "delivery.dead"


OPERATOR_EVENTS = frozenset(
    {EventType.ACCOUNT_REJECTED, EventType.ACCOUNT_RESTORED, EventType.CALLBACK_DISABLED, EventType.DELIVERY_DEAD}
)

EVENT_OF_OUTCOME: Mapping[Outcome, EventType] = {
    Outcome.SUCCEEDED: EventType.TASK_SUCCEEDED,
    Outcome.FAILED: EventType.TASK_FAILED,
    Outcome.CANCELED: EventType.TASK_CANCELED,
}

# A watch that ended is final: a task is told once. The others come back when somebody asks for the task again.
WATCH_TRANSITIONS: Mapping[WatchState, frozenset[WatchState]] = {
    WatchState.ACTIVE: frozenset({WatchState.ENDED, WatchState.EXPIRED, WatchState.LOST, WatchState.REMOVED}),
    WatchState.ENDED: frozenset(),
    WatchState.EXPIRED: frozenset({WatchState.ACTIVE, WatchState.REMOVED}),
    WatchState.LOST: frozenset({WatchState.ACTIVE, WatchState.REMOVED}),
    WatchState.REMOVED: frozenset({WatchState.ACTIVE}),
}

# Everything may be redelivered by hand, hence the arrows back to pending.
DELIVERY_TRANSITIONS: Mapping[DeliveryState, frozenset[DeliveryState]] = {
    DeliveryState.PENDING: frozenset({DeliveryState.DELIVERED, DeliveryState.DEAD, DeliveryState.HELD}),
    DeliveryState.HELD: frozenset({DeliveryState.PENDING, DeliveryState.DEAD}),
    DeliveryState.DELIVERED: frozenset({DeliveryState.PENDING}),
    DeliveryState.DEAD: frozenset({DeliveryState.PENDING}),
}


def check_transition(old: WatchState | DeliveryState, new: WatchState | DeliveryState) -> None:
    """Refuse a change of state that the tables do not hold.

    :raises TransitionError: when ``old`` may not become ``new``.
    """
    table: Mapping[Any, frozenset[Any]] = WATCH_TRANSITIONS if isinstance(old, WatchState) else DELIVERY_TRANSITIONS
    if new not in table[old]:
        raise TransitionError(f"{type(old).__name__}: {old} may not become {new}")


def _digest(seed: str) -> str:
    """52 lower-case base32 characters of SHA-256 over ``seed``."""
    return base64.b32encode(hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()).decode().rstrip("=").lower()


@dataclass(frozen=True, slots=True)
class TaskKey:
    """A task's name in the whole world. ``account`` and ``kind`` never hold ``|``."""

    account: str
    kind: str
    task_id: str

    @property
    def watch_id(self) -> str:
        """The id of the one watch there can be on this task."""
        return "wch_" + _digest(f"v1|{self.account}|{self.kind}|{self.task_id}")[:26]

    def event_id(self, kind_of_event: EventType) -> str:
        """Give the event's id: the same task and type give the same, on every replica and after every crash."""
        return "evt_" + _digest(f"v1|{self.account}|{self.kind}|{self.task_id}|{kind_of_event}")


def episode_event_id(kind_of_event: EventType, about: str, since: float) -> str:
    """Give the id of an event that can happen again: one per thing it is about and beginning of the episode, in ms."""
    return "evt_" + _digest(f"v1|{about}|{round(since * 1000)}|{kind_of_event}")


def delivery_id(event_id: str, callback: str) -> str:
    """Give the id of the one delivery of this event to this callback."""
    return "dlv_" + _digest(f"v1|{event_id}|{callback}")[:26]


def hash01(key: str) -> float:
    """Map a key to [0, 1) evenly and for ever the same: 53 bits of its SHA-256."""
    return (int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:8]) >> 11) / (1 << 53)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most ``requests`` in any ``seconds`` seconds; written ``100/10s``."""

    requests: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.requests}/{self.seconds:g}s"


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """Somebody's wish that a task be watched, from the file or from a command."""

    key: TaskKey
    label: str | None = None
    callbacks: tuple[str, ...] | None = None  # None: every callback
    deadline: float = 86_400.0  # seconds after the watch began


@dataclass(frozen=True, slots=True)
class Watch:
    """Our interest in one task and what is known of it. A row of ``watches``."""

    key: TaskKey
    label: str | None
    callbacks: tuple[str, ...] | None
    origin: str  # "config": as long as the file lists it; "command": until removed
    state: WatchState
    began_at: float
    deadline_at: float
    next_poll_at: float
    anchor_at: float | None = None  # when the task began to run, on our clock; None until HubSpot told
    polls: int = 0
    polled_at: float | None = None
    status: str | None = None  # HubSpot's word, verbatim
    unknown_count: int = 0  # answers in a row that said "no such task"
    unknown_since: float | None = None
    problem: str | None = None  # what was wrong with the last answer, None when it was good
    correlation_id: str | None = None  # of the last answer that had one; what HubSpot's support asks for
    ended_at: float | None = None
    outcome: Outcome | None = None

    @property
    def watch_id(self) -> str:
        """The id of this watch."""
        return self.key.watch_id

    def event_id(self, kind_of_event: EventType) -> str:
        """Give the id of the event that ends this watch.

        A task ends once, a watch may be given up again each time somebody asks anew: the id of ``watch.*`` tells when
        this one began, to the millisecond.
        """
        if kind_of_event in {EventType.WATCH_EXPIRED, EventType.WATCH_LOST}:
            return episode_event_id(
                kind_of_event, f"{self.key.account}|{self.key.kind}|{self.key.task_id}", self.began_at
            )
        return self.key.event_id(kind_of_event)


@dataclass(frozen=True, slots=True)
class Observation:
    """What one poll saw when HubSpot's answer could be read. All fields but ``status`` may be missing."""

    status: str  # HubSpot's word, verbatim
    recognised: bool  # False: a word we do not know; never terminal
    outcome: Outcome | None = None  # None: not terminal
    requested_at: float | None = None
    started_at: float | None = None
    completed_at: float | None = None
    num_errors: int | None = None
    errors: Sequence[Any] = ()
    result: Any = None
    response: Any = None  # the body as it came


@dataclass(frozen=True, slots=True)
class Event:
    """An immutable fact worth telling."""

    event_id: str
    type: EventType
    occurred_at: float
    data: Mapping[str, Any]  # the payload's ``data``
    watch_id: str | None = None
    about_callback: str | None = None  # an operator event is never sent to the callback it is about


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent, rendered once when the event is recorded and never again."""

    content: bytes
    content_type: str
    degraded: str | None = None  # why it is not what its format was to write, told once when it is rendered


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery about to be owed."""

    delivery_id: str
    event_id: str
    callback: str
    state: DeliveryState  # PENDING, or HELD while the callback is absent or disabled
    body: Body


@dataclass(frozen=True, slots=True)
class Delivery:
    """The duty to tell one event to one callback. A row of ``deliveries``."""

    delivery_id: str
    event_id: str
    event_type: EventType
    callback: str
    state: DeliveryState
    created_at: float
    next_attempt_at: float
    attempts: int = 0  # tries made, all of them
    failures: int = 0  # tries that count against max_attempts
    plain: bool = False  # send the format's plain fallback of the body
    reason: str | None = None  # of the last verdict that was not "delivered"
    delivered_at: float | None = None
    task_id: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that is ours until the lease ends; its attempt ``number`` is already on record."""

    delivery: Delivery
    number: int  # of the attempt now owed, from 1
    body: Body
    about: Mapping[str, Any] = field(default_factory=dict)  # account, task_id, label of the event, for log lines


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP try of a delivery. A row of ``attempts``; ``finished_at`` is None while it is in flight."""

    delivery_id: str
    number: int
    started_at: float
    finished_at: float | None = None
    reach: str | None = None  # "accepted", "rejected", "not_sent", "unknown"
    reason: str | None = None  # "delivered", "status_429", "timeout_read", …
    status_code: int | None = None
    answer: str | None = None  # the first 4 KiB, redacted
