"""Restart means nothing: whatever is stopped at whatever moment, every terminal task is told, under one id."""

import json
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from rig import Rig, request, rig, webhook

from notifier.errors import StoreLocked
from notifier.model import DeliveryState, WatchState


async def told(it: Rig) -> dict[str, set[str | None]]:
    """The webhook-ids per task that arrived."""
    ids: dict[str, set[str | None]] = {}
    for arrival in it.receiver.arrivals:
        ids.setdefault(json.loads(arrival.body)["data"]["task_id"], set()).add(arrival.webhook_id)
    return ids


async def test_told_stays_told(tmp_path: Path) -> None:
    """A task that was told is not told again, nor polled, although the file still lists it."""
    async with rig(tmp_path) as it:
        it.hubspot.add_task("a", pending=0.0, processing=0.0)
        settings = it.settings(["a"])
        async with it.daemon(settings):
            await it.facts.wait_for("attempt.finished")
        polls = it.hubspot.statistics.per_task["a"]
        it.hubspot.add_task("b", pending=0.0, processing=0.0)
        for _ in range(2):
            async with it.daemon(it.settings(["a", "b"])):
                await it.receiver.wait_for(2)
        assert it.hubspot.statistics.per_task["a"] == polls
        assert {task: len(ids) for task, ids in (await told(it)).items()} == {"a": 1, "b": 1}
        assert len(it.receiver.arrivals) == 2


async def test_ended_while_nobody_looked(tmp_path: Path) -> None:
    """A task that ends while the daemon is down is told after the start."""
    async with rig(tmp_path) as it:
        it.hubspot.add_task("a", pending=0.0, processing=60.0)
        settings = it.settings(["a"])
        async with it.daemon(settings):
            await it.facts.wait_for("poll.changed")
        it.hubspot.end_task("a")
        async with it.daemon(settings):
            await it.receiver.wait_for(1)


async def test_owed_while_nobody_answered(tmp_path: Path) -> None:
    """What could not be delivered before the stop is delivered after the start."""
    async with rig(tmp_path) as it:
        it.hubspot.add_task("a", pending=0.0, processing=0.0)
        settings = it.settings(["a"], schedule=(0.0, 0.3, 0.3))
        it.receiver.script(503)
        async with it.daemon(settings):
            await it.facts.wait_for("attempt.failed")
        async with it.daemon(settings):
            await it.receiver.wait_for(2)
        assert {task: len(ids) for task, ids in (await told(it)).items()} == {"a": 1}


async def test_cut_off_in_mid_send(tmp_path: Path) -> None:
    """The daemon dies while a receiver thinks: sent again at once by the next run, under the same id."""
    async with rig(tmp_path) as it:
        it.hubspot.add_task("a", pending=0.0, processing=0.0)
        settings = it.settings(["a"])
        it.receiver.script("hang")
        with anyio.CancelScope() as power_cut:
            async with it.daemon(settings):
                await it.receiver.wait_for(1)
                power_cut.cancel()
        async with it.daemon(settings):
            await it.receiver.wait_for(2)
            await it.facts.wait_for("attempt.finished")
            async with it.store() as store:
                [delivery] = await store.find_deliveries()
                _, _, tries = await store.find_delivery(delivery.delivery_id)
        assert [(each.reach, each.reason) for each in tries] == [("unknown", "interrupted"), ("accepted", "delivered")]
        assert {task: len(ids) for task, ids in (await told(it)).items()} == {"a": 1}
        assert delivery.failures == 0


@pytest.mark.parametrize("moment", [0.0, 0.02, 0.1, 0.3, 0.5])
async def test_stopped_at_any_moment(tmp_path: Path, moment: float) -> None:
    """Drained after so many seconds, again and again: all are told, each under one id, none twice."""
    async with rig(tmp_path) as it:
        tasks = [f"t{number}" for number in range(12)]
        for number, task in enumerate(tasks):
            it.hubspot.add_task(task, pending=0.05 * number, processing=0.1 * number)
        settings = it.settings(tasks)
        for _ in range(3):
            async with it.daemon(settings):
                await anyio.sleep(moment)
        async with it.daemon(settings):
            await it.receiver.wait_for(12, distinct=True)
        assert {task: len(ids) for task, ids in (await told(it)).items()} == dict.fromkeys(tasks, 1)
        assert len(it.receiver.arrivals) == 12


async def test_a_drain_finishes_what_is_in_flight(tmp_path: Path) -> None:
    """A receiver that needs a second is waited for, and its answer counts."""
    from notifier.simulator.actions import Answer, Delayed

    async with rig(tmp_path) as it:
        it.hubspot.add_task("a", pending=0.0, processing=0.0)
        it.receiver.script(Delayed(1.0, Answer(200)))
        async with it.daemon(it.settings(["a"])) as stopping:
            await it.receiver.wait_for(1)
            stopping.set()
        async with it.store() as store:
            [delivery] = await store.find_deliveries()
        assert delivery.state is DeliveryState.DELIVERED
        [stopped] = it.facts.named("daemon.stopped")
        assert stopped.interrupted == 0


async def test_tasks_taken_out_of_the_file_stop(tmp_path: Path) -> None:
    """Desired state: what is no longer listed is no longer polled; listed again, it is watched again."""
    async with rig(tmp_path) as it:
        it.hubspot.add_task("a", pending=0.0, processing=60.0)
        async with it.daemon(it.settings(["a"])):
            await it.facts.wait_for("poll.changed")
        async with it.daemon(it.settings([])):
            pass
        async with it.store() as store:
            [watch] = await store.find_watches()
            assert watch.state is WatchState.REMOVED
        it.hubspot.end_task("a")
        async with it.daemon(it.settings(["a"])):
            await it.receiver.wait_for(1)


async def test_a_callback_away_for_a_while(tmp_path: Path) -> None:
    """Taken out of the file, what it is owed is held; back in the file, it is delivered."""
    async with rig(tmp_path) as it:
        it.hubspot.add_task("a", pending=0.0, processing=0.0)
        dead_end = webhook("http://127.0.0.1:1/hook", "other")
        settings = it.settings(["a"], [webhook("http://127.0.0.1:1/hook"), dead_end], schedule=(0.0, 60.0))
        async with it.daemon(settings):
            await it.facts.wait_for("attempt.failed", 2)
        async with it.daemon(replace(settings, callbacks={"other": dead_end})):
            async with it.store() as store:
                [held] = await store.find_deliveries(callback="erp")
            assert (held.state, held.reason) == (DeliveryState.HELD, "absent")
        async with it.daemon(replace(settings, callbacks={"erp": webhook(it.receiver_url + "/hook")})):
            await it.receiver.wait_for(1)


async def test_a_watch_added_from_another_shell_is_polled_within_two_seconds(tmp_path: Path) -> None:
    """The daemon notices what commands write to the store, with the default request cost."""
    from notifier.polling.settings import PollingSettings
    from notifier.polling.watches import begin_watch

    async with rig(tmp_path) as it:
        it.hubspot.add_task("late", pending=0.0, processing=0.0)
        async with it.daemon(it.settings([], polling=PollingSettings())):
            async with it.store() as store:
                added = it.clock.now()
                await store.add_watch(begin_watch(request("late"), origin="command", cost=1.0, now=added))
            await it.receiver.wait_for(1)
        [polled, *_] = it.hubspot.statistics.times["late"]
        assert polled - added <= 2.0


async def test_a_second_daemon_is_refused(tmp_path: Path) -> None:
    """Two on one store would tell everything twice."""
    async with rig(tmp_path) as it, it.daemon(it.settings([])):
        with pytest.RaisesGroup(StoreLocked, flatten_subgroups=True, allow_unwrapped=True):
            async with it.daemon(it.settings([])):
                pass


async def test_the_clock_is_set_ahead_and_back(tmp_path: Path) -> None:
    """A day ahead expires nothing, a day back stops nothing: plans move with the clock."""
    import time

    from notifier.clock import Clock

    offset = 0.0
    async with rig(tmp_path) as it:
        it.clock = Clock(wall=lambda: time.time() + offset)
        it.hubspot.add_task("a", pending=0.0, processing=60.0)
        async with it.daemon(it.settings([request("a", deadline=600.0)])):
            await it.facts.wait_for("poll.changed")
            for number, step in enumerate((86_400.0, -86_400.0), 1):
                offset += step
                [*_, fact] = await it.facts.wait_for("clock.stepped", number)
                assert abs(fact.seconds - step) < 1
                polls = it.hubspot.statistics.per_task["a"]
                with anyio.fail_after(10):
                    while it.hubspot.statistics.per_task["a"] < polls + 2:
                        await anyio.sleep(0.02)
            it.hubspot.end_task("a")
            [arrival] = await it.receiver.wait_for(1)
        assert json.loads(arrival.body)["type"] == "task.succeeded"


async def test_given_up_again_is_told_again(tmp_path: Path) -> None:
    """A task asked for anew after it expired is a new watch: when that expires too, it is told under another id."""
    from notifier.polling.watches import begin_watch

    async with rig(tmp_path) as it:
        it.hubspot.add_task("forever", pending=0.0, processing=0.0, ends="never")
        short = request("forever", deadline=0.3)
        async with it.daemon(it.settings([short])):
            await it.receiver.wait_for(1)
            async with it.store() as store:
                await store.add_watch(begin_watch(short, origin="command", cost=0.01, now=it.clock.now()))
            first, second = await it.receiver.wait_for(2)
        assert json.loads(first.body)["type"] == json.loads(second.body)["type"] == "watch.expired"
        assert first.webhook_id != second.webhook_id


async def test_started_with_a_clock_that_is_behind(tmp_path: Path) -> None:
    """A machine boots two days behind and is set right later: no deadline moves, nothing expires, all is told."""
    import time

    from notifier.clock import Clock

    offset = 0.0
    async with rig(tmp_path) as it:
        it.hubspot.add_task("a", pending=0.0, processing=60.0)
        settings = it.settings([request("a", deadline=3600.0)])
        async with it.daemon(settings):
            await it.facts.wait_for("poll.changed")
            async with it.store() as store:
                [before] = await store.watches_of_task("a")
        offset = -2 * 86_400.0
        it.clock = Clock(wall=lambda: time.time() + offset)
        async with it.daemon(settings):
            await it.facts.wait_for("clock.stepped")
            offset = 0.0
            await it.facts.wait_for("clock.stepped", 2)
            it.hubspot.end_task("a")
            [arrival] = await it.receiver.wait_for(1)
            async with it.store() as store:
                [after] = await store.watches_of_task("a")
        assert json.loads(arrival.body)["type"] == "task.succeeded"
        assert abs(after.deadline_at - before.deadline_at) < 5
