"""Polls the tasks of one account: take what is due, ask, decide, save; then sleep until the next is due.

The store says what is due and is told what was seen; nothing of a watch is kept here between two polls, so a restart
changes nothing. What several polls of an account share (its token bucket, its pauses) lives in ``Gate`` and ``Bucket``.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import anyio
from anyio.abc import TaskGroup

from notifier import operator_events
from notifier.clock import Clock
from notifier.facts import (
    AccountPaused,
    AccountRejected,
    AccountRestored,
    EventRecorded,
    PollChanged,
    PollTroubled,
    StatusUnknown,
)
from notifier.http import Failure
from notifier.hubspot.account import Account
from notifier.hubspot.answers import Answer, Refused
from notifier.hubspot.budget import Bucket
from notifier.hubspot.client import HubSpotClient
from notifier.model import Event, NewDelivery, Watch
from notifier.polling.clockwork import Bell
from notifier.polling.decide import EXPIRY_GRACE, Decision, decide, expire_unasked
from notifier.polling.gate import Gate, Pause
from notifier.polling.settings import PollingSettings
from notifier.store.contract import AccountStanding, PollResult, Store, Telling
from notifier.telemetry import Report

Owe = Callable[[Event, tuple[str, ...] | None], Sequence[NewDelivery]]

EXPIRED_AT_ONCE = 100  # watches of an account that can't be asked, expired in one go


class Poller:
    """Polls one account; ``run`` returns after ``drain``, when what was in flight is saved."""

    def __init__(
        self,
        account: Account,
        *,
        client: HubSpotClient,
        store: Store,
        bell: Bell,
        clock: Clock,
        settings: PollingSettings,
        owe: Owe,
        on_told: Callable[[], None],
        report: Report,
        beat: Callable[[], None],
    ) -> None:
        self.account = account.name
        self.in_flight: set[str] = set()
        self._client = client
        self._store = store
        self._bell = bell
        self._clock = clock
        self._settings = settings
        self._owe = owe  # which deliveries an event owes; the other half of the flow is not known here
        self._on_told = on_told  # called when an event with deliveries was recorded
        self._report = report
        self._beat = beat  # called each time round, for the watchdog
        self._bucket = Bucket(account.rate_limit)
        self._gate = Gate()
        self._paused_at = -math.inf  # when the last pause began, on the monotonic clock
        self._draining = False

    def wake(self) -> None:
        """Look at once for what is due."""
        self._bell.ring()

    def drain(self) -> None:
        """Start no more polls; ``run`` returns when those in flight are saved."""
        self._draining = True
        self._bell.ring()

    async def run(self) -> None:
        """Poll until drained."""
        await self._resume()
        async with anyio.create_task_group() as polls:
            while not self._draining:
                self._beat()
                self._bell.arm(await self._start_due_polls(polls))
                await self._bell.wait()

    async def _resume(self) -> None:
        """Go on as the run before stood: a day's limit that is used up stays so over a restart."""
        standing = await self._store.account_standing(self.account)
        self._gate.rejected = standing.rejected_at is not None
        if standing.paused_until is not None:
            self._bucket.pause_until(self._clock.monotonic() + standing.paused_until - self._clock.now())

    async def _start_due_polls(self, polls: TaskGroup) -> float | None:
        """Start what is due as far as the limits allow; gives when to look again, None when a poll's end will tell."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        if (resume_in := self._bucket.paused_until - monotonic) > 0:
            await self._expire_unasked(now)
            return now + resume_in
        room = self._room()
        if room <= 0:
            return None
        due = await self._store.due_watches(self.account, now, limit=room + len(self.in_flight))
        for watch in [watch for watch in due if watch.watch_id not in self.in_flight][:room]:
            if (wait := self._bucket.take(self._clock.monotonic())) > 0:
                return now + wait
            self.in_flight.add(watch.watch_id)
            polls.start_soon(self._poll, watch)
        return await self._store.next_poll_at(self.account, after=now) if self._room() > 0 else None

    def _room(self) -> int:
        bound = self._settings.concurrency if self._gate.concurrency is None else self._gate.concurrency
        return bound - len(self.in_flight)

    async def _poll(self, watch: Watch) -> None:
        try:
            asked_at = self._clock.monotonic()
            answer = await self._client.ask(watch.key, timeout=self._settings.timeout, strikes=self._gate.strikes)
            await self._take_in(answer, belated=asked_at < self._paused_at)
            await self._save(watch, decide(watch, answer, now=self._clock.now(), settings=self._settings))
        finally:
            self.in_flight.discard(watch.watch_id)
            self._bell.ring()

    async def _save(self, watch: Watch, decision: Decision) -> None:
        telling = self._telling(decision)
        if not await self._store.save_poll(PollResult(decision.watch, telling), self._clock.now()):
            return  # removed meanwhile: nobody asks for it any more
        self._report_poll(watch, decision)
        if telling is not None:
            self._report(_recorded(telling))
            self._on_told()

    def _telling(self, decision: Decision) -> Telling | None:
        if decision.event is None:
            return None
        return Telling(decision.event, self._owe(decision.event, decision.watch.callbacks))

    async def _expire_unasked(self, now: float) -> None:
        """Tell of passed deadlines although the account can't be asked: a deadline is a promise to hear by then."""
        for watch in await self._store.overdue_watches(self.account, now - EXPIRY_GRACE, EXPIRED_AT_ONCE):
            if watch.watch_id not in self.in_flight:
                await self._save(watch, expire_unasked(watch, now))

    # -- the account --------------------------------------------------------------------------------------------------
    async def _take_in(self, answer: Answer | Failure, *, belated: bool) -> None:
        """Let the answer open or close the account's gate."""
        was_rejected = self._gate.rejected
        pause = self._gate.note(answer, belated=belated)
        if isinstance(answer, Refused) and not was_rejected:
            await self._tell_rejected(answer)
        elif was_rejected and not self._gate.rejected:
            await self._tell_restored()
        if pause is not None:
            await self._pause(pause)

    async def _pause(self, pause: Pause) -> None:
        now = self._clock.monotonic()
        until = now + pause.seconds
        if until > self._bucket.paused_until:
            self._paused_at = now
            self._bucket.pause_until(until)
            self._report(AccountPaused(self.account, round(pause.seconds, 3), pause.reason))
            if not self._gate.rejected:  # a restart is how a person says that the credentials are mended
                await self._store.pause_account(self.account, self._clock.now() + pause.seconds, pause.reason)

    async def _tell_rejected(self, answer: Refused) -> None:
        now = self._clock.now()
        reason = " ".join(str(part) for part in (answer.status, answer.category, answer.message) if part)
        event = operator_events.account_rejected(self.account, reason, answer.correlation_id, now)
        standing = AccountStanding(self.account, now, reason, answer.correlation_id)
        await self._tell(standing, event)
        self._report(AccountRejected(self.account, reason, answer.correlation_id))

    async def _tell_restored(self) -> None:
        now = self._clock.now()
        since = (await self._store.account_standing(self.account)).rejected_at or now
        await self._tell(AccountStanding(self.account), operator_events.account_restored(self.account, since, now))
        self._report(AccountRestored(self.account, round(now - since, 3)))

    async def _tell(self, standing: AccountStanding, event: Event) -> None:
        telling = Telling(event, self._owe(event, None))
        await self._store.set_account_standing(standing, telling, self._clock.now())
        self._report(_recorded(telling))
        self._on_told()

    # -- what is reported ---------------------------------------------------------------------------------------------
    def _report_poll(self, before: Watch, decision: Decision) -> None:
        after = decision.watch
        next_poll_in = round(after.next_poll_at - self._clock.now(), 3) if after.ended_at is None else None
        shared: dict[str, Any] = {
            "account": after.key.account,
            "kind": after.key.kind,
            "task_id": after.key.task_id,
            "label": after.label,
            "status": after.status,
            "polls": after.polls,
            "next_poll_in": next_poll_in,
            "correlation_id": after.correlation_id,
        }
        if decision.status_unknown:
            self._report(StatusUnknown(after.key.account, after.key.kind, after.key.task_id, after.status or ""))
        if after.problem is not None and decision.changed:
            self._report(PollTroubled(problem=after.problem, **shared))
        elif decision.changed:
            self._report(PollChanged(previous_status=before.status, state=after.state, **shared))


def _recorded(telling: Telling) -> EventRecorded:
    return EventRecorded.of(telling.event, [delivery.callback for delivery in telling.deliveries])
