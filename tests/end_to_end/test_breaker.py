"""A receiver that is down is left alone, probed, and told everything as soon as it is back; through real sockets."""

from pathlib import Path

import pytest
from rig import Rig, rig, webhook

from notifier.cli.callback import callback_shapes
from notifier.delivery import breaker
from notifier.delivery.settings import Callback
from notifier.facts import BreakerOpened
from notifier.model import DeliveryState
from notifier.simulator.actions import Answer

REST = 0.4  # seconds, instead of 30
LEAST_REST = REST * 0.9  # with the rig's u of 0.5
NOT_YET = 3600.0


@pytest.fixture(autouse=True)
def _short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "FIRST_REST", REST)


def ended(it: Rig, count: int) -> list[str]:
    """Tasks that have ended before anybody asks."""
    tasks = [f"t{number}" for number in range(count)]
    for task in tasks:
        it.hubspot.add_task(task, pending=0.0, processing=0.0)
    return tasks


async def tries(it: Rig) -> list[int]:
    """Give how many attempts each delivery had, by the rows of ``attempts``."""
    async with it.store() as store:
        return [len((await store.find_delivery(each.delivery_id))[2]) for each in await store.find_deliveries()]


async def standing(it: Rig, callback: Callback) -> str:
    """Give the word that `callback list` has for it."""
    async with it.store() as store:
        [shape] = await callback_shapes(store, it.settings([], [callback]))
    return str(shape["standing"])


async def test_down_and_back(tmp_path: Path) -> None:
    """Five failures open it, a failed probe opens it again for longer, an answered one lets the whole queue through."""
    async with rig(tmp_path) as it:
        it.receiver.script(*[503] * 6)
        erp = webhook(it.receiver_url + "/hook", concurrency=1, max_attempts=3)
        async with it.daemon(it.settings(ended(it, 20), [erp])):
            await it.receiver.wait_for(20, distinct=True, timeout=30)
            await it.facts.wait_for("attempt.finished", 20)
        arrivals = it.receiver.arrivals
        opened = [fact for fact in it.facts.named("breaker.opened") if isinstance(fact, BreakerOpened)]
        assert [(fact.openings, fact.failures, fact.reason) for fact in opened] == [
            (1, 5, "status_503"),
            (2, 6, "status_503"),
        ]
        assert opened[1].seconds == pytest.approx(2 * opened[0].seconds)
        assert len(it.facts.named("breaker.closed")) == 1
        assert arrivals[5].received_at - arrivals[4].received_at >= LEAST_REST
        assert arrivals[6].received_at - arrivals[5].received_at >= 2 * LEAST_REST
        assert len(arrivals) == 26
        assert sum(await tries(it)) == 26
        assert it.facts.named("delivery.died") == []


async def test_waiting_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is open there are no attempts and no rows of any; a restart begins closed and delivers at once."""
    monkeypatch.setattr(breaker, "FIRST_REST", NOT_YET)
    monkeypatch.setattr(breaker, "LONGEST_REST", NOT_YET)
    async with rig(tmp_path) as it:
        refusing = webhook("http://127.0.0.1:1/hook", concurrency=1, max_attempts=6)
        settings = it.settings(ended(it, 12), [refusing])
        async with it.daemon(settings):
            await it.facts.wait_for("breaker.opened")
            await it.facts.wait_for("event.recorded", 12)
            async with it.store() as store:
                assert (await store.callback_standing("erp")).open_until is not None
            assert (await standing(it, refusing)).startswith("failing, next try in ")
            assert sum(await tries(it)) == 5
        assert await standing(it, refusing) == "ok"  # nobody runs, so no breaker is open
        healthy = webhook(it.receiver_url + "/hook", max_attempts=6)
        async with it.daemon(it.settings([], [healthy])):
            assert await standing(it, healthy) == "ok"
            await it.receiver.wait_for(12, distinct=True)
            await it.facts.wait_for("attempt.finished", 12)
        assert sum(await tries(it)) == 17


async def test_a_receiver_that_hangs(tmp_path: Path) -> None:
    """Time-outs open it: at most what was in flight beside the fifth failure goes out; then it heals."""
    async with rig(tmp_path) as it:
        it.receiver.script(*["hang"] * 8)
        erp = webhook(it.receiver_url + "/hook", timeout=0.3, max_attempts=8)
        async with it.daemon(it.settings(ended(it, 16), [erp])):
            [opened] = await it.facts.wait_for("breaker.opened")
            assert len(it.receiver.arrivals) <= 5 + erp.concurrency - 1
            await it.receiver.wait_for(16 + 5, timeout=30)
            await it.facts.wait_for("attempt.finished", 16, timeout=30)
        assert isinstance(opened, BreakerOpened)
        assert opened.reason == "timeout_read"
        async with it.store() as store:
            counts = await store.count_deliveries()
            assert (await store.callback_standing("erp")).open_until is None
        assert counts == {("erp", DeliveryState.DELIVERED): 16}


async def test_one_probe_at_a_time(tmp_path: Path) -> None:
    """However many attempts a callback may have in flight, half-open it gets one."""
    async with rig(tmp_path) as it:
        it.receiver.script(*["hang"] * 99)
        erp = webhook(it.receiver_url + "/hook", timeout=0.2, max_attempts=99)
        async with it.daemon(it.settings(ended(it, 16), [erp])):
            await it.facts.wait_for("breaker.opened", 3)
        assert len(it.receiver.arrivals) <= 5 + erp.concurrency - 1 + 2


async def test_a_probe_that_gets_429(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody answers, so the breaker closes; what was asked for is a pause, and that is kept."""
    monkeypatch.setattr("notifier.delivery.verdict.FIRST_PAUSE", 0.1)
    async with rig(tmp_path) as it:
        it.receiver.script(*[500] * 5, Answer(429, {"Retry-After": "1"}))
        erp = webhook(it.receiver_url + "/hook", concurrency=1)
        async with it.daemon(it.settings(ended(it, 8), [erp])):
            await it.receiver.wait_for(8 + 6, timeout=30)
            await it.facts.wait_for("attempt.finished", 8, timeout=30)
        names = [fact.name for fact in it.facts.seen if fact.name.startswith(("breaker.", "callback."))]
        assert names == ["breaker.opened", "callback.paused", "breaker.closed"]
        assert it.receiver.arrivals[6].received_at - it.receiver.arrivals[5].received_at >= 1.0


async def test_refused_bodies_do_not_open_it(tmp_path: Path) -> None:
    """A receiver that refuses body after body is well; others of its deliveries are not kept waiting."""
    async with rig(tmp_path) as it:
        it.receiver.script(*[422, 400] * 9)
        async with it.daemon(it.settings(ended(it, 6))):
            await it.facts.wait_for("delivery.died", 6)
        assert it.facts.named("breaker.opened") == []


async def test_it_never_delays_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The breaker of one callback says nothing of the next, even at the same receiver."""
    monkeypatch.setattr(breaker, "FIRST_REST", NOT_YET)
    monkeypatch.setattr(breaker, "LONGEST_REST", NOT_YET)
    async with rig(tmp_path) as it:
        it.receiver.script(*[500] * 99, path="/a")
        callbacks = [webhook(it.receiver_url + "/a", "a"), webhook(it.receiver_url + "/b", "b")]
        async with it.daemon(it.settings(ended(it, 10), callbacks)):
            await it.facts.wait_for("breaker.opened")
            await it.facts.wait_for("attempt.finished", 10)
        assert sum(arrival.path == "/b" for arrival in it.receiver.arrivals) == 10
