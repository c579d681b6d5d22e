"""Bells: rung when it is time, however late, and slept on for so long at most."""

import time

import anyio
import pytest

from notifier.clock import Clock
from notifier.polling.clockwork import Clockwork

AT_ONCE = 2.0  # seconds; a bell that does not ring is slept on for 30


async def test_rung_when_its_time_comes() -> None:
    """Not before."""
    clock = Clock()
    with Clockwork(clock).running() as clockwork:
        bell = clockwork.bell("a")
        due = clock.now() + 0.1
        bell.arm(due)
        with anyio.fail_after(AT_ONCE):
            await bell.wait()
        assert clock.now() >= due - 0.01


async def test_a_time_that_has_passed_rings_at_once() -> None:
    """The machine slept, or the loop was busy: late is better than never, and once is enough."""
    clock = Clock()
    with Clockwork(clock).running() as clockwork:
        bell = clockwork.bell("a")
        bell.arm(clock.now() - 600)
        with anyio.fail_after(AT_ONCE):
            await bell.wait()
        with anyio.move_on_after(0.1) as nothing_more:
            await bell.wait()
        assert nothing_more.cancelled_caught


async def test_a_loop_that_was_blocked_hears_its_bell() -> None:
    """Its time came and went while nothing could run."""
    clock = Clock()
    with Clockwork(clock).running() as clockwork:
        bell = clockwork.bell("a")
        bell.arm(clock.now() + 0.05)
        await anyio.sleep(0)
        time.sleep(1.2)  # as a stopped process would
        with anyio.fail_after(AT_ONCE):
            await bell.wait()


async def test_nobody_sleeps_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever went wrong with a clock, who waits looks again."""
    monkeypatch.setattr("notifier.polling.clockwork.LONGEST_SLEEP", 0.05)
    clock = Clock()
    with Clockwork(clock).running() as clockwork:
        for at in (None, clock.now() + 86_400.0):
            bell = clockwork.bell("a")
            bell.arm(at)
            with anyio.fail_after(AT_ONCE):
                await bell.wait()


async def test_rung_by_hand_before_anybody_waits() -> None:
    """What happened meanwhile is not missed; a ring counts once."""
    with Clockwork(Clock()).running() as clockwork:
        bell = clockwork.bell("a")
        bell.ring()
        bell.ring()
        with anyio.fail_after(AT_ONCE):
            await bell.wait()
        with anyio.move_on_after(0.05) as nothing_more:
            await bell.wait()
        assert nothing_more.cancelled_caught


async def test_a_paused_clock_rings_nothing() -> None:
    """The daemon is stopping: no new work."""
    clock = Clock()
    clockwork = Clockwork(clock)
    with clockwork.running():
        bell = clockwork.bell("a")
        clockwork.pause()
        bell.arm(clock.now() + 0.02)
        with anyio.move_on_after(0.2) as silent:
            await bell.wait()
        assert silent.cancelled_caught
