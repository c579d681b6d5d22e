"""Killed at every point that matters, at its first and at later occurrences: nothing is lost, and what is repeated was in flight.

The daemon kills itself: the points lie between two lines of it, where no signal from outside would hit.
"""

import json
import random
import shutil
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import pytest

from chaos.daemon import until
from chaos.scenes import CALLBACKS, unending, wait_for_all
from chaos.truth import believed_wrongly, wrongs
from chaos.world import World, callback_of, task_of, was_taken
from notifier.simulator.receiver import Step

KILLER = str(Path(__file__).parent / "programs" / "killer.py")
TASKS = 60  # of each test; with all points more than 1,000
PACE = 0.02  # seconds between two ends of tasks

AT_WORK = [
    "claim_asked",
    "attempt_written",
    "claim_committed",
    "request_begun",
    "request_half_out",
    "request_out",
    "answer_come",
    "settle_asked",
    "settle_written",
    "settle_committed",
    "ending_asked",
    "ending_written",
    "event_written",
    "ending_committed",
    "batch_half_made",
    "batch_committed",
]
AT_START = [
    "adopt_asked",
    "adopt_written",
    "adopt_committed",
    "reconcile_asked",
    "reconcile_written",
    "reconcile_committed",
]
Kill = tuple[str, int]  # the point, and which occurrence of it


@dataclass
class Toll:
    """What the kills cut off."""

    kills: int = 0
    in_flight: int = 0  # attempts
    disagreements: list[str] = field(default_factory=list)


def dropping(chance: random.Random, requests: int) -> list[Step]:
    """A receiver that takes what comes, and often closes the connection instead of saying so."""
    words: list[Step] = [200, "close"]
    return chance.choices(words, [90, 10], k=requests)


async def kill_at(it: World, running: list[str], endings: dict[str, str], kill: Kill, toll: Toll, *more: str) -> None:
    """Run a daemon until it comes to the point, ending tasks meanwhile; then look at what it left."""
    point, nth = kill
    daemon = it.start(program=(KILLER, point, str(nth), *more))
    await daemon.ready_or_ended()
    with anyio.move_on_after(20):
        while daemon.code is None:
            if running:
                it.hubspot.end_task(task := running.pop(), endings[task])
            await anyio.sleep(PACE)
    assert daemon.code == -9, f"{point} #{nth}: {daemon.code}\n{daemon.log[-3000:]}"
    await anyio.sleep(PACE)  # what is on its way arrives
    toll.kills += 1
    with as_left(it.store) as store:
        toll.in_flight += attempts_in_flight(store)
        toll.disagreements += believed_wrongly(it.receiver.arrivals, store)


class as_left:  # noqa: N801  # read as a phrase: with as_left(store)
    """A copy of the store's files: looking at the store itself would recover it, which is the next daemon's work."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._folder = TemporaryDirectory()

    def __enter__(self) -> Path:
        for path in self._store.parent.glob(f"{self._store.name}*"):
            if not path.name.endswith((".lock", "-shm")):
                shutil.copyfile(path, Path(self._folder.name) / path.name)
        return Path(self._folder.name) / self._store.name

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


def attempts_in_flight(store: Path) -> int:
    with closing(sqlite3.connect(store)) as connection:
        [count] = connection.execute("SELECT count(*) FROM attempts WHERE finished_at IS NULL").fetchone()
    return int(count)


def repeated(it: World, callbacks: Iterable[str]) -> int:
    """Count what arrived again, whether the daemon was told that it had arrived or not."""
    came = Counter((callback_of(each), each.webhook_id) for each in it.receiver.arrivals)
    return sum(count - 1 for (callback, _), count in came.items() if callback in callbacks)


def dropped(it: World) -> int:
    """Count the arrivals that the receiver took without saying so."""
    return sum(not was_taken(each) for each in it.receiver.arrivals)


async def run_to_the_end(
    it: World, chance: random.Random, kills: Sequence[Kill], *more: str
) -> tuple[dict[str, str], Toll]:
    """Kill a daemon after another, then let one finish."""
    endings, toll = unending(it, chance, TASKS), Toll()
    for callback in CALLBACKS:
        it.receiver.script(*dropping(chance, 2000), path=f"/{callback}")
    it.write(it.config(endings, callbacks=CALLBACKS))
    running = list(endings)
    for kill in kills:
        await kill_at(it, running, endings, kill, toll, *more)
    for task in running:
        it.hubspot.end_task(task, endings[task])
    daemon = await it.started(program=(KILLER, "claim_asked", "1000000", *more))
    if not more:
        await wait_for_all(it, endings)
    await until(it.is_idle, "everything on record")
    assert await daemon.stop() == 0
    return endings, toll


def kills_at(point: str) -> list[Kill]:
    """The first, the 7th and the 25th occurrence; at the start, the first of several starts, with attempts cut off before."""
    if point in AT_START:
        return [("request_out", 5), (point, 1), (point, 1), ("answer_come", 9), (point, 1)]
    return [(point, 1), (point, 7), (point, 25)]


@pytest.mark.timeout(90)
@pytest.mark.parametrize("point", [*AT_WORK, *AT_START])
async def test_killed_at(it: World, chance: random.Random, note: Callable[[str], None], point: str) -> None:
    """Every task is told, rightly, under one id; repetitions are at most the attempts cut off and the answers dropped."""
    endings, toll = await run_to_the_end(it, chance, kills_at(point))
    again = repeated(it, CALLBACKS)
    note(
        f"{point}: {toll.kills} kills, {len(endings)} tasks, {len(it.receiver.arrivals)} arrivals, {again} repeated "
        f"({toll.in_flight} in flight at the kills, {dropped(it)} answers dropped)"
    )
    assert toll.disagreements == []
    assert wrongs(it, endings, CALLBACKS) == []
    assert again <= toll.in_flight + dropped(it)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("point", ["operator_event_asked", "operator_event_written", "operator_event_committed"])
async def test_killed_at_an_event_for_the_operator(it: World, chance: random.Random, point: str) -> None:
    """A receiver refuses everything: of each death the operator is told, under one id, however often the daemon died."""
    endings, toll = unending(it, chance, TASKS), Toll()
    config = it.config(endings, callbacks=("grave", "ops"))
    config["callbacks"]["ops"]["events"] = ["delivery.*"]
    it.receiver.script(*[400] * 3000, path="/grave")
    it.receiver.script(*dropping(chance, 2000), path="/ops")
    it.write(config)
    running = list(endings)
    for nth in (1, 7, 15):
        await kill_at(it, running, endings, (point, nth), toll)
    for task in running:
        it.hubspot.end_task(task, endings[task])
    daemon = await it.started()
    await until(lambda: len(told_dead(it)) == TASKS, lambda: len(told_dead(it)), timeout=40)
    await until(it.is_idle, "everything on record")
    assert await daemon.stop() == 0
    assert toll.disagreements == []
    assert {len(ids) for ids in told_dead(it).values()} == {1}
    lost = sum(not was_taken(each) for each in it.receiver.arrivals if callback_of(each) == "ops")
    assert repeated(it, ["ops"]) <= toll.in_flight + lost
    assert states(it.store) == {("grave", "dead"): TASKS, ("ops", "delivered"): TASKS}


def told_dead(it: World) -> dict[str, set[str | None]]:
    """The webhook-ids under which the operator was told, per delivery that died; taken ones."""
    told: dict[str, set[str | None]] = defaultdict(set)
    for each in it.receiver.arrivals:
        if callback_of(each) == "ops" and was_taken(each):
            told[json.loads(each.body)["data"]["delivery_id"]].add(each.webhook_id)
    return told


def states(store: Path) -> dict[tuple[str, str], int]:
    with closing(sqlite3.connect(store)) as connection:
        rows = connection.execute("SELECT callback, state, count(*) FROM deliveries GROUP BY callback, state")
        return {(callback, state): count for callback, state, count in rows}


def is_rejected(store: Path) -> bool:
    if not store.exists():
        return False
    with as_left(store) as copy, closing(sqlite3.connect(copy)) as connection:
        rows = connection.execute("SELECT rejected_at FROM accounts WHERE rejected_at IS NOT NULL")
        return rows.fetchone() is not None


@pytest.mark.timeout(60)
@pytest.mark.parametrize("point", ["standing_asked", "operator_event_written", "standing_committed"])
async def test_killed_when_an_account_is_rejected(it: World, chance: random.Random, point: str) -> None:
    """HubSpot refuses the token and takes it again: what was committed of that is told, and every task is told."""
    endings, toll = unending(it, chance, 10), Toll()
    config = it.config(endings, callbacks=("erp", "ops"))
    config["callbacks"]["ops"]["events"] = ["account.*"]
    it.write(config)
    for _ in range(3):
        if not is_rejected(it.store):  # else the next poll finds it restored
            it.hubspot.faults.set("unauthorized", count=1)
        await kill_at(it, [], endings, (point, 1), toll)
    for task, ends in endings.items():
        it.hubspot.end_task(task, ends)
    daemon = await it.started()
    await until(lambda: {("erp", task) for task in endings} <= it.told(), lambda: daemon.log, timeout=30)
    await until(it.is_idle, "everything on record")
    assert await daemon.stop() == 0
    assert toll.disagreements == []
    assert set(states(it.store)) <= {("erp", "delivered"), ("ops", "delivered")}
    told = {each.webhook_id for each in it.receiver.arrivals if callback_of(each) == "ops"}
    assert len(told) == states(it.store).get(("ops", "delivered"), 0)
    # More than one of each kill when polls that were in flight together had different answers.
    assert len(told) >= 4 if point == "standing_committed" else not told
    assert {task_of(each) for each in it.receiver.arrivals if callback_of(each) == "erp"} == set(endings)


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    ("kill", "safeguard", "complaint"),
    [
        (("ending_written", 3), "event_after_watch", "was never told"),
        (("settle_committed", 3), "done_before_sent", "never taken"),
        (("request_out", 3), "attempt_after_sending", "attempts are on record"),
    ],
)
async def test_a_broken_daemon_is_found_out(
    it: World, chance: random.Random, kill: Kill, safeguard: str, complaint: str
) -> None:
    """With the safeguard switched off that a point is about, one kill there leaves something wrong."""
    endings, toll = await run_to_the_end(it, chance, [kill], safeguard)
    found = wrongs(it, endings, CALLBACKS) + toll.disagreements
    assert any(complaint in wrong for wrong in found), found
