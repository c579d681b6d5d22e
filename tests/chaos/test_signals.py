"""Stopped by signals at any moment, frozen and thawed: the daemon ends as it should and loses nothing."""

import random
import time
from collections.abc import Callable
from functools import partial
from signal import SIGCONT, SIGINT, SIGSTOP, SIGTERM, Signals

import anyio
import pytest

from chaos.daemon import until
from chaos.moments import draw, strike
from chaos.scenes import CALLBACKS, moody, unending, wait_for_all
from chaos.truth import duplicates, wrongs
from chaos.world import World
from notifier.app import DRAIN_DEADLINE
from notifier.simulator.actions import Answer, Delayed

STOPS = 24
AT_ONCE = 3.0  # seconds


@pytest.mark.timeout(150)
async def test_stopped_at_any_moment(it: World, chance: random.Random, note: Callable[[str], None]) -> None:
    """24 times SIGTERM: exit code 0 within the deadline, nothing is lost, and nothing repeated, for a drain ends cleanly."""
    endings = unending(it, chance, 240)
    for callback in CALLBACKS:
        it.receiver.script(*moody(chance, 3000), path=f"/{callback}")
    it.write(it.config(endings, callbacks=CALLBACKS))
    tasks, longest = list(endings), 0.0
    for number in range(STOPS):
        for task in tasks[number * 10 : number * 10 + 10]:
            it.hubspot.end_task(task, endings[task])
        daemon = it.start()
        await daemon.ready()
        await strike(it, daemon, draw(chance), partial(daemon.send, SIGTERM))
        began = time.monotonic()
        assert await daemon.ended(DRAIN_DEADLINE + 5.0) == 0, daemon.log
        longest = max(longest, time.monotonic() - began)
        assert "Traceback" not in daemon.log
    daemon = await it.started()
    await wait_for_all(it, endings)
    assert await daemon.stop() == 0
    note(f"SIGTERM: {STOPS} stops, {len(endings)} tasks, {duplicates(it)} repeated, the longest drain {longest:.1f} s")
    assert wrongs(it, endings, CALLBACKS) == []
    assert duplicates(it) == 0


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [SIGTERM, SIGINT])
async def test_a_second_signal_stops_at_once(it: World, chance: random.Random, number: Signals) -> None:
    """The first one waits for a receiver that says nothing; the second does not, and what was in flight is told later."""
    endings = unending(it, chance, 8)
    config = it.config(endings)
    config["callbacks"]["erp"]["timeout"] = "15s"
    it.write(config)
    for _ in range(4):
        it.receiver.script("hang")
    daemon = await it.started()
    for task, ends in endings.items():
        it.hubspot.end_task(task, ends)
    await it.receiver.wait_for(4)
    daemon.send(number)
    await until(lambda: '"daemon.stopping"' in daemon.log, lambda: daemon.log)
    began = time.monotonic()
    assert await daemon.stop(number, timeout=AT_ONCE + 2.0) == 128 + number
    assert time.monotonic() - began < AT_ONCE
    assert "Traceback" not in daemon.log
    daemon = await it.started()
    await wait_for_all(it, endings, ["erp"])
    assert await daemon.stop(number) == 0
    assert wrongs(it, endings) == []


@pytest.mark.timeout(90)
@pytest.mark.parametrize("number", [SIGTERM, SIGINT])
async def test_stopped_while_it_starts(it: World, number: Signals) -> None:
    """A signal before, while and after the daemon sets up its hearing ends it within seconds, without a traceback."""
    it.write(it.config(["t"]))
    it.hubspot.add_task("t", pending=0.0, ends="never")
    began = time.monotonic()
    daemon = await it.started()
    needed = time.monotonic() - began  # a busy machine takes several times as long to start
    assert await daemon.stop(number) == 0
    for step in range(16):
        daemon = it.start()
        await anyio.sleep(needed * step / 12)
        code = await daemon.stop(number, timeout=5.0)
        assert code in {0, -number, 128 + number} or _ended_before_us(code, daemon.log), daemon.log
        assert '"daemon.crashed"' not in daemon.log


def _ended_before_us(code: int, log: str) -> bool:
    """Recognise Ctrl-C as click says it while commands are read, and as Python says it before a line of ours has run."""
    return code == 1 and ("Aborted!" in log or log.startswith("Could not import runpy module"))


@pytest.mark.timeout(60)
async def test_frozen_in_mid_send(it: World, chance: random.Random, note: Callable[[str], None]) -> None:
    """Stopped for 3 s while requests are in flight, longer than each may take, and thawed: nothing is lost."""
    endings = unending(it, chance, 24)
    it.write(it.config(endings, callbacks=CALLBACKS))
    for callback in CALLBACKS:
        it.receiver.script(*[Delayed(0.2, Answer(200))] * 8, path=f"/{callback}")
    daemon = await it.started()
    for task, ends in endings.items():
        it.hubspot.end_task(task, ends)
    await it.receiver.wait_for(6)
    daemon.send(SIGSTOP)
    await anyio.sleep(3.0)
    daemon.send(SIGCONT)
    await wait_for_all(it, endings)
    assert await daemon.stop() == 0
    note(f"SIGSTOP for 3 s: {duplicates(it)} repeated")
    assert wrongs(it, endings, CALLBACKS) == []
    assert '"clock.stepped"' not in daemon.log
