"""Delivers what one callback is owed: claim what is due, send it, settle; then sleep until the next is due.

Every callback has a lane of its own, with its own connections, concurrency, rate and breaker, so that none waits for
another.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from notifier.clock import Clock
from notifier.delivery.breaker import Breaker, BreakerState, is_ill
from notifier.delivery.sender import Sender
from notifier.delivery.settings import Callback
from notifier.delivery.settle import Owe, Tried, dies, settlement
from notifier.delivery.verdict import Case, Verdict, decide
from notifier.facts import (
    AttemptFailed,
    AttemptFinished,
    BreakerClosed,
    BreakerOpened,
    CallbackDisabled,
    CallbackPaused,
    DeliveryDied,
    EventRecorded,
)
from notifier.http import Failure, Response
from notifier.model import Claim, DeliveryState
from notifier.store.contract import Settled, Settlement, Store
from notifier.telemetry import Report


class Bell(Protocol):
    """Says that it is time."""

    def ring(self) -> None:
        """Make who waits go on at once."""

    def arm(self, at: float | None) -> None:
        """Ring at ``at``, unix seconds; None: only by hand."""

    async def wait(self) -> None:
        """Sleep until rung."""


class Lane:
    """The way to one callback; ``run`` returns after ``drain``, when the attempts in flight are settled."""

    def __init__(
        self,
        callback: Callback,
        *,
        sender: Sender,
        store: Store,
        bell: Bell,
        clock: Clock,
        schedule: Sequence[float],
        owe: Owe,
        on_told: Callable[[], None],
        report: Report,
        beat: Callable[[], None],
        random01: Callable[[], float],
    ) -> None:
        self.callback = callback
        self.in_flight = 0
        self._sender = sender
        self._store = store
        self._bell = bell
        self._clock = clock
        self._schedule = schedule
        self._owe = owe
        self._on_told = on_told  # called when an operator event with deliveries was recorded
        self._report = report
        self._beat = beat  # called each time round, for the watchdog
        self._random01 = random01
        self._next_send = clock.monotonic()  # the callback's rate allows nothing before
        self._breaker = Breaker()  # in monotonic time
        self._draining = False

    def wake(self) -> None:
        """Look at once for what is due."""
        self._bell.ring()

    def drain(self) -> None:
        """Claim no more; ``run`` returns when what is in flight is settled."""
        self._draining = True
        self._bell.ring()

    async def run(self) -> None:
        """Deliver until drained."""
        async with anyio.create_task_group() as attempts:
            while not self._draining:
                self._beat()
                self._bell.arm(await self._start_due_attempts(attempts))
                await self._bell.wait()

    async def _start_due_attempts(self, attempts: TaskGroup) -> float | None:
        """Claim as far as the limits allow; gives when to look again, None when an attempt's end will tell."""
        if (wait := self._wait()) > 0:
            return self._clock.now() + wait
        room = self._room()
        if room <= 0:
            return None
        era = self._breaker.era  # it may open while we claim
        claims = await self._store.claim(
            self.callback.name, now=self._clock.now(), lease=self.callback.lease, limit=room
        )
        for claim in claims:
            self._space_out()
            self.in_flight += 1
            self._breaker = self._breaker.began(era)
            attempts.start_soon(self._attempt, claim, era)
        if claims:
            self._bell.ring()  # there may be more
            return None
        return await self._store.next_attempt_at(self.callback.name)

    def _wait(self) -> float:
        """Give the seconds in which nothing may be sent: the rate's, the breaker's."""
        now = self._clock.monotonic()
        return max(self._next_send - now, self._breaker.rest(now))

    def _room(self) -> int:
        free = self._breaker.room(self.callback.concurrency - self.in_flight, self._clock.monotonic())
        return min(free, 1) if self.callback.rate else free

    def _space_out(self) -> None:
        if self.callback.rate is not None:
            self._next_send = self._clock.monotonic() + self.callback.rate.seconds / self.callback.rate.requests

    async def _attempt(self, claim: Claim, era: int) -> None:
        try:
            started, began = self._clock.now(), self._clock.monotonic()
            exchange = await self._sender.send(claim)
            turn = self._judge_receiver(exchange, era)
            tried = Tried(claim, exchange, self._sender.excerpt(exchange), started, self._clock.now())
            seconds = self._clock.monotonic() - began
            verdict = decide(self._case(claim, tried.finished_at), exchange, self._sender.ruling(exchange))
            await self._settle(tried, verdict, seconds)
            if turn is not None:
                await self._store.note_breaker(self.callback.name, self._open_until())
                self._report(turn)
        finally:
            self.in_flight -= 1
            self._bell.ring()

    def _case(self, claim: Claim, now: float) -> Case:
        return Case(claim, self.callback, now, self._random01(), self._schedule)

    def _judge_receiver(self, exchange: Response | Failure, era: int) -> BreakerOpened | BreakerClosed | None:
        """Tell the breaker how it went; gives what there is to report when it opened or closed."""
        before, now = self._breaker, self._clock.monotonic()
        after = self._breaker = before.ended(era, now, self._random01(), ill=is_ill(exchange))
        if after.open_until == before.open_until:
            return None
        if after.open_until is None:
            return BreakerClosed(self.callback.name, round(now - before.opened_at, 3))
        reason = exchange.reason if isinstance(exchange, Failure) else f"status_{exchange.status}"
        return BreakerOpened(self.callback.name, round(after.rest(now), 3), after.openings, after.failures, reason)

    def _open_until(self) -> float | None:
        """Give until when the breaker is open, in the clock's ``now``."""
        closed = self._breaker.state(self._clock.monotonic()) is BreakerState.CLOSED
        return None if closed else self._clock.now() + self._breaker.rest(self._clock.monotonic())

    async def _settle(self, tried: Tried, verdict: Verdict, seconds: float) -> None:
        event = await self._store.find_event(tried.claim.delivery.event_id) if dies(verdict) else None
        wanted = settlement(tried, verdict, event, self._owe)
        settled = await self._store.settle(wanted, self._clock.now())
        if settled is None:
            return  # the lease was lost: whoever has it now settles it
        self._report_attempt(tried.claim, wanted, seconds)
        self._report_standing(wanted, settled)
        if settled.tellings:
            self._on_told()

    def _report_attempt(self, claim: Claim, settled: Settlement, seconds: float) -> None:
        delivery, attempt, now = settled.delivery, settled.attempt, self._clock.now()
        fact = {
            DeliveryState.DELIVERED: AttemptFinished,
            DeliveryState.DEAD: DeliveryDied,
        }.get(delivery.state, AttemptFailed)
        delivered = delivery.state is DeliveryState.DELIVERED
        self._report(
            fact(
                delivery_id=delivery.delivery_id,
                event_id=delivery.event_id,
                type=delivery.event_type,
                callback=delivery.callback,
                account=claim.about.get("account"),
                task_id=claim.about.get("task_id"),
                label=claim.about.get("label"),
                number=claim.number,
                state=delivery.state,
                reach=attempt.reach or "",
                reason=delivery.reason or attempt.reason or "",
                status_code=attempt.status_code,
                duration_ms=round(seconds * 1000, 1),
                latency_ms=round((now - claim.about["recorded_at"]) * 1000, 1) if delivered else None,
                next_attempt_in=round(delivery.next_attempt_at - now, 1)
                if delivery.state is DeliveryState.PENDING
                else None,
            )
        )

    def _report_standing(self, wanted: Settlement, settled: Settled) -> None:
        if wanted.pause_until is not None:
            seconds = round(wanted.pause_until - self._clock.now(), 3)
            self._report(CallbackPaused(self.callback.name, seconds, wanted.delivery.reason or ""))
        if wanted.disabling is not None and settled.buried:
            self._report(CallbackDisabled(self.callback.name, wanted.disabling.reason, settled.buried))
        for telling in settled.tellings:
            self._report(EventRecorded.of(telling.event, [each.callback for each in telling.deliveries]))
