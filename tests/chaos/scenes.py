"""What several tests play: tasks that end when the test says so, a receiver with moods, and the end of the play."""

import random
from collections.abc import Mapping, Sequence

from chaos.daemon import until
from chaos.truth import EVENT_OF_ENDING
from chaos.world import World
from notifier.simulator.receiver import Step

CALLBACKS = ("erp", "shop")


def moody(chance: random.Random, requests: int) -> list[Step]:
    """A receiver that takes most of what comes, and sometimes fails, drops the answer or says nothing."""
    words: list[Step] = [200, 500, "close", "reset", "hang"]
    return chance.choices(words, [90, 4, 2, 2, 2], k=requests)


def unending(it: World, chance: random.Random, count: int) -> dict[str, str]:
    """Tasks that run until the test ends them, with how it will."""
    endings = {f"t{number:03}": chance.choice(list(EVENT_OF_ENDING)) for number in range(count)}
    for task in endings:
        it.hubspot.add_task(task, pending=0.0, ends="never")
    return endings


async def wait_for_all(it: World, endings: Mapping[str, str], callbacks: Sequence[str] = CALLBACKS) -> None:
    """Wait until everything was told and is on record as told."""
    wanted = {(callback, task) for callback in callbacks for task in endings}
    await until(lambda: it.told() >= wanted, lambda: f"told: {sorted(wanted - it.told())}", timeout=40)
    await until(it.is_idle, "everything on record")
    assert await it.pending() == []
