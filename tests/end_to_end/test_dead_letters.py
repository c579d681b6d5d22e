"""What was not delivered: found with one command, owed again by what it has in common, forgotten when it is old."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result
from configs import SIGNING
from rig import rig, webhook
from samples import a_telling, a_watch, ended

from notifier.cli import notifier, redeliver
from notifier.cli.session import with_store
from notifier.clock import iso
from notifier.model import Attempt, DeliveryState, EventType, WatchState
from notifier.store.contract import Ages, PollResult, Settlement, Store
from notifier.store.retention import prune
from notifier.store.sqlite import SqliteStore

HOUR = 3600.0
STATES = {"erp": DeliveryState.DEAD, "ops": DeliveryState.DELIVERED, "old": DeliveryState.DEAD}
CONFIG = f"""
accounts: {{main: {{token: any, base_url: "http://127.0.0.1:1"}}}}
callbacks:
  erp: {{url: "http://127.0.0.1:1/hook", secret: {SIGNING}}}
  ops: {{url: "http://127.0.0.1:1/ops", secret: {SIGNING}, events: ["*"]}}
store: notifier.db
tasks: [listed]
"""


class Desk:
    """A folder with a configuration and a store, and the commands on it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notifier.db"
        self._config = folder / "config.yaml"
        self._config.write_text(CONFIG)
        self._config.chmod(0o600)

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(notifier, [*words, "-c", str(self._config)])

    def json(self, *words: str) -> Any:
        done = self(*words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def listed(self, *words: str) -> list[tuple[str, str, str]]:
        """What `delivery list` shows, the oldest first."""
        found = self.json("delivery", "list", "--limit", "9999", *words)
        return [(each["task_id"], each["callback"], each["state"]) for each in reversed(found)]

    def fill(self, *hours_ago: float) -> None:
        """Have a task end for each number of hours ago, t0, t1 …: told to ops, dead for erp and for old, which is gone."""

        async def fill(store: SqliteStore) -> None:
            for number, hours in enumerate(hours_ago):
                await end_one(store, f"t{number}", time.time() - hours * HOUR)

        with_store(self.path, fill, create=True)


async def end_one(store: Store, task_id: str, now: float) -> None:
    watch, _ = await store.add_watch(a_watch(task_id, origin="command", began_at=now))
    await store.save_poll(PollResult(replace(ended(watch), ended_at=now), a_telling(watch, *STATES)), now)
    for callback, state in STATES.items():
        for claim in await store.claim(callback, now=now, lease=30, limit=99):
            attempt = Attempt(claim.delivery.delivery_id, claim.number, now, now, "rejected", "status_500", 500, "")
            settled = replace(claim.delivery, state=state, failures=10, reason="exhausted", delivered_at=now)
            await store.settle(Settlement(settled, attempt), now)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk over a new store."""
    return Desk(tmp_path)


def test_what_was_not_delivered_is_one_command(desk: Desk) -> None:
    """Everything pending, held or dead, of every callback; --since and --event narrow it."""
    desk.fill(9, 1)
    assert desk.listed("--undelivered") == [
        (task, callback, "dead") for task in ("t0", "t1") for callback in ("erp", "old")
    ]
    assert desk.listed("--undelivered", "--since", "2h", "--callback", "erp") == [("t1", "erp", "dead")]
    moment = iso(time.time() - 2 * HOUR)
    assert moment is not None
    assert len(desk.listed("--since", moment)) == 3
    assert len(desk.listed("--event", "task.*")) == 6
    assert desk.listed("--event", "task.failed") == []
    assert desk.listed("--task", "t0", "--since", "2h") == []
    cut = desk("delivery", "list", "--undelivered", "--limit", "1")
    assert "1 of 4 shown" in cut.stderr


def test_redelivering_by_callback(desk: Desk) -> None:
    """Only what is dead or held, with full retries; what was delivered stays so."""
    desk.fill(9, 1)
    done = desk("delivery", "redeliver", "--callback", "erp")
    assert (done.exit_code, done.stdout.count("pending to erp")) == (0, 2)
    assert "2 deliveries are owed again" in done.stderr
    assert desk.listed("--callback", "erp") == [("t0", "erp", "pending"), ("t1", "erp", "pending")]
    assert {each["failures"] for each in desk.json("delivery", "list", "--callback", "erp")} == {0}
    assert desk.listed("--callback", "ops") == [("t0", "ops", "delivered"), ("t1", "ops", "delivered")]


def test_a_dry_run_changes_nothing(desk: Desk) -> None:
    """It names the same deliveries that the real run then owes."""
    desk.fill(9, 1)
    options = ("delivery", "redeliver", "--since", "2h", "--event", "task.succeeded", "--callback", "erp")
    before = desk.listed()
    dry = desk(*options, "--dry-run")
    assert "task.succeeded t1 would be owed to erp again; now dead" in dry.stdout
    assert "1 delivery would be owed again" in dry.stderr
    assert desk.listed() == before
    as_json = desk.json(*options, "--dry-run")
    assert [(each["task_id"], each["state"]) for each in as_json] == [("t1", "dead")]
    assert [(each["task_id"], each["state"]) for each in desk.json(*options)] == [("t1", "pending")]
    assert desk.json(*options) == []


def test_many_go_in_batches(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the number, so many at a time; printed as one document all the same."""
    monkeypatch.setattr(redeliver, "AT_ONCE", 3)
    desk.fill(*[1.0] * 10)
    batches: list[int] = []
    whole = SqliteStore.redeliver_all

    async def counted(self: SqliteStore, ids: Any, *rest: Any, **named: Any) -> Any:
        batches.append(len(ids))
        return await whole(self, ids, *rest, **named)

    monkeypatch.setattr(SqliteStore, "redeliver_all", counted)
    assert len(desk.json("delivery", "redeliver", "--callback", "erp")) == 10
    assert (max(batches), sum(batches)) == (3, 10)


def test_delivered_ones_only_when_asked_for(desk: Desk) -> None:
    """A receiver that lost what it had gets it again."""
    desk.fill(1)
    assert desk.json("delivery", "redeliver", "--callback", "ops") == []
    assert len(desk.json("delivery", "redeliver", "--callback", "ops", "--state", "delivered")) == 1


def test_callbacks_that_take_nothing(desk: Desk) -> None:
    """Absent or disabled: named, it is an error that says what to do; among others, they are left and counted."""
    desk.fill(9, 1)
    absent = desk("delivery", "redeliver", "--callback", "old")
    assert absent.exit_code == 1
    assert "the callback 'old' is not configured (any more)" in str(absent.exception)
    assert desk("callback", "disable", "erp").exit_code == 0
    disabled = desk("delivery", "redeliver", "--callback", "erp")
    assert "notifier callback enable erp" in str(disabled.exception)
    [delivery] = desk.json("delivery", "list", "--callback", "erp", "--since", "2h")
    by_id = desk("delivery", "redeliver", delivery["delivery_id"])
    assert (by_id.exit_code, "is disabled" in str(by_id.exception)) == (1, True)
    rest = desk("delivery", "redeliver", "--since", "7d")
    assert (rest.exit_code, rest.stdout) == (0, "")
    assert "2 left as they are: the callback 'erp' is disabled" in rest.stderr
    assert "2 left as they are: the callback 'old' is not configured" in rest.stderr
    assert {state for _, _, state in desk.listed("--undelivered")} == {"dead"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["delivery", "redeliver"], "say which: ids, or --callback"),
        (["delivery", "redeliver", "--dry-run"], "say which: ids, or --callback"),
        (["delivery", "redeliver", "dlv_x", "--callback", "erp"], "not both"),
        (["delivery", "redeliver", "--since", "soon"], "neither a duration (2h, 7d) nor a time"),
        (["delivery", "list", "--event", "task.odd"], "matches no event type"),
        (["delivery", "list", "--undelivered", "--state", "dead"], "one or the other"),
        (["store", "prune", "--older-than", "5"], "did you mean 5s?"),
    ],
)
def test_wrong_usage(desk: Desk, words: list[str], says: str) -> None:
    """Nothing is redelivered without a filter, and every mistake says what is right."""
    desk.fill(1)
    done = desk(*words)
    assert done.exit_code == 2
    assert says in done.stderr


def test_pruning_by_hand(desk: Desk) -> None:
    """What the configuration says, or an age; counted first if wanted; listed tasks and what is owed stay."""
    desk.fill(24 * 100, 24 * 40, 1)

    async def end_listed(store: SqliteStore) -> None:
        await end_one(store, "listed", time.time() - 24 * 100 * HOUR)

    with_store(desk.path, end_listed)
    desk.json("delivery", "redeliver", "--callback", "erp", "--event", EventType.TASK_SUCCEEDED, "--since", "2h")
    dry = desk.json("store", "prune", "--dry-run")
    counts = {"events": 2, "deliveries": 6, "attempts": 6, "watches": 1}  # those of 100 days; of 40 days some are dead
    assert {name: dry[name] for name in counts} == counts
    assert (dry["dry_run"], dry["bytes_before"]) == (True, dry["bytes_after"])
    real = desk.json("store", "prune")
    assert {name: real[name] for name in counts} == counts
    assert (
        "deleted: events 1, deliveries 3, attempts 3, watches 1" in desk("store", "prune", "--older-than", "7d").stdout
    )
    assert "deleted: events 0" in desk("store", "prune", "--older-than", "1s").stdout  # the last is owed again to erp
    watches = {each["task_id"]: each["state"] for each in desk.json("watch", "list")}
    assert watches == {"listed": WatchState.ENDED, "t2": WatchState.ENDED}


async def test_pruning_beside_a_running_daemon(tmp_path: Path) -> None:
    """However young the things it deletes, everything owed is delivered, once, and no listed task is told again."""
    async with rig(tmp_path) as it:
        it.receiver.script(*[200, 500, 200, "close"] * 15)
        tasks = [f"t{number}" for number in range(60)]
        for number, task in enumerate(tasks):
            it.hubspot.add_task(task, pending=0.01 * number, processing=0.0)
        settings = it.settings(tasks, [webhook(it.receiver_url + "/hook", max_attempts=9)])
        over = anyio.Event()
        pruned = 0

        async def prune_on() -> None:
            nonlocal pruned
            async with it.store() as store:
                while not over.is_set():
                    everything = Ages(time.time() + 1, time.time() + 1, settings.listed())
                    pruned += (await prune(store, everything)).pruned.events

        async with it.daemon(settings), anyio.create_task_group() as group:
            group.start_soon(prune_on)
            await it.facts.wait_for("attempt.finished", 60, timeout=30)
            over.set()
        async with it.daemon(settings):
            pass
        delivered = [fact.event_id for fact in it.facts.named("attempt.finished")]  # type: ignore[attr-defined]  # AttemptFinished
        assert (len(delivered), len(set(delivered))) == (60, 60)
        assert pruned > 0
        async with it.store() as store:
            assert {watch.state for watch in await store.find_watches(limit=99)} == {WatchState.ENDED}
            assert (await store.count_live()).pending == 0
