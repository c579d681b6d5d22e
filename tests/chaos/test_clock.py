"""Somebody sets the machine's clock by days, while the daemon runs and while it does not: nothing expires, nothing is lost."""

import random
import time
from pathlib import Path

import pytest

from chaos.daemon import Daemon, until
from chaos.scenes import unending, wait_for_all
from chaos.truth import wrongs
from chaos.world import World
from notifier.clock import Clock

CLOCKSETTER = str(Path(__file__).parent / "programs" / "clocksetter.py")
DAY = 86_400.0


class MachineClock:
    """The clock of the daemon's machine, which the receiver shares."""

    def __init__(self, it: World) -> None:
        self._file = it.folder / "seconds-ahead"
        self.program = (CLOCKSETTER, str(self._file))
        self.set(0.0)
        it.receiver.clock = Clock(wall=self._wall, monotonic=self._wall)

    def set(self, ahead: float) -> None:
        """Set it to so many seconds ahead of the true time, at one blow."""
        whole = self._file.with_suffix(".new")
        whole.write_text(str(ahead))
        whole.replace(self._file)

    def _wall(self) -> float:
        return time.time() + float(self._file.read_text())


async def noticed(daemon: Daemon, times: int) -> None:
    await until(lambda: daemon.log.count('"clock.stepped"') == times, lambda: daemon.log)


def end(it: World, endings: dict[str, str], first: int, last: int) -> None:
    """End some of the tasks."""
    for task in list(endings)[first:last]:
        it.hubspot.end_task(task, endings[task])


@pytest.mark.timeout(60)
async def test_set_while_it_runs(it: World, chance: random.Random) -> None:
    """A day ahead, two back, a day ahead: the plans move along, and each task is told once, rightly."""
    machine, endings = MachineClock(it), unending(it, chance, 40)
    it.write(it.config(endings))  # with deadlines of ten minutes
    daemon = await it.started(program=machine.program)
    end(it, endings, 0, 10)
    await it.receiver.wait_for(10)
    for step, ahead in enumerate((DAY, -DAY, 0.0), 1):
        machine.set(ahead)
        await noticed(daemon, step)
        end(it, endings, step * 10, step * 10 + 10)
        await it.receiver.wait_for(step * 10 + 10)
    await until(it.is_idle, "everything on record")
    assert await daemon.stop() == 0
    assert wrongs(it, endings) == []
    assert len(it.receiver.arrivals) == 40


@pytest.mark.timeout(60)
@pytest.mark.parametrize("ahead", [-DAY, DAY], ids=["back", "ahead"])
async def test_set_between_a_kill_and_the_next_start(it: World, chance: random.Random, ahead: float) -> None:
    """What was owed when it was killed is told at once by the next run, by whatever clock; the clock is set right later."""
    machine, endings = MachineClock(it), unending(it, chance, 30)
    it.write(it.config(endings))
    it.receiver.script(*["hang"] * 4)
    daemon = await it.started(program=machine.program)
    end(it, endings, 0, 10)
    await it.receiver.wait_for(4)
    daemon.kill()
    await daemon.ended()
    machine.set(ahead)
    # Back: time goes on from where the run before saw it. Ahead: that is time that passed, and deadlines with it; but each
    # task is asked for once more, and one that ended has ended.
    end(it, endings, 10, 20 if ahead < 0 else 30)
    daemon = await it.started(program=machine.program)
    await it.receiver.wait_for(20, distinct=True)
    before = daemon.log.count('"clock.stepped"')
    machine.set(0.0)
    await noticed(daemon, before + 1)
    end(it, endings, 20, 30)
    await wait_for_all(it, endings, ["erp"])
    assert await daemon.stop() == 0
    assert wrongs(it, endings) == []
