"""APScheduler as the clock: it says *it is time*, nothing more. The only import of apscheduler.

Its jobs ring a bell; the work runs in our own task groups, because APScheduler's executor cancels what is in flight when
it is shut down. A bell has one job, moved to the next due time, whatever the number of tasks behind it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import anyio
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger

from notifier.clock import Clock

# Nobody sleeps longer than this on a bell, in seconds: whatever went wrong with a clock, work goes on.
LONGEST_SLEEP = 30.0


class Bell:
    """Rung when its time has come, or by hand when something happened."""

    def __init__(self, clockwork: "Clockwork", name: str) -> None:
        self._clockwork = clockwork
        self._name = name
        self._rung = anyio.Event()
        self._armed_for: float | None = None

    def ring(self) -> None:
        """Wake who waits, or make the next wait return at once."""
        self._rung.set()

    def arm(self, at: float | None) -> None:
        """Ring at ``at`` (in the clock's ``now``), or not before it is rung by hand when that is None."""
        if at != self._armed_for:
            self._armed_for = at
            self._clockwork.move_job(self._name, at, self)

    async def wait(self) -> None:
        """Sleep until rung, ``LONGEST_SLEEP`` at most."""
        with anyio.move_on_after(LONGEST_SLEEP):
            await self._rung.wait()
        self._rung = anyio.Event()

    async def rung_by_clock(self) -> None:
        """Ring because it is time; a coroutine, so that the scheduler runs it in the event loop."""
        self._armed_for = None
        self.ring()


class Clockwork:
    """One scheduler for every bell of the daemon."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # A late job still rings (no grace time), once however late (coalesce).
        job_defaults = {"coalesce": True, "misfire_grace_time": None, "max_instances": 3}
        self._scheduler = AsyncIOScheduler(timezone=UTC, job_defaults=job_defaults)

    @contextmanager
    def running(self) -> Iterator["Clockwork"]:
        """Tick as long as the context lasts."""
        self._scheduler.start()
        try:
            yield self
        finally:
            self._scheduler.shutdown(wait=False)

    def pause(self) -> None:
        """Ring no more bells; the daemon is stopping."""
        self._scheduler.pause()

    def bell(self, name: str) -> Bell:
        """Make the bell of that name."""
        return Bell(self, name)

    def move_job(self, name: str, at: float | None, bell: Bell) -> None:
        """Have ``bell`` rung at ``at``; APScheduler counts on the machine's clock, so the time is said in that."""
        if at is None:
            if self._scheduler.get_job(name) is not None:
                self._scheduler.remove_job(name)
            return
        on_the_wall = datetime.now(UTC) + timedelta(seconds=at - self._clock.now())
        self._scheduler.add_job(bell.rung_by_clock, DateTrigger(on_the_wall), id=name, replace_existing=True)
