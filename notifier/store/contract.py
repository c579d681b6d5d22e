"""The one contract every store keeps; ``tests/unit/test_store.py`` holds each backend to it.

A store belongs to one *session*: one running daemon (on SQLite the lock file proves there is no other), or a command
that looks on or asks for something. The session is the only writer of its accounts' progress, events and deliveries, so
nothing on the hot path claims rows of watches; every write that follows from a poll or an attempt names the account or
the callback it belongs to, which is what a backend shared by several replicas needs to fence it.

Each method is one transaction. What it returned is on disk.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from notifier.model import Attempt, Body, Claim, Delivery, DeliveryState, Event, NewDelivery, Watch, WatchState


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
class Disabling:
    """The end of a callback, which takes its queue along."""

    reason: str
    tell: Callable[[int], Telling]  # the operator event, by how many deliveries died of it; pure


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an attempt made of a delivery. Dropped whole when the lease is no longer ours."""

    delivery: Delivery  # as it is now to be
    attempt: Attempt
    pause_until: float | None = None  # the whole callback waits until then
    disabling: Disabling | None = None  # disable the callback and dead-letter its queue, unless it is disabled already
    tellings: Sequence[Telling] = ()  # operator events; if this is what disables the callback, its own stands for them


@dataclass(frozen=True, slots=True)
class Settled:
    """What was recorded of a settlement beside the delivery and the attempt."""

    tellings: Sequence[Telling] = ()
    buried: int = 0  # deliveries that died because the callback was disabled, the settled one included


@dataclass(frozen=True, slots=True)
class CallbackStanding:
    """What is remembered of a callback between attempts."""

    name: str
    paused_until: float | None = None
    disabled_at: float | None = None
    disabled_reason: str | None = None
    open_until: float | None = None  # the running daemon's breaker is open, or half-open after that; None: closed


@dataclass(frozen=True, slots=True)
class Selection:
    """Which deliveries are meant; what is left out does not matter."""

    states: Collection[DeliveryState] = ()  # any of them
    callback: str | None = None
    event_type: str | None = None  # a pattern as in the configuration: task.*
    since: float | None = None  # owed since then


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what was asked for, and where the rest begins."""

    deliveries: Sequence[Delivery]
    rest: int | None  # None: that was all


@dataclass(frozen=True, slots=True)
class Ages:
    """What is older than these, in unix seconds, may be forgotten."""

    delivered: float  # events whose deliveries were all delivered before
    dead: float  # … or died before
    listed: Collection[str] = ()  # ids of the watches that are kept whatever their age: the file lists them


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was forgotten in one step, and where the next begins."""

    events: int = 0
    deliveries: int = 0
    attempts: int = 0
    watches: int = 0
    rest: Any = None  # None: nothing is left to look at


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """What is remembered of an account between polls."""

    name: str
    rejected_at: float | None = None
    reason: str | None = None
    correlation_id: str | None = None
    paused_until: float | None = None
    pause_reason: str | None = None


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
        """Record what a poll saw, with the event and the deliveries it owes.

        False, and nothing recorded, when the watch is not active, or no longer the one that was polled: begun again, or
        moved by ``shift_plans`` meanwhile.
        """

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

    async def watched_accounts(self) -> dict[str, int]:
        """Count the active watches of every account that has any."""

    async def count_live(self) -> Live:
        """Count what is live; cheap enough to be asked again and again, whatever has ended."""

    # -- events and deliveries ----------------------------------------------------------------------------------------
    async def record(self, telling: Telling, now: float) -> bool:
        """Record an event and what it owes; False when the event was on record already."""

    async def claim(self, callback: str, *, now: float, lease: float, limit: int) -> Sequence[Claim]:
        """Take due deliveries of a callback and open an attempt for each, in one commit; the longest due first."""

    async def settle(self, settlement: Settlement, now: float) -> Settled | None:
        """Record how an attempt went; None when the lease was lost meanwhile."""

    async def next_attempt_at(self, callback: str) -> float | None:
        """Tell when the callback's next delivery is due."""

    async def adopt_deliveries(self, configured: Collection[str], holding: Collection[str], now: float) -> int:
        """Take back what a session that is gone had claimed; hold what is owed to callbacks not ``configured``.

        Attempts left open are closed as ``unknown``/``interrupted`` and owed again at once, or held for the callbacks
        in ``holding``. Breakers are forgotten, they were in its memory. Returns how many attempts there were.
        """

    async def release(self, holding: Collection[str], now: float) -> int:
        """Give back every lease of this session before it ends, as ``adopt_deliveries`` does; gives their number."""

    async def find_event(self, event_id: str) -> Event:
        """Give one event. :raises UnknownName: no such event."""

    async def find_body(self, delivery_id: str) -> Body | None:
        """Give what is sent for one delivery, as it was rendered once; ``None`` when there is no such delivery."""

    async def find_deliveries(
        self,
        *,
        states: Iterable[DeliveryState] | None = None,
        callback: str | None = None,
        event_type: str | None = None,
        since: float | None = None,
        limit: int = 100,
    ) -> Sequence[Delivery]:
        """List deliveries, the latest first; ``event_type`` and ``since`` as in ``Selection``."""

    async def count_selected(self, selection: Selection) -> int:
        """Count deliveries."""

    async def select_deliveries(self, selection: Selection, *, after: int = 0, limit: int) -> Page:
        """Walk through deliveries, the oldest first, ``limit`` at a time; ``after`` is the ``rest`` of the page before."""

    async def deliveries_of_watch(self, watch_id: str) -> Sequence[Delivery]:
        """List what is owed because of a watch, the latest first."""

    async def find_delivery(self, delivery_id: str) -> tuple[Delivery, Event, Sequence[Attempt]]:
        """Give one delivery with its event and attempts; the beginning of its id is enough.

        :raises UnknownName: none, or several that begin so.
        """

    async def oldest_undelivered(self) -> dict[str, float]:
        """Tell per callback since when its oldest pending delivery is owed."""

    async def redeliver_all(
        self, delivery_ids: Sequence[str], now: float, *, states: Collection[DeliveryState] = ()
    ) -> Sequence[str]:
        """Owe deliveries again, together; gives the ids of those it did.

        Left as they are: what is in flight, what is owed to a disabled callback, and what is in none of ``states`` (any
        when empty) by now.
        """

    async def count_deliveries(self) -> dict[tuple[str, DeliveryState], int]:
        """Count deliveries per callback and state."""

    # -- standings ----------------------------------------------------------------------------------------------------
    async def callback_standing(self, name: str) -> CallbackStanding:
        """Tell what is remembered of a callback; a blank standing when nothing is."""

    async def enable_callback(self, name: str, now: float) -> None:
        """Lift a pause or a disablement and owe what was held for it."""

    async def disable_callback(self, name: str, reason: str, now: float) -> None:
        """Send nothing more to a callback and hold what is owed to it."""

    async def note_breaker(self, name: str, open_until: float | None) -> None:
        """Remember, for those who look on, until when this daemon's breaker is open; None when it closed."""

    async def account_standing(self, name: str) -> AccountStanding:
        """Tell what is remembered of an account; a blank standing when nothing is."""

    async def pause_account(self, name: str, until: float, reason: str) -> None:
        """Remember that the account is not to be asked before ``until``."""

    async def set_account_standing(self, standing: AccountStanding, telling: Telling | None, now: float) -> None:
        """Remember a standing but for its pause, and record the operator event that goes with it."""

    # -- forgetting ---------------------------------------------------------------------------------------------------
    async def prune_events(self, ages: Ages, *, after: Any, limit: int, dry_run: bool) -> Pruned:
        """Forget old events with their deliveries and attempts; looks at ``limit`` events, the oldest first.

        An event goes whole, and only when each of its deliveries is delivered or dead for long enough; pending and held
        ones keep it. One that owed nothing to anybody goes with the delivered.

        :param after: the ``rest`` of the step before, None to begin with.
        :param dry_run: only count.
        """

    async def prune_watches(self, ages: Ages, *, after: Any, limit: int, dry_run: bool) -> Pruned:
        """Forget watches that are over, whose events are forgotten or would be, and that the file does not list.

        A watch that the file lists is kept for ever: its row is why its task is never told again.
        """

    async def give_back_space(self, limit: int) -> bool:
        """Give up to ``limit`` pages that pruning freed back to the file system; False when none is left."""

    async def size(self) -> int:
        """Give the bytes that the store takes."""

    # -- the store itself ---------------------------------------------------------------------------------------------
    async def latest_time(self) -> float | None:
        """Tell the latest time that was noted."""

    async def note_time(self, now: float) -> None:
        """Remember that it is ``now``, so that a clock that is behind at the next start is recognised."""

    async def shift_plans(self, seconds: float) -> None:
        """Move every time that is planned or counted from, because the machine's clock was set."""

    async def pull_in_polls(self, account: str, latest: float, now: float) -> int:
        """Make due now every poll planned later than ``latest``: a clock that was set back between two runs."""

    async def changed_elsewhere(self) -> bool:
        """Tell whether somebody else wrote to the store since this was last asked."""
