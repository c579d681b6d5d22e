"""Killed at any moment, the daemon loses nothing, tells nothing wrongly, and repeats no more than what was in flight."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import pytest

from chaos.daemon import NOTIFIER
from chaos.moments import draw, strike
from chaos.scenes import CALLBACKS, moody, unending, wait_for_all
from chaos.truth import duplicates, wrongs
from chaos.world import World

KILLS = 200
CONCURRENCY = 4
SABOTEUR = Path(__file__).parent / "programs" / "saboteur.py"


async def kill_again_and_again(
    it: World, chance: random.Random, endings: Mapping[str, str], kills: int, program: Sequence[str] = NOTIFIER
) -> None:
    """End the tasks a few at a time, and kill a daemon each time."""
    running = list(endings)
    for left in range(kills, 0, -1):
        batch, running = running[: len(running) // left], running[len(running) // left :]
        for task in batch:
            it.hubspot.end_task(task, endings[task])
        daemon = it.start(program=program)
        await strike(it, daemon, draw(chance), daemon.kill)
        code = await daemon.ended()
        assert code == -9, f"it ended by itself with {code}:\n{daemon.log[-3000:]}"


@pytest.mark.timeout(240)
async def test_killed_at_any_moment(it: World, chance: random.Random, note: Callable[[str], None]) -> None:
    """1,000 tasks and 200 times kill -9: all are told, rightly, repetitions under the same id and few."""
    endings = unending(it, chance, 1000)
    for callback in CALLBACKS:
        it.receiver.script(*moody(chance, 5000), path=f"/{callback}")
    it.write(it.config(endings, callbacks=CALLBACKS))
    await kill_again_and_again(it, chance, endings, KILLS)
    daemon = await it.started()
    await wait_for_all(it, endings)
    assert await daemon.stop() == 0
    repeated = duplicates(it)
    note(f"kill -9: {KILLS} kills, {len(endings)} tasks, {len(it.receiver.arrivals)} arrivals, {repeated} repeated")
    assert wrongs(it, endings, CALLBACKS) == []
    assert repeated <= KILLS * CONCURRENCY * len(CALLBACKS)


@pytest.mark.timeout(120)
async def test_a_broken_daemon_is_found_out(it: World, chance: random.Random) -> None:
    """Ids that the same facts do not give again leave something wrong: this suite can fail.

    A kill has to meet a gap of the broken daemon; the other safeguards' gaps are met on purpose in test_kill_points.py.
    """
    endings = unending(it, chance, 300)
    it.write(it.config(endings))
    for batch in batched(endings, 30):
        part = {task: endings[task] for task in batch}
        await kill_again_and_again(it, chance, part, 6, (str(SABOTEUR), "id_by_chance"))
        if any("was told in" in wrong for wrong in wrongs(it, endings)):
            return
    pytest.fail("60 kills found nothing")


def batched(tasks: Iterable[str], size: int) -> Iterator[list[str]]:
    """Give the tasks so many at a time (itertools has it from 3.12)."""
    rest = iter(tasks)
    while batch := list(islice(rest, size)):
        yield batch
