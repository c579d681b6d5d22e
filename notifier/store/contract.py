"""The one contract every store keeps; ``tests/unit/test_store.py`` holds each backend to it.

A store belongs to one *session*: one running daemon (on SQLite the lock file proves there is no other), or a command
that looks on or asks for something. The session is the only writer of its accounts' progress, events and deliveries, so
nothing on the hot path claims rows of watches; every write that follows from a poll or an attempt names the account or
the callback it belongs to, which is what a backend shared by several replicas needs to fence it.

Each method is one transaction. What it returned is on disk.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from notifier.model import Attempt, Claim, Delivery, DeliveryState, Event, NewDelivery, Watch, WatchState


@dataclass(frozen=True, slots=True)
class Telling:
    """An event and the deliveries owed for it; recorded together or not at all."""

    event: Event
    deliveries: Sequence[NewDelivery] = ()


@dataclass(frozen=True, slots=True)
class PollResult:
    """What a poll made of a watch. Dropped whole when the watch is no longer active."""

    watch: Watch  # as it is now to be
    telling: Telling | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an attempt made of a delivery. Dropped whole when the lease is no longer ours."""

    delivery: Delivery  # as it is now to be
    attempt: Attempt
    pause_until: float | None = None  # the whole callback waits until then
    disable: str | None = None  # the reason for which the callback is disabled, its queue dead-lettered with it
    tellings: Sequence[Telling] = ()  # operator events


@dataclass(frozen=True, slots=True)
class CallbackStanding:
    """What is remembered of a callback between attempts."""

    name: str
    paused_until: float | None = None
    disabled_at: float | None = None
    disabled_reason: str | None = None


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """What is remembered of an account between polls."""

    name: str
    rejected_at: float | None = None
    reason: str | None = None
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Live:
    """How much there is to do, and how much a person should look at."""

    active: int  # watches
    pending: int  # deliveries
    held: int
    dead: int


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What became of the file's tasks."""

    added: int
    removed: int
    changed: int
    kept: int


class Store(Protocol):
    """Everything that is asked of a store. ``now`` is always the caller's, in unix seconds."""

    # -- watches ------------------------------------------------------------------------------------------------------
    async def reconcile(self, wanted: Sequence[Watch], now: float) -> Reconciled:
        """Make the active watches of origin ``config`` those of the file, given as they would begin now.

        A watch that is there keeps its progress and takes the file's label, callbacks and deadline; one that was removed
        begins again; one that ended, expired or was lost stays so, whatever the file lists.
        """

    async def add_watch(self, wanted: Watch) -> tuple[Watch, bool]:
        """Begin a watch; True when that is news. One that is active or ended is left as it is."""

    async def remove_watch(self, watch_id: str, now: float) -> Watch:
        """Stop watching. :raises UnknownName: no such watch."""

    async def due_watches(self, account: str, now: float, limit: int) -> Sequence[Watch]:
        """Give active watches whose poll is due, the longest due first."""

    async def next_poll_at(self, account: str, *, after: float) -> float | None:
        """Tell when the first poll of the account after ``after`` is due."""

    async def overdue_watches(self, account: str, before: float, limit: int) -> Sequence[Watch]:
        """Give active watches whose deadline passed before ``before``."""

    async def save_poll(self, result: PollResult, now: float) -> bool:
        """Record what a poll saw, with the event and the deliveries it owes; False when the watch is not active."""

    async def find_watches(
        self,
        *,
        states: Iterable[WatchState] | None = None,
        account: str | None = None,
        limit: int = 100,
    ) -> Sequence[Watch]:
        """List watches, the latest begun first."""

    async def watches_of_task(self, wanted: str) -> Sequence[Watch]:
        """Give the watches of that task id or watch id; several when accounts or kinds share a task id."""

    async def count_watches(self) -> dict[tuple[str, str, WatchState], int]:
        """Count watches per account, kind and state."""

    async def count_live(self) -> Live:
        """Count what is live; cheap enough to be asked again and again, whatever has ended."""

    # -- events and deliveries ----------------------------------------------------------------------------------------
    async def record(self, telling: Telling, now: float) -> bool:
        """Record an event and what it owes; False when the event was on record already."""

    async def claim(self, callback: str, *, now: float, lease: float, limit: int) -> Sequence[Claim]:
        """Take due deliveries of a callback and open an attempt for each, in one commit; the longest due first."""

    async def settle(self, settlement: Settlement, now: float) -> bool:
        """Record how an attempt went; False when the lease was lost meanwhile."""

    async def next_attempt_at(self, callback: str) -> float | None:
        """Tell when the callback's next delivery is due."""

    async def adopt_deliveries(self, configured: Collection[str], holding: Collection[str], now: float) -> int:
        """Take back what a session that is gone had claimed; hold what is owed to callbacks not ``configured``.

        Attempts left open are closed as ``unknown``/``interrupted`` and owed again at once, or held for the callbacks
        in ``holding``. Returns how many there were.
        """

    async def release(self, holding: Collection[str], now: float) -> int:
        """Give back every lease of this session before it ends, as ``adopt_deliveries`` does; gives their number."""

    async def find_event(self, event_id: str) -> Event:
        """Give one event. :raises UnknownName: no such event."""

    async def find_deliveries(
        self,
        *,
        states: Iterable[DeliveryState] | None = None,
        callback: str | None = None,
        limit: int = 100,
    ) -> Sequence[Delivery]:
        """List deliveries, the latest first."""

    async def deliveries_of_watch(self, watch_id: str) -> Sequence[Delivery]:
        """List what is owed because of a watch, the latest first."""

    async def find_delivery(self, delivery_id: str) -> tuple[Delivery, Event, Sequence[Attempt]]:
        """Give one delivery with its event and attempts; the beginning of its id is enough.

        :raises UnknownName: none, or several that begin so.
        """

    async def oldest_undelivered(self) -> dict[str, float]:
        """Tell per callback since when its oldest pending delivery is owed."""

    async def redeliver(self, delivery_id: str, now: float) -> Delivery:
        """Owe a delivery again, with all its retries. :raises UnknownName: no such delivery."""

    async def count_deliveries(self) -> dict[tuple[str, DeliveryState], int]:
        """Count deliveries per callback and state."""

    # -- standings ----------------------------------------------------------------------------------------------------
    async def callback_standing(self, name: str) -> CallbackStanding:
        """Tell what is remembered of a callback; a blank standing when nothing is."""

    async def enable_callback(self, name: str, now: float) -> None:
        """Lift a pause or a disablement and owe what was held for it."""

    async def disable_callback(self, name: str, reason: str, now: float) -> None:
        """Send nothing more to a callback and hold what is owed to it."""

    async def account_standing(self, name: str) -> AccountStanding:
        """Tell what is remembered of an account; a blank standing when nothing is."""

    async def set_account_standing(self, standing: AccountStanding, telling: Telling | None, now: float) -> None:
        """Remember a standing, and record the operator event that goes with it."""

    # -- the store itself ---------------------------------------------------------------------------------------------
    async def shift_plans(self, seconds: float) -> None:
        """Move every time that is planned or counted from, because the machine's clock was set."""

    async def pull_in_polls(self, account: str, latest: float, now: float) -> int:
        """Make due now every poll planned later than ``latest``: a clock that was set back between two runs."""

    async def changed_elsewhere(self) -> bool:
        """Tell whether somebody else wrote to the store since this was last asked."""
