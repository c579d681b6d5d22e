"""What happens around the daemon is noticed: polls planned too late, a clock that is set, others that write."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from rig import Facts
from samples import NOW, a_watch

from notifier.clock import ManualClock
from notifier.facts import ClockStepped
from notifier.lookout import Lookout
from notifier.store.sqlite import SqliteStore, open_sqlite

DAY = 86_400.0
TEN_YEARS = 3652 * DAY  # no schedule plans a poll that late


@dataclass
class Scene:
    """A lookout over a store, on a clock that only the test moves."""

    store: SqliteStore
    clock: ManualClock = field(default_factory=ManualClock)
    facts: Facts = field(default_factory=Facts)
    wakes: int = 0

    def lookout(self) -> Lookout:
        return Lookout(
            self.store,
            clock=self.clock.clock,
            accounts=["main"],
            cost=1.0,
            owe=lambda _event, _asked: [],
            wake=self.wake,
            report=self.facts,
            beat=lambda: None,
        )

    def wake(self) -> None:
        self.wakes += 1

    async def plan_late(self, task_id: str) -> None:
        """Watch a task with a poll that is planned ten years ahead."""
        late = self.clock.clock.now() + TEN_YEARS
        await self.store.add_watch(a_watch(task_id, next_poll_at=late, deadline_at=late + DAY))

    async def due(self) -> list[str]:
        return [watch.key.task_id for watch in await self.store.due_watches("main", self.clock.clock.now(), 9)]


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """A scene on a new store; whoever looks around does so without waiting long."""
    monkeypatch.setattr("notifier.lookout.LOOK_EVERY", 0.005)
    async with open_sqlite(tmp_path / "notifier.db", daemon=True) as store:
        yield Scene(store)


async def until_woken(scene: Scene) -> None:
    with anyio.fail_after(5):
        while not scene.wakes:
            await anyio.sleep(0.005)


async def test_polls_planned_too_late_are_due_at_the_start(scene: Scene) -> None:
    """A clock that ran ahead before the last stop has planned them: nobody waits ten years."""
    await scene.plan_late("a")
    assert await scene.due() == []
    await scene.lookout().begin()
    assert await scene.due() == ["a"]


async def test_polls_planned_too_late_are_due_within_a_minute(scene: Scene) -> None:
    """Whenever it happens, the next upkeep notices it, and the loops look at once."""
    lookout = scene.lookout()
    await lookout.begin()
    async with anyio.create_task_group() as group:
        group.start_soon(lookout.run)
        for task in "ab":  # the second comes after the first round
            await scene.plan_late(task)
            scene.wakes = 0
            scene.clock.advance(61)
            await until_woken(scene)
            assert task in await scene.due()
        group.cancel_scope.cancel()


async def test_a_clock_that_is_set_wakes_the_loops(scene: Scene) -> None:
    """They sleep until a time of the machine's clock, which is another one now."""
    await scene.store.add_watch(a_watch("a"))
    async with anyio.create_task_group() as group:
        group.start_soon(scene.lookout().run)
        scene.clock.wall += DAY
        await until_woken(scene)
        group.cancel_scope.cancel()
    [stepped] = [fact for fact in scene.facts.seen if isinstance(fact, ClockStepped)]
    assert stepped.seconds == DAY
    [watch] = await scene.store.watches_of_task("a")
    assert watch.next_poll_at == NOW + 1 + DAY
    assert scene.clock.clock.now() == NOW + DAY


async def test_what_another_program_writes_wakes_the_loops(scene: Scene) -> None:
    """A command asked for something."""
    async with anyio.create_task_group() as group:
        assert not await scene.store.changed_elsewhere()  # from now on
        group.start_soon(scene.lookout().run)
        async with open_sqlite(scene.store.path, daemon=False) as other:
            await other.add_watch(a_watch("a"))
        await until_woken(scene)
        group.cancel_scope.cancel()


async def test_a_disciplined_clock_wakes_nobody(scene: Scene) -> None:
    """Less than a second is followed in silence."""
    async with anyio.create_task_group() as group:
        group.start_soon(scene.lookout().run)
        scene.clock.wall += 0.9
        with anyio.fail_after(5):
            while scene.clock.clock.stepped():
                await anyio.sleep(0.005)
        group.cancel_scope.cancel()
    assert (scene.wakes, scene.facts.seen) == (0, [])
