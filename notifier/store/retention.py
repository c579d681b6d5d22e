"""Forgets what is old, a little at a time, so that deliveries beside it never wait for more than one small commit.

What goes: an event with its deliveries and attempts, once each of them is settled for long enough; a watch that is over,
once no event of it is left. What stays, however old: whatever is pending or held, and the watches of tasks that the file
lists, because those rows are why a task is told only once. The file shrinks as far as it was emptied.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Protocol

import anyio

from notifier.clock import Clock
from notifier.facts import StorePruned
from notifier.store.contract import Ages, Pruned, Store
from notifier.store.settings import DAY, Retention
from notifier.telemetry import Report

EVENTS_AT_ONCE = 100  # with two callbacks some 500 rows
WATCHES_AT_ONCE = 500
PAGES_AT_ONCE = 250  # of 4 KiB
BREATH = 0.02  # seconds between two steps, for those who wait for the disk
FIRST_PRUNING = 60.0  # seconds after the start, when what was missed meanwhile is told


class Bell(Protocol):
    """Says that it is time."""

    def ring(self) -> None:
        """Make who waits go on at once."""

    def arm(self, at: float | None) -> None:
        """Ring at ``at``, unix seconds."""

    async def wait(self) -> None:
        """Sleep until rung."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What a pruning did; sizes in bytes."""

    pruned: Pruned
    bytes_before: int
    bytes_after: int


def ages(retention: Retention, listed: Collection[str], now: float) -> Ages:
    """Give the times before which things may be forgotten at ``now``."""
    return Ages(now - retention.delivered, now - retention.dead, listed)


async def prune(
    store: Store, old: Ages, *, dry_run: bool = False, on_step: Callable[[], None] = lambda: None
) -> Shrunk:
    """Forget what is ``old``, step by step; being cut short between two steps harms nothing.

    :param dry_run: only count.
    :param on_step: called after each step.
    """
    before, total = await store.size(), Pruned()
    # Events first: a watch goes when its events are gone.
    for forget, limit in ((store.prune_events, EVENTS_AT_ONCE), (store.prune_watches, WATCHES_AT_ONCE)):
        after, over = None, False
        while not over:
            step = await forget(old, after=after, limit=limit, dry_run=dry_run)
            total, after, over = _sum(total, step), step.rest, step.rest is None
            on_step()
            await anyio.sleep(BREATH)
    while not dry_run and await store.give_back_space(PAGES_AT_ONCE):
        on_step()
        await anyio.sleep(BREATH)
    return Shrunk(total, before, await store.size())


def _sum(one: Pruned, other: Pruned) -> Pruned:
    counts = ("events", "deliveries", "attempts", "watches")
    return replace(one, **{name: getattr(one, name) + getattr(other, name) for name in counts})


class Pruner:
    """Prunes once a day; ``run`` returns after ``drain``."""

    def __init__(
        self,
        retention: Retention,
        *,
        listed: Collection[str],
        store: Store,
        bell: Bell,
        clock: Clock,
        report: Report,
        beat: Callable[[], None],
        first: float = FIRST_PRUNING,
    ) -> None:
        self._retention = retention
        self._listed = listed  # ids of the watches of the file's tasks
        self._store = store
        self._bell = bell
        self._clock = clock
        self._report = report
        self._beat = beat  # called each time round and after each step, for the watchdog
        self._due = clock.monotonic() + first
        self._stopping = anyio.CancelScope()

    def wake(self) -> None:
        """Look whether it is time; it goes by a clock that is never set."""
        self._bell.ring()

    def drain(self) -> None:
        """Stop between two steps."""
        self._stopping.cancel()

    async def run(self) -> None:
        """Prune daily until drained."""
        with self._stopping:
            while True:
                self._beat()
                if self._clock.monotonic() >= self._due:
                    self._due = self._clock.monotonic() + DAY
                    await self._prune()
                self._bell.arm(self._clock.now() + self._due - self._clock.monotonic())
                await self._bell.wait()

    async def _prune(self) -> None:
        began = self._clock.monotonic()
        old = ages(self._retention, self._listed, self._clock.now())
        shrunk = await prune(self._store, old, on_step=self._beat)
        counts, freed = shrunk.pruned, shrunk.bytes_before - shrunk.bytes_after
        if counts.events or counts.watches:
            seconds = round(self._clock.monotonic() - began, 3)
            self._report(
                StorePruned(counts.events, counts.deliveries, counts.attempts, counts.watches, max(freed, 0), seconds)
            )
