"""Notices what happens around the daemon: a clock that is set, other programs that write to the store, accounts that went.

Beside the loops that poll and deliver, so that those need know nothing of it.
"""

from collections.abc import Callable, Collection

import anyio

from notifier.clock import Clock
from notifier.facts import AccountAbsent, ClockStepped, EventRecorded
from notifier.polling.decide import EXPIRY_GRACE, expire_unasked
from notifier.polling.poller import Owe
from notifier.polling.schedule import longest_interval
from notifier.store.contract import PollResult, Store, Telling
from notifier.telemetry import Report

LOOK_EVERY = 0.5  # seconds
UPKEEP_EVERY = 60.0  # seconds
STEP_WORTH_TELLING = 1.0  # seconds; less is the clock being disciplined
OLDEST_TASK = 25 * 366 * 86_400.0  # seconds; older than HubSpot itself
EXPIRED_AT_ONCE = 100  # watches of an account that is not configured, in one go


class Lookout:
    """``begin`` puts right what happened between two runs; ``run`` looks around for ever."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        accounts: Collection[str],
        cost: float,
        owe: Owe,
        wake: Callable[[], None],
        report: Report,
        beat: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._accounts = accounts
        self._latest = longest_interval(OLDEST_TASK, cost)  # no poll is planned further ahead than this
        self._owe = owe
        self._wake = wake  # has every loop look for what is due
        self._report = report
        self._beat = beat  # called each time round, for the watchdog
        self._absent: list[str] = []

    async def begin(self) -> None:
        """Look at what the run before left.

        A machine that starts with a clock behind gets it set while we run. Time goes on from where the run before saw it,
        and the difference is a step like any other: moved there with all plans, and back when the clock is set right.
        """
        seen = await self._store.latest_time()
        if seen is not None and seen - self._clock.now() > STEP_WORTH_TELLING:
            self._clock.follow(seen - self._clock.now())
        await self._pull_in()
        watched = await self._store.watched_accounts()
        self._absent = sorted(set(watched) - set(self._accounts))
        for account in self._absent:
            self._report(AccountAbsent(account, watched[account]))

    async def run(self) -> None:
        """Look around until cancelled."""
        kept_up_at = -UPKEEP_EVERY
        while True:
            self._beat()
            await self._follow_clock()
            if await self._store.changed_elsewhere():
                self._wake()
            if self._clock.monotonic() - kept_up_at > UPKEEP_EVERY:
                kept_up_at = self._clock.monotonic()
                await self._keep_up()
            await anyio.sleep(LOOK_EVERY)

    async def _follow_clock(self) -> None:
        stepped = self._clock.stepped()
        if abs(stepped) < STEP_WORTH_TELLING:
            self._clock.follow(stepped)
            return
        await self._store.shift_plans(stepped)
        self._clock.follow(stepped)
        self._report(ClockStepped(round(stepped, 3)))
        self._wake()

    async def _keep_up(self) -> None:
        await self._store.note_time(self._clock.now())
        await self._pull_in()
        for account in self._absent:
            await self._expire_absent(account)

    async def _pull_in(self) -> None:
        now = self._clock.now()
        for account in self._accounts:
            if await self._store.pull_in_polls(account, now + self._latest, now):
                self._wake()

    async def _expire_absent(self, account: str) -> None:
        """Tell of passed deadlines of an account that is not configured: a deadline is a promise to hear by then."""
        now = self._clock.now()
        for watch in await self._store.overdue_watches(account, now - EXPIRY_GRACE, EXPIRED_AT_ONCE):
            decision = expire_unasked(watch, now)
            if decision.event is None:
                continue
            telling = Telling(decision.event, self._owe(decision.event, watch.callbacks))
            if await self._store.save_poll(PollResult(decision.watch, telling), now):
                self._report(EventRecorded.of(telling.event, [each.callback for each in telling.deliveries]))
                self._wake()
