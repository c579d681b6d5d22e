"""The composition root: makes every part, starts it, and stops it in order.

Stopping: not ready → clock paused → polls drained → claims stopped → attempts drained → leases given back → store closed,
all within ``DRAIN_DEADLINE``. What is still in flight then is made again by the next run, under the same id.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import anyio

from notifier import __version__
from notifier.clock import Clock, uniform01
from notifier.config.settings import Settings
from notifier.delivery.dispatcher import Lane
from notifier.delivery.egress import CONFIGURED
from notifier.delivery.outbox import owe
from notifier.delivery.sender import Sender, courier_to
from notifier.delivery.settings import Callback, OnUnknown
from notifier.facts import (
    BodyDegraded,
    CallbackUnverified,
    DaemonStarted,
    DaemonStopped,
    DaemonStopping,
    DaemonStuck,
    StoreStuck,
)
from notifier.http import Http
from notifier.hubspot.account import Account
from notifier.hubspot.client import HubSpotClient
from notifier.lookout import Lookout
from notifier.model import Event, NewDelivery
from notifier.polling.clockwork import LONGEST_SLEEP, Clockwork
from notifier.polling.poller import Poller
from notifier.polling.watches import begin_watch
from notifier.secret import redactor
from notifier.store.contract import Reconciled
from notifier.store.retention import Pruner
from notifier.store.sqlite import SqliteStore, open_sqlite
from notifier.systemd import Progress, ServiceState, coroutine_stacks
from notifier.telemetry import Report

DRAIN_DEADLINE = 20.0  # seconds; TimeoutStopSec of the unit file is longer
RELEASE_LIMIT = 1.0  # seconds, after the drain; on a full disk nothing can be given back
POLL_DRAIN = 5.0  # seconds of it that polls may take: a poll cut short costs nothing but itself
STATUS_EVERY = 5.0  # seconds
LOOP_LIMIT = 2 * LONGEST_SLEEP + 10.0  # seconds in which every loop must come round


class _Loop(Protocol):
    """A poller, a lane or the pruner."""

    async def run(self) -> None: ...
    def drain(self) -> None: ...
    def wake(self) -> None: ...


@dataclass(slots=True)
class Surroundings:
    """What the daemon gets from outside; tests and the demo bring their own."""

    report: Report
    clock: Clock = field(default_factory=Clock)
    random01: Callable[[], float] = uniform01
    service: ServiceState = field(default_factory=lambda: ServiceState(None))
    watchdog_interval: float | None = None  # seconds between two signs of life
    on_ready: Callable[[], None] = lambda: None
    config_path: str | None = None
    config_warnings: int = 0


class Daemon:
    """One run of the daemon; ``run`` returns when it was told to stop and has."""

    def __init__(self, settings: Settings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._out = surroundings
        self._clock = surroundings.clock
        self._clockwork = Clockwork(self._clock)
        self._progress = Progress()
        self._pollers: list[Poller] = []
        self._lanes: list[Lane] = []
        self._pruners: list[Pruner] = []  # one, once it is made
        self._finished: dict[_Loop, anyio.Event] = {}

    async def run(self, stopping: anyio.Event) -> None:
        """Run until ``stopping`` is set.

        :raises StoreError: the store can't be used; other exceptions are bugs and end the process.
        """
        async with AsyncExitStack() as stack:
            opening = open_sqlite(self._settings.store, daemon=True, on_stuck=self._tell_stuck)
            store = await stack.enter_async_context(opening)
            lookout = self._make_lookout(store)
            prepared = await self._prepare(store, lookout, stopping)
            if prepared is None:
                return
            self._make_loops(store, stack)
            stack.enter_context(self._clockwork.running())
            await self._run_loops(store, lookout, stopping, partial(self._tell_started, store, *prepared))

    # -- starting -----------------------------------------------------------------------------------------------------
    async def _prepare(
        self, store: SqliteStore, lookout: Lookout, stopping: anyio.Event
    ) -> tuple[Reconciled, int] | None:
        """Take over from the run before; None when told to stop before that is on disk, which may be full for hours."""
        prepared = None
        async with anyio.create_task_group() as group:

            async def prepare() -> None:
                nonlocal prepared
                await lookout.begin()
                interrupted = await self._adopt(store)
                prepared = await self._reconcile(store), interrupted
                group.cancel_scope.cancel()

            group.start_soon(prepare)
            await stopping.wait()
            group.cancel_scope.cancel()
        return prepared

    async def _adopt(self, store: SqliteStore) -> int:
        return await store.adopt_deliveries(self._settings.callbacks, self._holding(), self._clock.now())

    async def _reconcile(self, store: SqliteStore) -> Reconciled:
        now, cost = self._clock.now(), self._settings.polling.request_cost
        wanted = [begin_watch(request, origin="config", cost=cost, now=now) for request in self._settings.tasks]
        return await store.reconcile(wanted, now)

    def _make_lookout(self, store: SqliteStore) -> Lookout:
        return Lookout(
            store,
            clock=self._clock,
            accounts=self._settings.accounts,
            cost=self._settings.polling.request_cost,
            owe=self._owe,
            wake=self._wake_all,
            report=self._out.report,
            beat=self._expect("lookout"),
        )

    def _make_loops(self, store: SqliteStore, stack: AsyncExitStack) -> None:
        self._pollers = [self._make_poller(account, store, stack) for account in self._settings.accounts.values()]
        self._lanes = [self._make_lane(callback, store, stack) for callback in self._settings.callbacks.values()]
        self._pruners = [self._make_pruner(store)]

    def _make_poller(self, account: Account, store: SqliteStore, stack: AsyncExitStack) -> Poller:
        http = Http(max_connections=self._settings.polling.concurrency, judge=CONFIGURED.refusal)
        stack.push_async_callback(http.aclose)
        return Poller(
            account,
            client=HubSpotClient(account, http, self._clock),
            store=store,
            bell=self._clockwork.bell(f"account {account.name}"),
            clock=self._clock,
            settings=self._settings.polling,
            owe=self._owe,
            on_told=self._wake_lanes,
            report=self._out.report,
            beat=self._expect(f"account {account.name}"),
        )

    def _make_lane(self, callback: Callback, store: SqliteStore, stack: AsyncExitStack) -> Lane:
        courier = courier_to(callback)
        stack.push_async_callback(courier.aclose)
        redact = redactor(self._settings.secret_values())
        return Lane(
            callback,
            sender=Sender(callback, courier=courier, clock=self._clock, redact=redact),
            store=store,
            bell=self._clockwork.bell(f"callback {callback.name}"),
            clock=self._clock,
            schedule=self._settings.schedule,
            owe=self._owe,
            on_told=self._wake_lanes,
            report=self._out.report,
            beat=self._expect(f"callback {callback.name}"),
            random01=self._out.random01,
        )

    def _make_pruner(self, store: SqliteStore) -> Pruner:
        return Pruner(
            self._settings.retention,
            listed=self._settings.listed(),
            store=store,
            bell=self._clockwork.bell("retention"),
            clock=self._clock,
            report=self._out.report,
            beat=self._expect("retention"),
        )

    def _owe(self, event: Event, asked: tuple[str, ...] | None) -> Sequence[NewDelivery]:
        owed = owe(event, self._settings.callbacks, asked)
        for each in owed:
            if each.body.degraded:
                self._out.report(BodyDegraded(each.callback, event.event_id, event.type, each.body.degraded))
        return owed

    def _expect(self, name: str) -> Callable[[], None]:
        self._progress.expect(name, within=LOOP_LIMIT, now=self._clock.monotonic())
        return lambda: self._progress.beat(name, self._clock.monotonic())

    # -- running ------------------------------------------------------------------------------------------------------
    async def _run_loops(
        self, store: SqliteStore, lookout: Lookout, stopping: anyio.Event, on_started: Callable[[], Awaitable[None]]
    ) -> None:
        async with anyio.create_task_group() as loops:
            for loop in self._loops():
                loops.start_soon(self._run_loop, loop)
            loops.start_soon(lookout.run)
            loops.start_soon(self._say_status, store)
            loops.start_soon(self._feed_watchdog, store)
            await on_started()
            await stopping.wait()
            began = self._clock.monotonic()
            await self._drain()
            cut_off = self._attempts_in_flight()
            loops.cancel_scope.cancel()
        interrupted = await self._release(store, cut_off)
        self._out.report(DaemonStopped(interrupted, round(self._clock.monotonic() - began, 3)))

    def _loops(self) -> Iterable[_Loop]:
        return [*self._pollers, *self._lanes, *self._pruners]

    async def _run_loop(self, loop: _Loop) -> None:
        finished = self._finished[loop] = anyio.Event()
        await loop.run()
        finished.set()

    async def _say_status(self, store: SqliteStore) -> None:
        while self._out.service.listening:
            await anyio.sleep(STATUS_EVERY)
            self._out.service.status(await self._status(store))

    async def _status(self, store: SqliteStore) -> str:
        live = await store.count_live()
        trouble = ", commits wait for the disk" if store.stuck else ""
        return f"watching {live.active} tasks, {live.pending} deliveries pending, {live.held} held, {live.dead} dead{trouble}"

    async def _feed_watchdog(self, store: SqliteStore) -> None:
        """Give a sign of life as long as every loop comes round; a full disk is no reason to be killed."""
        if self._out.watchdog_interval is None:
            return
        while True:
            stuck = [] if store.stuck else self._progress.stuck(self._clock.monotonic())
            if stuck:
                self._out.report(DaemonStuck(", ".join(stuck), coroutine_stacks()))
            else:
                self._out.service.alive()
            await anyio.sleep(self._out.watchdog_interval)

    # -- stopping -----------------------------------------------------------------------------------------------------
    async def _drain(self) -> None:
        in_flight = sum(len(poller.in_flight) for poller in self._pollers), self._attempts_in_flight()
        self._out.service.stopping("draining")
        self._out.report(DaemonStopping("asked to", *in_flight))
        self._clockwork.pause()
        with anyio.move_on_after(DRAIN_DEADLINE):
            await self._drain_loops(self._pruners)
            with anyio.move_on_after(POLL_DRAIN):
                await self._drain_loops(self._pollers)
            await self._drain_loops(self._lanes)

    async def _drain_loops(self, loops: Sequence[_Loop]) -> None:
        for loop in loops:
            loop.drain()
        for loop in loops:
            await self._finished[loop].wait()

    async def _release(self, store: SqliteStore, cut_off: int) -> int:
        """Give the leases back and count them; where that can't be written, the next run takes them over."""
        with anyio.move_on_after(RELEASE_LIMIT):
            return await store.release(self._holding(), self._clock.now())
        return cut_off

    # -- small things -------------------------------------------------------------------------------------------------
    def _tell_unverified(self) -> None:
        for callback in self._settings.callbacks.values():
            if not callback.transport.tls.verify:
                self._out.report(CallbackUnverified(callback.name))

    async def _tell_started(self, store: SqliteStore, reconciled: Reconciled, interrupted: int) -> None:
        live = await store.count_live()
        self._out.report(
            DaemonStarted(
                version=__version__,
                config=self._out.config_path,
                store=str(self._settings.store),
                accounts=len(self._settings.accounts),
                callbacks=len(self._settings.callbacks),
                added=reconciled.added,
                removed=reconciled.removed,
                changed=reconciled.changed,
                active=live.active,
                interrupted=interrupted,
                warnings=self._out.config_warnings,
            )
        )
        self._tell_unverified()
        self._out.service.ready(await self._status(store))
        self._out.on_ready()

    def _tell_stuck(self, reason: str) -> None:
        self._out.report(StoreStuck(reason))

    def _attempts_in_flight(self) -> int:
        return sum(lane.in_flight for lane in self._lanes)

    def _wake_lanes(self) -> None:
        for lane in self._lanes:
            lane.wake()

    def _wake_all(self) -> None:
        for loop in self._loops():
            loop.wake()

    def _holding(self) -> list[str]:
        callbacks = self._settings.callbacks.values()
        return [callback.name for callback in callbacks if callback.on_unknown is OnUnknown.HOLD]
