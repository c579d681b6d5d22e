"""The facts this program reports, one class each; what they are called is what the log says."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from notifier.model import Event
from notifier.telemetry import Fact


@dataclass(frozen=True, slots=True)
class PollChanged(Fact):
    """A poll saw something that the one before had not."""

    name = "poll.changed"

    account: str
    kind: str
    task_id: str
    label: str | None
    status: str | None
    previous_status: str | None
    state: str
    polls: int
    next_poll_in: float | None  # seconds
    correlation_id: str | None


@dataclass(frozen=True, slots=True)
class PollTroubled(Fact):
    """A poll brought no good answer; told when the trouble is new, not each time."""

    name = "poll.troubled"
    level = "warning"

    account: str
    kind: str
    task_id: str
    label: str | None
    problem: str
    status: str | None
    polls: int
    next_poll_in: float | None  # seconds
    correlation_id: str | None


@dataclass(frozen=True, slots=True)
class StatusUnknown(Fact):
    """HubSpot used a status word that is not in its specification; the task is polled on."""

    name = "poll.status_unknown"
    level = "warning"

    account: str
    kind: str
    task_id: str
    status: str


@dataclass(frozen=True, slots=True)
class BodyDegraded(Fact):
    """A callback's own format could not write this event, so it is told in the default format."""

    name = "body.degraded"
    level = "warning"

    callback: str
    event_id: str
    type: str
    reason: str


@dataclass(frozen=True, slots=True)
class EventRecorded(Fact):
    """An event is on disk, with the deliveries it owes."""

    name = "event.recorded"

    event_id: str
    type: str
    account: str | None
    kind: str | None
    task_id: str | None
    label: str | None
    outcome: str | None
    duration_seconds: float | None
    callbacks: str  # comma-separated

    @classmethod
    def of(cls, event: Event, callbacks: Iterable[str]) -> Self:
        """Make the fact of ``event``, owed to ``callbacks``."""
        about = {
            name: event.data.get(name)
            for name in ("account", "kind", "task_id", "label", "outcome", "duration_seconds")
        }
        return cls(event_id=event.event_id, type=event.type, callbacks=",".join(callbacks), **about)


@dataclass(frozen=True, slots=True)
class AttemptFinished(Fact):
    """One HTTP try of a delivery is over."""

    name = "attempt.finished"

    delivery_id: str
    event_id: str
    type: str
    callback: str
    account: str | None
    task_id: str | None
    label: str | None
    number: int
    state: str  # of the delivery, after it
    reach: str
    reason: str
    status_code: int | None
    duration_ms: float
    latency_ms: float | None  # from the event on record to a 2xx
    next_attempt_in: float | None  # seconds


@dataclass(frozen=True, slots=True)
class AttemptFailed(AttemptFinished):
    """One HTTP try of a delivery was not accepted."""

    name = "attempt.failed"
    level = "warning"


@dataclass(frozen=True, slots=True)
class DeliveryDied(AttemptFinished):
    """A delivery is given up; `notifier delivery redeliver` owes it again."""

    name = "delivery.died"
    level = "error"


@dataclass(frozen=True, slots=True)
class CallbackUnverified(Fact):
    """A callback's TLS is not verified; told at every start, as an error so that no log level leaves it out."""

    name = "callback.unverified"
    level = "error"

    callback: str
    remedy: str = "name the receiver's certificate, or its authority's, in tls.ca_file, and take tls.verify out"


@dataclass(frozen=True, slots=True)
class CallbackPaused(Fact):
    """A callback asked for less: everything owed to it waits."""

    name = "callback.paused"
    level = "warning"

    callback: str
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class CallbackDisabled(Fact):
    """A callback said that it is gone; `notifier callback enable` brings it back."""

    name = "callback.disabled"
    level = "error"

    callback: str
    reason: str
    buried: int  # deliveries that died of it


@dataclass(frozen=True, slots=True)
class BreakerOpened(Fact):
    """A receiver as a whole does not answer: it is left alone for a while, which costs no attempts."""

    name = "breaker.opened"
    level = "warning"

    callback: str
    seconds: float  # until one attempt probes it
    openings: int  # in a row
    failures: int  # in a row
    reason: str  # of the last of them


@dataclass(frozen=True, slots=True)
class BreakerClosed(Fact):
    """A receiver answers again: everything owed to it flows."""

    name = "breaker.closed"

    callback: str
    seconds: float  # since it opened


@dataclass(frozen=True, slots=True)
class AccountPaused(Fact):
    """HubSpot asked for fewer requests, or can't be reached: the account's polls wait."""

    name = "account.paused"
    level = "warning"

    account: str
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class AccountRejected(Fact):
    """HubSpot refuses the account's credentials; a person must mend them."""

    name = "account.rejected"
    level = "error"

    account: str
    reason: str
    correlation_id: str | None


@dataclass(frozen=True, slots=True)
class AccountRestored(Fact):
    """HubSpot accepts the account's credentials again."""

    name = "account.restored"

    account: str
    seconds: float  # how long it was rejected


@dataclass(frozen=True, slots=True)
class AccountAbsent(Fact):
    """Tasks are watched of an account that is not configured: they can't be polled, only expire."""

    name = "account.absent"
    level = "warning"

    account: str
    watches: int


@dataclass(frozen=True, slots=True)
class DaemonStarted(Fact):
    """The daemon is ready."""

    name = "daemon.started"

    version: str
    config: str | None
    store: str
    accounts: int
    callbacks: int
    added: int
    removed: int
    changed: int
    active: int
    interrupted: int  # attempts of the run before that nobody can tell the end of
    warnings: int


@dataclass(frozen=True, slots=True)
class DaemonStopping(Fact):
    """The daemon finishes what is in flight."""

    name = "daemon.stopping"

    reason: str
    polls: int
    attempts: int


@dataclass(frozen=True, slots=True)
class DaemonStopped(Fact):
    """The daemon has stopped; ``interrupted`` attempts will be made again under the same id."""

    name = "daemon.stopped"

    interrupted: int
    seconds: float


@dataclass(frozen=True, slots=True)
class StoreStuck(Fact):
    """Commits wait (a full disk, another writer); they are tried again each second."""

    name = "store.stuck"
    level = "error"

    reason: str


@dataclass(frozen=True, slots=True)
class StorePruned(Fact):
    """What is older than the retention was forgotten."""

    name = "store.pruned"

    events: int
    deliveries: int
    attempts: int
    watches: int
    bytes_freed: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ClockStepped(Fact):
    """Somebody set the machine's clock; every plan was moved with it."""

    name = "clock.stepped"
    level = "warning"

    seconds: float


@dataclass(frozen=True, slots=True)
class DaemonStuck(Fact):
    """Loops do not come round any more: no sign of life is given, so the service manager restarts the daemon."""

    name = "daemon.stuck"
    level = "critical"

    loops: str
    stacks: str


@dataclass(frozen=True, slots=True)
class ConfigDoubtful(Fact):
    """A warning of the configuration."""

    name = "config.doubtful"
    level = "warning"

    problem: str
    path: str | None
    line: int | None
    hint: str | None
