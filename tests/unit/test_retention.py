"""Forgetting over a long time: the store stays as large as what is kept, and no listed task is told again."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import pytest
from samples import NOW, a_watch, ended

from notifier.clock import ManualClock
from notifier.facts import StorePruned
from notifier.model import (
    Attempt,
    Body,
    Claim,
    DeliveryState,
    Event,
    EventType,
    NewDelivery,
    Watch,
    WatchState,
    delivery_id,
)
from notifier.store.contract import Page, PollResult, Selection, Settlement, Store, Telling
from notifier.store.retention import FIRST_PRUNING, Pruner, ages, prune
from notifier.store.settings import DAY, Retention
from notifier.store.sqlite import SqliteStore, open_sqlite
from notifier.telemetry import Fact

A_DAYS_TASKS = 12
CALLBACKS = ("erp", "ops")
RETENTION = Retention()
LISTED = ("listed-1", "listed-2")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A new store that does not wait for the disk: what is counted here are bytes, not crashes."""
    async with open_sqlite(tmp_path / "notifier.db", daemon=True) as opened:
        await opened._committer.look(lambda connection: connection.execute("PRAGMA synchronous = OFF"))
        yield opened


async def live_through(store: Store, day: int) -> None:
    """One day: tasks begin and end, and what they owe is settled; now and then a delivery dies or waits for a person."""
    now = NOW + day * DAY
    async with anyio.create_task_group() as group:
        for number in range(A_DAYS_TASKS):
            group.start_soon(end_one, store, a_watch(f"d{day}-{number}", began_at=now, origin="command"), now)
    for callback in CALLBACKS:
        claims = await store.claim(callback, now=now + 60, lease=30, limit=1000)
        async with anyio.create_task_group() as group:
            for number, claim in enumerate(claims):
                group.start_soon(store.settle, outcome(claim, number, day, now + 61), now + 61)


async def end_one(store: Store, watch: Watch, now: float) -> None:
    watch, _ = await store.add_watch(watch)
    event_id = watch.key.event_id(EventType.TASK_SUCCEEDED)
    content = {"account": "main", "task_id": watch.key.task_id, "response": "x" * 1500}
    event = Event(event_id, EventType.TASK_SUCCEEDED, now, content, watch.watch_id)
    body = Body(b"y" * 2000, "application/json")
    owed = [NewDelivery(delivery_id(event_id, name), event_id, name, DeliveryState.PENDING, body) for name in CALLBACKS]
    await store.save_poll(PollResult(replace(ended(watch), ended_at=now), Telling(event, owed)), now)


def outcome(claim: Claim, number: int, day: int, now: float) -> Settlement:
    state = DeliveryState.DEAD if number == 1 else DeliveryState.DELIVERED
    if number == 2 and day % 60 == 0:
        state = DeliveryState.HELD
    attempt = Attempt(claim.delivery.delivery_id, claim.number, now, now, "rejected", "status_500", 500, "z" * 300)
    return Settlement(replace(claim.delivery, state=state, delivered_at=now), attempt)


async def every_page(store: Store, chosen: Selection) -> list[Page]:
    pages, rest = [], 0
    while rest is not None:
        pages.append(await store.select_deliveries(chosen, after=rest, limit=500))
        rest = pages[-1].rest
    return pages


@pytest.mark.timeout(180)
async def test_a_year(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a pruning a day the file is, after the longest retention, as large as it will ever be; what must stay stays."""
    monkeypatch.setattr("notifier.store.retention.BREATH", 0)
    listed = [a_watch(task) for task in LISTED]
    ids = {watch.watch_id for watch in listed}
    assert (await store.reconcile(listed, NOW)).added == len(LISTED)
    for watch in listed:
        await end_one(store, watch, NOW)
    sizes = []
    for day in range(365):
        await live_through(store, day)
        if day % 30 == 0:  # a restart, with the same file
            again = await store.reconcile(
                [replace(watch, began_at=NOW + day * DAY) for watch in listed], NOW + day * DAY
            )
            assert (again.added, again.changed, again.removed) == (0, 0, 0)
        shrunk = await prune(store, ages(RETENTION, ids, NOW + day * DAY))
        sizes.append(shrunk.bytes_after)
    assert max(sizes[120:]) <= 1.1 * max(sizes[90:120])
    kept = [each for page in await every_page(store, Selection()) for each in page.deliveries]
    today = NOW + 364 * DAY
    assert {each.state for each in kept if each.created_at < today - 91 * DAY} == {DeliveryState.HELD}
    assert sum(each.state is DeliveryState.HELD for each in kept) == 2 * 7
    assert sum(each.state is DeliveryState.DEAD for each in kept) == pytest.approx(2 * 90, abs=4)
    assert sum(each.created_at >= today - 29 * DAY for each in kept) == 30 * A_DAYS_TASKS * len(CALLBACKS)
    watches = await store.find_watches(limit=100_000)
    assert {watch.state for watch in watches if watch.watch_id in ids} == {WatchState.ENDED}
    assert len(watches) < 91 * A_DAYS_TASKS
    assert await store.due_watches("main", today + DAY, 9) == []


# -- the daily job ----------------------------------------------------------------------------------------------------


@dataclass
class HandBell:
    """Rings when its time has come on a clock that the test moves, and tells the test when somebody waits for it."""

    clock: ManualClock
    armed_for: float | None = None
    rung: anyio.Event = field(default_factory=anyio.Event)
    awaited: anyio.Event = field(default_factory=anyio.Event)

    def ring(self) -> None:
        self.rung.set()

    def arm(self, at: float | None) -> None:
        self.armed_for = at

    async def wait(self) -> None:
        self.awaited.set()
        await self.rung.wait()
        self.rung = anyio.Event()

    async def turn(self, seconds: float) -> None:
        """Let time pass, ring, and wait until the work is done."""
        self.clock.advance(seconds)
        self.awaited = anyio.Event()
        self.ring()
        with anyio.fail_after(10):
            await self.awaited.wait()


@pytest.fixture
def bell() -> Iterator[HandBell]:
    """A bell and its clock."""
    return HandBell(ManualClock(wall=NOW + 100 * DAY))


async def test_daily(store: SqliteStore, bell: HandBell) -> None:
    """A minute after the start and then each day; it reports what went, and nothing when nothing did."""
    facts: list[Fact] = []
    pruner = Pruner(
        RETENTION, listed=(), store=store, bell=bell, clock=bell.clock.clock, report=facts.append, beat=lambda: None
    )
    await live_through(store, 0)
    async with anyio.create_task_group() as group:
        group.start_soon(pruner.run)
        await bell.turn(FIRST_PRUNING - 1)
        assert facts == []
        assert bell.armed_for == pytest.approx(bell.clock.wall + 1)
        await bell.turn(1)
        [fact] = facts
        assert isinstance(fact, StorePruned)
        assert (fact.deliveries, fact.events) == (2 * fact.events, A_DAYS_TASKS - 1)  # one waits for a person
        await live_through(store, 0)
        await live_through(store, 1)
        await bell.turn(DAY - 1)
        assert len(facts) == 1
        await bell.turn(1)
        assert len(facts) == 2
        await bell.turn(DAY)
        assert len(facts) == 2
        pruner.drain()


async def test_a_clock_that_is_set_prunes_nothing(store: SqliteStore, bell: HandBell) -> None:
    """A day ahead on the machine's clock is no day for the job; plans follow the clock, what is young stays."""
    facts: list[Fact] = []
    clock = bell.clock.clock
    pruner = Pruner(RETENTION, listed=(), store=store, bell=bell, clock=clock, report=facts.append, beat=lambda: None)
    await live_through(store, 100)
    async with anyio.create_task_group() as group:
        group.start_soon(pruner.run)
        await bell.turn(0)
        bell.clock.wall += DAY
        clock.follow(clock.stepped())
        await bell.turn(1)
        assert bell.armed_for == pytest.approx(clock.now() + FIRST_PRUNING - 1)
        pruner.drain()
    assert facts == []
