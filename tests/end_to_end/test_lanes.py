"""Who may be asked and told at the same time, and how soon again."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import anyio
import pytest
from rig import FAST, request, rig, slack, webhook

from notifier.model import RateLimit
from notifier.polling.watches import begin_watch
from notifier.simulator.actions import Answer

PATIENT = replace(FAST, timeout=60.0)  # seconds: longer than a test may take


@pytest.fixture(autouse=True)
def _nobody_waits_for_what_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop cuts off at once."""
    monkeypatch.setattr("notifier.app.POLL_DRAIN", 0.1)
    monkeypatch.setattr("notifier.app.DRAIN_DEADLINE", 0.3)


async def test_a_poll_in_flight_takes_no_place_but_its_own(tmp_path: Path) -> None:
    """Two at a time, and the one due longest hangs: the other place is used for all who come after."""
    async with rig(tmp_path) as it:
        it.hubspot.add_task("slow", pending=0.0, processing=0.0)
        it.hubspot.faults.set("hang", task_id="slow")
        async with it.daemon(it.settings(["slow"], polling=replace(PATIENT, concurrency=2))), it.store() as store:
            with anyio.fail_after(3):
                while not it.hubspot.statistics.per_task["slow"]:
                    await anyio.sleep(0.005)
            for task in ("a", "b", "c"):
                it.hubspot.add_task(task, pending=0.0, processing=0.0)
                wanted = begin_watch(request(task), origin="command", cost=0.01, now=it.clock.now())
                await store.add_watch(wanted)
            arrivals = await it.receiver.wait_for(3, timeout=5)
        assert {json.loads(each.body)["data"]["task_id"] for each in arrivals} == {"a", "b", "c"}


async def test_a_rejected_account_is_probed_with_one_poll(tmp_path: Path) -> None:
    """Five are due, and HubSpot refused the credentials before the restart: one request finds out whether it still does."""
    async with rig(tmp_path) as it:
        it.hubspot.faults.set("unauthorized")
        async with it.daemon(it.settings("a", polling=PATIENT)):
            await it.facts.wait_for("account.paused")
        assert it.hubspot.statistics.requests == 1
        async with it.daemon(it.settings("abcde", polling=PATIENT)):
            await it.facts.wait_for("account.paused", 2)
        assert it.hubspot.statistics.requests == 2


async def test_a_rate_spaces_out_whatever_is_due(tmp_path: Path) -> None:
    """Four may be in flight, four are due, and yet they leave one after the other."""
    async with rig(tmp_path) as it:
        for task in "abcd":
            it.hubspot.add_task(task, pending=0.0, processing=0.0)
        spaced = webhook(it.receiver_url + "/hook", concurrency=4, rate=RateLimit(5, 1.0))
        async with it.daemon(it.settings("abcd", [spaced])):
            arrivals = await it.receiver.wait_for(4)
            await it.facts.wait_for("attempt.finished", 4)
        times = [each.received_at for each in arrivals]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert min(gaps) > 0.02
        assert times[-1] - times[0] > 0.3


async def test_what_is_due_next_does_not_wait_for_an_answer(tmp_path: Path) -> None:
    """The rate lets one go at a time; the first hangs, and the others leave when it is their turn."""
    async with rig(tmp_path) as it:
        for task in "abc":
            it.hubspot.add_task(task, pending=0.0, processing=0.0)
        it.receiver.script("hang")
        spaced = webhook(it.receiver_url + "/hook", concurrency=4, rate=RateLimit(20, 1.0), timeout=60.0)
        async with it.daemon(it.settings("abc", [spaced])):
            await it.receiver.wait_for(3, timeout=5)
            await it.facts.wait_for("attempt.finished", 2)


async def test_once_plain_always_plain(tmp_path: Path) -> None:
    """Slack refused the blocks; its plain resend meets a 500, and the try after that is plain again."""
    async with rig(tmp_path) as it:
        it.hubspot.add_task("a", pending=0.0, processing=0.0)
        it.receiver.script(Answer(400, body=b"invalid_blocks"), 500, path="/slack")
        async with it.daemon(it.settings("a", [slack(it.receiver_url + "/slack")])):
            await it.facts.wait_for("attempt.finished")
        bodies = [json.loads(arrival.body) for arrival in it.receiver.arrivals]
        assert ["blocks" in body for body in bodies] == [True, False, False]
        assert bodies[1] == bodies[2]


async def test_enabling_a_callback_lifts_its_pause_for_all_that_waits(tmp_path: Path) -> None:
    """The delivery that met the 429 was planned for the end of the pause: it goes at once, too."""
    async with rig(tmp_path) as it:
        for task in "ab":
            it.hubspot.add_task(task, pending=0.0, processing=0.0)
        it.receiver.script(Answer(429, {"Retry-After": "3600"}))
        async with it.daemon(it.settings("ab", [webhook(it.receiver_url + "/hook", concurrency=1)])):
            await it.facts.wait_for("callback.paused")
            async with it.store() as store:
                await store.enable_callback("erp", it.clock.now())
            await it.receiver.wait_for(3, timeout=5)
            await it.facts.wait_for("attempt.finished", 2)
