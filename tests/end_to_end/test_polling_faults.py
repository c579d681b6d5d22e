"""Every way HubSpot can misbehave, through real sockets: no watch ends wrongly, none stops the others."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rig import FAST, TOKEN, account, request, rig, webhook

from notifier.facts import AccountAbsent, AccountPaused, PollTroubled
from notifier.model import RateLimit, TaskKey, WatchState
from notifier.polling.watches import begin_watch
from notifier.simulator.modes import MODES

# Faults after which the honest answers must still lead to the end; those that pause the account wait as long as told.
ACCOUNT_WIDE = {
    "rate_limit", "rate_limit_retry_after", "daily_limit", "locked_423", "moving_477", "unauthorized", "expired", "missing_scopes",
}  # fmt: skip
TASK_FAULTS = sorted(set(MODES) - ACCOUNT_WIDE)
QUICK = replace(FAST, timeout=0.5)


async def test_no_fault_of_a_task_ends_a_watch_or_stops_the_others(tmp_path: Path) -> None:
    """Every task misbehaves in a way of its own for two polls: all are told in the end, each once, as succeeded."""
    async with rig(tmp_path) as it:
        for fault in TASK_FAULTS:
            it.hubspot.add_task(fault, pending=0.0, processing=0.0)
            it.hubspot.faults.set(fault, task_id=fault, count=2)
        polling = replace(QUICK, lost_after_answers=5, lost_after=30.0, concurrency=40)
        async with it.daemon(it.settings(TASK_FAULTS, polling=polling)):
            await it.receiver.wait_for(len(TASK_FAULTS), timeout=40)
        bodies = [json.loads(arrival.body) for arrival in it.receiver.arrivals]
        assert sorted(body["data"]["task_id"] for body in bodies) == TASK_FAULTS
        assert {body["type"] for body in bodies} == {"task.succeeded"}
        assert all(arrival.verified for arrival in it.receiver.arrivals)


async def test_tasks_that_always_fail_delay_no_other(tmp_path: Path) -> None:
    """Poison tasks are asked ever more seldom; twenty others are all told meanwhile."""
    poison = ["hang", "reset", "html_200", "http_500", "truncated_json", "huge_body", "gzip_bomb", "garbage"]
    async with rig(tmp_path) as it:
        for fault in poison:
            it.hubspot.add_task(fault, pending=0.0, processing=0.0)
            it.hubspot.faults.set(fault, task_id=fault)
        others = [f"good{number}" for number in range(20)]
        for number, task in enumerate(others):
            it.hubspot.add_task(task, pending=0.1, processing=0.05 * number)
        async with it.daemon(it.settings([*poison, *others], polling=QUICK)):
            await it.receiver.wait_for(20, timeout=30)
            async with it.store() as store:
                watches = await store.find_watches(states=[WatchState.ACTIVE])
        assert {watch.key.task_id for watch in watches} == set(poison)
        assert all(watch.problem for watch in watches)


async def test_a_trouble_is_told_once(tmp_path: Path) -> None:
    """The same trouble poll after poll is one line, not hundreds."""
    async with rig(tmp_path) as it:
        it.hubspot.add_task("odd", pending=0.0, processing=0.0)
        it.hubspot.faults.set("html_200", task_id="odd", count=4)
        async with it.daemon(it.settings(["odd"])):
            await it.receiver.wait_for(1)
        assert it.hubspot.statistics.per_task["odd"] == 5
        assert [fact.problem.split(":")[0] for fact in it.facts.seen if isinstance(fact, PollTroubled)] == ["html"]


async def test_an_unknown_status_is_no_end_and_warned_of_once(tmp_path: Path) -> None:
    """A word HubSpot invents tomorrow keeps the watch going."""
    async with rig(tmp_path) as it:
        it.hubspot.add_task("odd", pending=0.0, processing=0.0)
        it.hubspot.faults.set("unknown_status", task_id="odd", count=3)
        async with it.daemon(it.settings(["odd"])):
            await it.receiver.wait_for(1)
        assert len(it.facts.named("poll.status_unknown")) == 1


@pytest.mark.parametrize("fault", ["rate_limit_retry_after", "moving_477"])
async def test_the_account_waits_as_long_as_told(tmp_path: Path, fault: str) -> None:
    """A 429 or 477 with Retry-After stops every request of the account for that time; nothing is lost."""
    async with rig(tmp_path) as it:
        for task in "abc":
            it.hubspot.add_task(task, pending=0.0, processing=0.0)
        it.hubspot.faults.set(fault, count=1, retry_after=1)
        async with it.daemon(it.settings("abc", polling=replace(FAST, concurrency=1))):
            await it.receiver.wait_for(3)
        times = sorted(at for each in it.hubspot.statistics.times.values() for at in each)
        assert times[1] - times[0] >= 1.0
        [paused] = [fact for fact in it.facts.seen if isinstance(fact, AccountPaused)]
        assert paused.seconds == 1.0


async def test_a_429_without_retry_after_waits_ten_seconds(tmp_path: Path) -> None:
    """HubSpot documents none: the ten-second limit is waited out."""
    async with rig(tmp_path) as it:
        it.hubspot.add_task("a", pending=0.0, processing=0.0)
        it.hubspot.faults.set("rate_limit", count=1)
        async with it.daemon(it.settings("a")):
            await it.facts.wait_for("account.paused")
        [paused] = [fact for fact in it.facts.seen if isinstance(fact, AccountPaused)]
        assert paused.seconds == 10.0
        assert it.receiver.arrivals == []


async def test_the_account_limit_is_kept_and_nothing_lost(tmp_path: Path) -> None:
    """Fifty tasks under 20 requests a second: HubSpot never has to say 429."""
    limit = RateLimit(20, 1.0)
    async with rig(tmp_path, rate_limit=limit) as it:
        tasks = [f"t{number}" for number in range(50)]
        for task in tasks:
            it.hubspot.add_task(task, pending=0.0, processing=0.5)
        accounts = [replace(account(it.hubspot_url), rate_limit=limit)]
        async with it.daemon(it.settings(tasks, accounts=accounts)):
            await it.receiver.wait_for(50, timeout=30)
        assert it.hubspot.statistics.limited == 0
        assert it.hubspot.statistics.peak <= 20


@pytest.mark.parametrize(
    ("fault", "word"), [("unauthorized", "INVALID_AUTHENTICATION"), ("missing_scopes", "MISSING_SCOPES")]
)
async def test_refused_credentials_are_told_once_and_stop_only_their_account(
    tmp_path: Path, fault: str, word: str
) -> None:
    """One account is refused: it is probed, not hammered; the operator hears once; the other account never notices."""
    async with rig(tmp_path) as it:
        it.hubspot.add_task("mine", pending=0.0, processing=0.0)
        it.hubspot.add_task("yours", pending=0.0, processing=0.3)
        it.hubspot.faults.set(fault, task_id="mine")
        accounts = [account(it.hubspot_url), account(it.hubspot_url, "second")]
        ops = webhook(it.receiver_url + "/ops", "ops", events=("account.*",))
        erp = webhook(it.receiver_url + "/erp")
        tasks = [request("mine"), request("yours", "second")]
        async with it.daemon(it.settings(tasks, [ops, erp], accounts=accounts)):
            await it.receiver.wait_for(2)
        told = {arrival.path: json.loads(arrival.body) for arrival in it.receiver.arrivals}
        assert told["/ops"]["type"] == "account.rejected"
        assert word in told["/ops"]["data"]["reason"]
        assert told["/ops"]["data"]["correlation_id"]
        assert told["/erp"]["data"]["task_id"] == "yours"
        assert it.hubspot.statistics.per_task["mine"] == 1
        # A restart does not tell it again; mended, it is told that it is over.
        it.hubspot.faults.clear()
        async with it.daemon(it.settings(tasks, [ops, erp], accounts=accounts)):
            await it.receiver.wait_for(4)
        types = [json.loads(arrival.body)["type"] for arrival in it.receiver.arrivals if arrival.path == "/ops"]
        assert types == ["account.rejected", "account.restored"]


async def test_a_wrong_token_never_shows(tmp_path: Path) -> None:
    """What is reported of a refusal holds HubSpot's words, not the token."""
    async with rig(tmp_path, tokens=["another"]) as it:
        it.hubspot.add_task("a", pending=0.0, processing=0.0)
        async with it.daemon(it.settings("a")):
            await it.facts.wait_for("account.rejected")
        assert it.hubspot.statistics.unauthorized == 1
        assert TOKEN not in repr(it.facts.seen)


async def test_nobody_listens(tmp_path: Path) -> None:
    """Connection refused: polls are tried again, ever more seldom; when HubSpot is back, everything is told."""
    async with rig(tmp_path) as it:
        gone = it.settings("ab", accounts=[account("http://127.0.0.1:1")])
        async with it.daemon(gone):
            await it.facts.wait_for("poll.troubled", 2)
            await it.facts.wait_for("account.paused")
        for task in "ab":
            it.hubspot.add_task(task, pending=0.0, processing=0.0)
        async with it.daemon(it.settings("ab")):
            await it.receiver.wait_for(2)
        assert {fact.problem.split(":")[0] for fact in it.facts.seen if isinstance(fact, PollTroubled)} == {
            "connection_refused"
        }


async def test_lost_after_several_answers_over_a_grace(tmp_path: Path) -> None:
    """404 again and again: told once as watch.lost, with what HubSpot said."""
    async with rig(tmp_path) as it:
        async with it.daemon(it.settings(["nobody"])):
            [arrival] = await it.receiver.wait_for(1)
            body = json.loads(arrival.body)
            async with it.store() as store:
                [watch] = await store.watches_of_task("nobody")
        assert (body["type"], body["data"]["task_id"], watch.state) == ("watch.lost", "nobody", WatchState.LOST)
        assert watch.unknown_count >= FAST.lost_after_answers
        assert watch.polled_at is not None
        assert watch.unknown_since is not None
        assert watch.polled_at - watch.unknown_since >= FAST.lost_after


async def test_expired_with_the_last_thing_hubspot_said(tmp_path: Path) -> None:
    """A task that never ends: one last poll at the deadline, told once as watch.expired."""
    async with rig(tmp_path) as it:
        it.hubspot.add_task("forever", pending=0.0, processing=0.0, ends="never")
        async with it.daemon(it.settings([request("forever", deadline=0.8)])):
            [arrival] = await it.receiver.wait_for(1)
        body = json.loads(arrival.body)
        assert (body["type"], body["data"]["status"]) == ("watch.expired", "PROCESSING")
        assert it.hubspot.statistics.times["forever"][-1] - it.hubspot.statistics.times["forever"][0] >= 0.5


async def test_a_kind_of_a_newer_notifier_stops_nobody(tmp_path: Path) -> None:
    """After a rollback the store may hold kinds this program does not know: they wait, the others go on."""
    async with rig(tmp_path) as it:
        it.hubspot.add_task("a", pending=0.0, processing=0.0)
        newer = replace(request("x"), key=TaskKey("main", "hubspot.of_tomorrow", "x"))
        async with it.daemon(it.settings([newer, "a"])):
            await it.receiver.wait_for(1)
            [troubled] = await it.facts.wait_for("poll.troubled")
        assert isinstance(troubled, PollTroubled)
        assert troubled.problem == "unknown_kind: this notifier does not know hubspot.of_tomorrow"


async def test_a_days_limit_stays_used_up_over_a_restart(tmp_path: Path) -> None:
    """A restart is no way around HubSpot's pause: the account is not asked again before its end."""
    async with rig(tmp_path) as it:
        it.hubspot.add_task("a", pending=0.0, processing=0.0)
        it.hubspot.faults.set("daily_limit", count=1)
        for _ in range(2):
            async with it.daemon(it.settings("a")):
                await it.facts.wait_for("account.paused")
                async with it.store() as store:
                    standing = await store.account_standing("main")
        assert standing.pause_reason == "429 DAILY"
        assert (standing.paused_until or 0) - it.clock.now() > 800
        assert it.hubspot.statistics.requests == 1


async def test_a_deadline_passes_while_the_account_is_paused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadline is a promise to hear by then, whether HubSpot may be asked or not."""
    monkeypatch.setattr("notifier.polling.poller.EXPIRY_GRACE", 0.2)
    monkeypatch.setattr("notifier.polling.decide.EXPIRY_GRACE", 0.2)
    monkeypatch.setattr("notifier.polling.clockwork.LONGEST_SLEEP", 0.2)
    async with rig(tmp_path) as it:
        it.hubspot.add_task("a", pending=0.0, processing=60.0)
        it.hubspot.faults.set("daily_limit")
        async with it.daemon(it.settings([request("a", deadline=0.5)])):
            [arrival] = await it.receiver.wait_for(1)
        body = json.loads(arrival.body)
        assert (body["type"], body["data"]["problem"].split(":")[0]) == ("watch.expired", "throttled")


async def test_a_task_of_an_account_that_went_expires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Added by a command, its account taken out of the file: it can't be polled, but its deadline is told."""
    monkeypatch.setattr("notifier.lookout.EXPIRY_GRACE", 0.0)
    monkeypatch.setattr("notifier.polling.decide.EXPIRY_GRACE", 0.0)
    monkeypatch.setattr("notifier.lookout.UPKEEP_EVERY", 0.2)
    async with rig(tmp_path) as it:
        async with it.daemon(it.settings([])), it.store() as store:
            gone = request("x", "gone", deadline=0.3)
            await store.add_watch(begin_watch(gone, origin="command", cost=1.0, now=it.clock.now()))
        async with it.daemon(it.settings([])):
            [absent] = await it.facts.wait_for("account.absent")
            [arrival] = await it.receiver.wait_for(1)
        assert isinstance(absent, AccountAbsent)
        assert (absent.account, absent.watches) == ("gone", 1)
        assert json.loads(arrival.body)["type"] == "watch.expired"
