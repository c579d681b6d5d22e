"""The store's contract. Every backend is held to it: add one to ``BACKENDS``."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import pytest
from samples import NOW, a_telling, a_watch, ended

from notifier.errors import UnknownName
from notifier.model import (
    Attempt,
    Claim,
    Delivery,
    DeliveryState,
    TaskKey,
    Watch,
    WatchState,
)
from notifier.operator_events import callback_disabled, delivery_dead
from notifier.store.contract import (
    AccountStanding,
    Ages,
    Disabling,
    Live,
    PollResult,
    Selection,
    Settlement,
    Store,
    Telling,
)
from notifier.store.sqlite import SqliteStore, open_sqlite

BACKENDS: dict[str, Callable[[Path], AbstractAsyncContextManager[SqliteStore]]] = {
    "sqlite": lambda folder: open_sqlite(folder / "notifier.db", daemon=False),
}


@pytest.fixture(params=BACKENDS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], AbstractAsyncContextManager[SqliteStore]]:
    """Opens a session on one and the same store."""
    return partial(BACKENDS[request.param], tmp_path)


@pytest.fixture
async def store(opened: Callable[[], AbstractAsyncContextManager[SqliteStore]]) -> AsyncIterator[SqliteStore]:
    """A session on a new store."""
    async with opened() as session:
        yield session


def verdict(delivery: Delivery, number: int, **changes: object) -> Settlement:
    attempt = Attempt(delivery.delivery_id, number, NOW, NOW + 1, "rejected", "status_500", 500, "oops")
    return Settlement(replace(delivery, **changes), attempt)


def gone(claim: Claim) -> Settlement:
    """What a 410 makes of a delivery."""
    dead = verdict(claim.delivery, claim.number, state=DeliveryState.DEAD, reason="gone")
    death = Telling(delivery_dead(claim.delivery, a_telling(a_watch()).event, "gone", claim.number, NOW))
    disabling = Disabling("gone", lambda buried: Telling(callback_disabled("erp", "gone", NOW, buried=buried)))
    return replace(dead, disabling=disabling, tellings=[death])


async def owe_one(store: Store, *callbacks: str, task_id: str = "T1") -> Watch:
    watch, _ = await store.add_watch(a_watch(task_id))
    assert await store.save_poll(PollResult(ended(watch), a_telling(watch, *callbacks)), NOW)
    return watch


class TestWatches:
    """What is watched."""

    async def test_reconcile_brings_the_file_about(self, store: SqliteStore) -> None:
        """New tasks begin, those no longer listed stop, the others keep their progress and take the file's words."""
        first = await store.reconcile([a_watch("a"), a_watch("b")], NOW)
        assert (first.added, first.removed, first.changed, first.kept) == (2, 0, 0, 0)
        await store.save_poll(PollResult(a_watch("a", polls=3, status="PROCESSING", next_poll_at=NOW + 16)), NOW)
        wanted = [
            a_watch("a", label="A", began_at=NOW + 50, deadline_at=NOW + 50 + 60, next_poll_at=NOW + 51),
            a_watch("c"),
        ]
        second = await store.reconcile(wanted, NOW + 50)
        assert (second.added, second.removed, second.changed, second.kept) == (1, 1, 1, 0)
        [a] = await store.watches_of_task("a")
        assert (a.polls, a.status, a.label, a.began_at, a.deadline_at) == (3, "PROCESSING", "A", NOW, NOW + 60)
        assert a.next_poll_at == NOW + 16
        [b] = await store.watches_of_task("b")
        assert b.state is WatchState.REMOVED

    async def test_an_ended_watch_stays_ended_while_listed(self, store: SqliteStore) -> None:
        """Listing a task that has ended changes nothing; one that was removed begins again."""
        await store.reconcile([a_watch("a"), a_watch("b")], NOW)
        await store.save_poll(PollResult(ended(a_watch("a"))), NOW)
        await store.reconcile([], NOW)
        again = await store.reconcile([a_watch("a"), a_watch("b")], NOW)
        assert (again.added, again.kept) == (1, 1)
        assert [watch.state for watch in await store.watches_of_task("a")] == [WatchState.ENDED]
        assert [watch.state for watch in await store.watches_of_task("b")] == [WatchState.ACTIVE]

    async def test_watches_of_commands_outlive_a_reconcile(self, store: SqliteStore) -> None:
        """What a person asked for at run time is not the file's to remove."""
        await store.add_watch(a_watch("a", origin="command"))
        assert (await store.reconcile([], NOW)).removed == 0

    @pytest.mark.parametrize(
        ("state", "begins"),
        [("active", False), ("ended", False), ("expired", True), ("lost", True), ("removed", True)],
    )
    async def test_adding_again(self, store: SqliteStore, state: str, begins: bool) -> None:
        """Asking again for a task begins the watch again, unless it is active or ended."""
        await store.add_watch(a_watch())
        await store.save_poll(PollResult(a_watch(state=WatchState(state), polls=7)), NOW)
        watch, new = await store.add_watch(a_watch(began_at=NOW + 9))
        assert new is begins
        assert (watch.polls, watch.began_at) == ((0, NOW + 9) if begins else (7, NOW))

    async def test_due_watches_come_longest_due_first_and_only_when_due(self, store: SqliteStore) -> None:
        """The schedule decides who is asked first; other accounts are not seen."""
        for task, due in (("late", 1), ("later", 3), ("latest", 9)):
            await store.add_watch(a_watch(task, next_poll_at=NOW + due))
        await store.add_watch(replace(a_watch("other"), key=TaskKey("b", "hubspot.file_import", "other")))
        assert [watch.key.task_id for watch in await store.due_watches("main", NOW + 5, 10)] == ["late", "later"]
        assert [watch.key.task_id for watch in await store.due_watches("main", NOW + 5, 1)] == ["late"]
        assert await store.next_poll_at("main", after=NOW + 5) == NOW + 9
        assert await store.next_poll_at("nobody", after=NOW) is None

    async def test_a_poll_of_a_removed_watch_is_dropped_whole(self, store: SqliteStore) -> None:
        """Removed while it was asked: neither progress nor event is recorded."""
        watch, _ = await store.add_watch(a_watch())
        assert (await store.remove_watch(watch.watch_id, NOW)).state is WatchState.REMOVED
        assert not await store.save_poll(PollResult(ended(watch), a_telling(watch)), NOW)
        assert await store.find_deliveries() == []

    async def test_removing_what_ended_changes_nothing(self, store: SqliteStore) -> None:
        """Ended is final; an unknown watch is an error that names the remedy."""
        watch = await owe_one(store)
        assert (await store.remove_watch(watch.watch_id, NOW)).state is WatchState.ENDED
        with pytest.raises(UnknownName, match="watch list"):
            await store.remove_watch("wch_nobody", NOW)

    async def test_every_field_survives(self, store: SqliteStore) -> None:
        """What is written is read."""
        watch = a_watch(
            label="Frühling ☀", callbacks=("a", "b"), origin="command", anchor_at=NOW - 3, polls=2, polled_at=NOW,
            status="PROCESSING", unknown_count=1, unknown_since=NOW - 1, problem="timeout_read: slow", correlation_id="abc",
        )  # fmt: skip
        await store.add_watch(watch)
        assert await store.watches_of_task(watch.watch_id) == [watch]

    async def test_hostile_text_is_stored(self, store: SqliteStore) -> None:
        """Lone surrogates, NUL and the like from HubSpot's JSON neither fail nor stop anything."""
        watch, _ = await store.add_watch(a_watch())
        telling = a_telling(watch)
        hostile = replace(telling.event, data={"account": "main", "response": "\ud800 \x00", "task_id": "T1"})
        assert await store.save_poll(
            PollResult(replace(ended(watch), status="\ud800"), Telling(hostile, telling.deliveries)), NOW
        )
        assert (await store.find_event(hostile.event_id)).data["response"] == "\ud800 \x00"

    async def test_plans_move_with_the_clock(self, store: SqliteStore) -> None:
        """A clock that was set moves polls, deadlines, retries and pauses, so that every wait is as long as it was."""
        seen = {"polled_at": NOW - 1, "anchor_at": NOW - 2, "unknown_since": NOW - 3}
        await store.add_watch(a_watch("b", **seen))
        await owe_one(store)
        await store.shift_plans(86_400.0)
        [watch] = await store.watches_of_task("b")
        day = 86_400.0
        assert {name: getattr(watch, name) for name in seen} == {name: at + day for name, at in seen.items()}
        assert (watch.began_at, watch.next_poll_at, watch.deadline_at) == (NOW + day, NOW + day + 1, NOW + day + 3600)
        assert await store.next_attempt_at("erp") == NOW + day

    async def test_polls_planned_too_late_are_pulled_in(self, store: SqliteStore) -> None:
        """A clock that was set back between two runs leaves no poll a day ahead."""
        await store.add_watch(a_watch("b", next_poll_at=NOW + 86_400))
        await store.add_watch(a_watch("c", next_poll_at=NOW + 60))
        assert await store.pull_in_polls("main", NOW + 600, NOW) == 1
        assert [watch.key.task_id for watch in await store.due_watches("main", NOW, 9)] == ["b"]

    async def test_overdue_watches(self, store: SqliteStore) -> None:
        """Those past their deadline, of one account."""
        await store.add_watch(a_watch("b", deadline_at=NOW - 1))
        await store.add_watch(a_watch("c"))
        assert [watch.key.task_id for watch in await store.overdue_watches("main", NOW, 9)] == ["b"]


class TestDeliveries:
    """What is owed and what became of it."""

    async def test_event_and_deliveries_are_one(self, store: SqliteStore) -> None:
        """Terminal status seen and deliveries owed are recorded together, once."""
        watch = await owe_one(store, "erp", "ops")
        assert {delivery.callback for delivery in await store.deliveries_of_watch(watch.watch_id)} == {
            "erp",
            "ops",
        }
        assert not await store.record(a_telling(watch, "third"), NOW)
        assert len(await store.find_deliveries()) == 2

    async def test_a_claim_opens_an_attempt_and_is_not_given_twice(self, store: SqliteStore) -> None:
        """The attempt's row stands before anything is sent; the same session never gets the delivery again meanwhile."""
        await owe_one(store)
        [claim] = await store.claim("erp", now=NOW, lease=30, limit=5)
        assert (claim.number, claim.body.content, claim.about["task_id"]) == (1, b'{"a":1}', "T1")
        _, _, [attempt] = await store.find_delivery(claim.delivery.delivery_id)
        assert (attempt.number, attempt.finished_at) == (1, None)
        assert await store.claim("erp", now=NOW + 9999, lease=30, limit=5) == []
        assert await store.next_attempt_at("erp") is None

    async def test_claims_come_longest_due_first(self, store: SqliteStore) -> None:
        """In the order they are owed, as many as asked for, of one callback."""
        for number in range(3):
            watch, _ = await store.add_watch(a_watch(f"T{number}"))
            await store.save_poll(PollResult(ended(watch), a_telling(watch, "erp", "ops")), NOW + number)
        claims = await store.claim("erp", now=NOW + 5, lease=30, limit=2)
        assert [claim.about["task_id"] for claim in claims] == ["T0", "T1"]

    async def test_settling(self, store: SqliteStore) -> None:
        """A verdict moves the delivery on and closes the attempt."""
        await owe_one(store)
        [claim] = await store.claim("erp", now=NOW, lease=30, limit=1)
        retry = verdict(claim.delivery, 1, next_attempt_at=NOW + 5, failures=1, reason="status_500")
        assert await store.settle(retry, NOW)
        assert await store.next_attempt_at("erp") == NOW + 5
        [second] = await store.claim("erp", now=NOW + 5, lease=30, limit=1)
        assert (second.number, second.delivery.failures) == (2, 1)
        done = verdict(second.delivery, 2, state=DeliveryState.DELIVERED, delivered_at=NOW + 6)
        assert await store.settle(done, NOW)
        delivery, _, attempts = await store.find_delivery(claim.delivery.delivery_id)
        assert (delivery.state, delivery.attempts, len(attempts)) == (DeliveryState.DELIVERED, 2, 2)
        assert attempts[0].answer == "oops"

    async def test_a_lost_lease_settles_nothing(
        self, opened: Callable[[], AbstractAsyncContextManager[SqliteStore]]
    ) -> None:
        """Whoever has the lease now decides; the late verdict of a session that lost it is dropped."""
        async with opened() as old:
            await owe_one(old)
            [claim] = await old.claim("erp", now=NOW, lease=30, limit=1)
            async with opened() as new:
                assert await new.adopt_deliveries(["erp"], [], NOW + 1) == 1
                [again] = await new.claim("erp", now=NOW + 1, lease=30, limit=1)
                assert again.number == 2
                late = verdict(claim.delivery, 1, state=DeliveryState.DEAD, reason="rejected")
                assert not await old.settle(late, NOW)
                _, _, [first, _] = await new.find_delivery(claim.delivery.delivery_id)
                assert (first.reach, first.reason) == ("unknown", "interrupted")

    async def test_orphans_of_callbacks_that_hold_are_held(
        self, opened: Callable[[], AbstractAsyncContextManager[SqliteStore]]
    ) -> None:
        """Where twice is worse than never, nobody sends again what may have arrived."""
        async with opened() as old:
            await owe_one(old)
            await old.claim("erp", now=NOW, lease=30, limit=1)
            async with opened() as new:
                await new.adopt_deliveries(["erp"], ["erp"], NOW + 1)
                [delivery] = await new.find_deliveries()
                assert (delivery.state, delivery.reason) == (DeliveryState.HELD, "interrupted")

    async def test_release_gives_back_every_lease(self, store: SqliteStore) -> None:
        """What could not be finished before the end is owed at once."""
        await owe_one(store)
        await store.claim("erp", now=NOW, lease=30, limit=1)
        assert await store.release([], NOW + 2) == 1
        assert len(await store.claim("erp", now=NOW + 2, lease=30, limit=1)) == 1

    async def test_absent_callbacks_hold_their_queue(self, store: SqliteStore) -> None:
        """A callback taken out of the file keeps what it is owed until it is back."""
        await owe_one(store)
        await store.adopt_deliveries(["other"], [], NOW)
        [held] = await store.find_deliveries(states=[DeliveryState.HELD])
        assert held.reason == "absent"
        await store.adopt_deliveries(["erp"], [], NOW + 60)
        [claim] = await store.claim("erp", now=NOW + 60, lease=30, limit=1)
        assert claim.number == 1

    async def test_a_paused_callback_is_left_alone(self, store: SqliteStore) -> None:
        """A 429 pauses the whole callback, and says when it goes on."""
        await owe_one(store, task_id="a")
        await owe_one(store, task_id="b")
        [claim] = await store.claim("erp", now=NOW, lease=30, limit=1)
        paused = replace(verdict(claim.delivery, 1, next_attempt_at=NOW + 60), pause_until=NOW + 60)
        await store.settle(paused, NOW)
        assert await store.claim("erp", now=NOW + 59, lease=30, limit=9) == []
        assert await store.next_attempt_at("erp") == NOW + 60
        assert len(await store.claim("erp", now=NOW + 60, lease=30, limit=9)) == 2

    async def test_a_callback_that_is_gone_takes_its_queue_along(self, store: SqliteStore) -> None:
        """410: disabled, its queue dead, new deliveries held; enabled again, they are owed."""
        await owe_one(store, task_id="a")
        await owe_one(store, task_id="b")
        [claim] = await store.claim("erp", now=NOW, lease=30, limit=1)
        settled = await store.settle(gone(claim), NOW)
        assert settled is not None
        assert (settled.buried, [each.event.data["buried"] for each in settled.tellings]) == (2, [2])
        assert (await store.find_event(settled.tellings[0].event.event_id)).data["buried"] == 2
        assert {(each.state, each.reason) for each in await store.find_deliveries()} == {(DeliveryState.DEAD, "gone")}
        await owe_one(store, task_id="c")
        [held] = await store.find_deliveries(states=[DeliveryState.HELD])
        assert held.reason == "disabled"
        assert (await store.callback_standing("erp")).disabled_reason == "gone"
        await store.enable_callback("erp", NOW)
        assert len(await store.claim("erp", now=NOW, lease=30, limit=9)) == 1

    async def test_a_callback_is_disabled_once(self, store: SqliteStore) -> None:
        """What was in flight when the first 410 came dies with an event of its own; nobody hears twice of the callback."""
        await owe_one(store, task_id="a")
        await owe_one(store, task_id="b")
        first, second = await store.claim("erp", now=NOW, lease=30, limit=2)
        one, other = await store.settle(gone(first), NOW), await store.settle(gone(second), NOW + 1)
        assert one is not None
        assert other is not None
        assert (one.buried, [each.event.type for each in one.tellings]) == (1, ["callback.disabled"])
        assert (other.buried, [each.event.type for each in other.tellings]) == (0, ["delivery.dead"])
        assert (await store.callback_standing("erp")).disabled_at == NOW

    async def test_a_callback_disabled_by_hand_holds_even_what_is_in_flight(self, store: SqliteStore) -> None:
        """A retry that comes back to a disabled callback is held with the rest."""
        await owe_one(store, task_id="a")
        await owe_one(store, task_id="b")
        [claim] = await store.claim("erp", now=NOW, lease=30, limit=1)
        await store.disable_callback("erp", "by hand", NOW)
        await store.settle(verdict(claim.delivery, 1, next_attempt_at=NOW + 5), NOW)
        assert [each.state for each in await store.find_deliveries()] == [DeliveryState.HELD] * 2

    @pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.DEAD])
    async def test_redelivering(self, store: SqliteStore, state: DeliveryState) -> None:
        """Whatever became of it, it is owed again with all its retries; numbers go on."""
        await owe_one(store)
        [claim] = await store.claim("erp", now=NOW, lease=30, limit=1)
        await store.settle(verdict(claim.delivery, 1, state=state, failures=10, reason="exhausted"), NOW)
        assert await store.redeliver_all([claim.delivery.delivery_id], NOW + 9) == [claim.delivery.delivery_id]
        [delivery] = await store.find_deliveries()
        assert (delivery.state, delivery.failures, delivery.reason) == (DeliveryState.PENDING, 0, None)
        [again] = await store.claim("erp", now=NOW + 9, lease=30, limit=1)
        assert again.number == 2

    async def test_finding_by_the_beginning_of_an_id(self, store: SqliteStore) -> None:
        """A beginning is enough when it is the only one."""
        await owe_one(store, "erp", "ops")
        [one, _] = await store.find_deliveries()
        assert (await store.find_delivery(one.delivery_id[:12]))[0] == one
        with pytest.raises(UnknownName, match="several"):
            await store.find_delivery("dlv_")
        with pytest.raises(UnknownName, match="delivery list"):
            await store.find_delivery("dlv_zzzz")

    async def test_counts(self, store: SqliteStore) -> None:
        """Per state, with since when the oldest waits."""
        await owe_one(store)
        assert await store.count_deliveries() == {("erp", DeliveryState.PENDING): 1}
        assert await store.count_watches() == {("main", "hubspot.file_import", WatchState.ENDED): 1}
        assert await store.oldest_undelivered() == {"erp": NOW}
        assert await store.count_live() == Live(active=0, pending=1, held=0, dead=0)

    async def test_walking_through_a_selection(self, store: SqliteStore) -> None:
        """Every delivery meant comes once, the oldest first, whatever is owed or told meanwhile."""
        for number in range(5):
            watch, _ = await store.add_watch(a_watch(f"T{number}"))
            await store.save_poll(PollResult(ended(watch), a_telling(watch, "erp", "ops")), NOW + number)
        chosen = Selection((DeliveryState.PENDING,), "erp", "task.*", NOW + 1)
        seen, rest = [], 0
        while rest is not None:
            page = await store.select_deliveries(chosen, after=rest, limit=2)
            seen += [each.task_id for each in page.deliveries]
            rest = page.rest
        assert seen == ["T1", "T2", "T3", "T4"]
        assert await store.count_selected(chosen) == 4

    @pytest.mark.parametrize(
        ("chosen", "count"),
        [
            (Selection(), 4),
            (Selection(callback="ops"), 2),
            (Selection(states=(DeliveryState.DEAD,)), 0),
            (Selection(states=(DeliveryState.DEAD, DeliveryState.PENDING)), 4),
            (Selection(event_type="task.succeeded"), 4),
            (Selection(event_type="*.failed"), 0),
            (Selection(since=NOW + 1), 2),
        ],
    )
    async def test_selecting(self, store: SqliteStore, chosen: Selection, count: int) -> None:
        """Each part of a selection narrows it; lists, counts and walks mean the same."""
        for number in range(2):
            watch, _ = await store.add_watch(a_watch(f"T{number}"))
            await store.save_poll(PollResult(ended(watch), a_telling(watch, "erp", "ops")), NOW + number)
        listed = await store.find_deliveries(
            states=chosen.states, callback=chosen.callback, event_type=chosen.event_type, since=chosen.since
        )
        walked = (await store.select_deliveries(chosen, limit=9)).deliveries
        assert (len(listed), len(walked), await store.count_selected(chosen)) == (count, count, count)
        assert [each.delivery_id for each in listed] == [each.delivery_id for each in reversed(walked)]

    async def test_redelivering_together(self, store: SqliteStore) -> None:
        """What is in flight, in another state by now, or for a disabled callback stays as it is."""
        for task in ("dead", "flying", "other"):
            await owe_one(store, "erp", "off", task_id=task)
        await store.disable_callback("off", "by hand", NOW)
        claims = {claim.about["task_id"]: claim for claim in await store.claim("erp", now=NOW, lease=30, limit=9)}
        for task, state in (("dead", DeliveryState.DEAD), ("other", DeliveryState.DELIVERED)):
            settled = verdict(claims[task].delivery, 1, state=state, failures=9, delivered_at=NOW, reason="exhausted")
            assert await store.settle(settled, NOW)
        everything = [each.delivery_id for each in await store.find_deliveries()]
        dead = claims["dead"].delivery.delivery_id
        assert list(await store.redeliver_all(everything, NOW + 9, states=[DeliveryState.DEAD])) == [dead]
        [again] = await store.claim("erp", now=NOW + 9, lease=30, limit=9)
        assert (again.delivery.delivery_id, again.number, again.delivery.failures) == (dead, 2, 0)
        other = claims["other"].delivery.delivery_id
        assert list(await store.redeliver_all(everything, NOW + 9)) == [other]
        assert (await store.find_delivery(other))[0].delivered_at is None


class TestForgetting:
    """What is pruned, and what never is."""

    OLD = Ages(delivered=NOW + 30, dead=NOW + 90)

    async def settled(self, store: Store, task_id: str, **states: DeliveryState) -> None:
        """Have a task end, and settle what it owes now: ``erp=DeliveryState.DEAD``; pending leaves it."""
        await owe_one(store, *states, task_id=task_id)
        for callback, state in states.items():
            claims = (
                await store.claim(callback, now=NOW, lease=30, limit=1) if state is not DeliveryState.PENDING else []
            )
            for claim in claims:
                assert await store.settle(verdict(claim.delivery, 1, state=state), NOW)

    async def prune(self, store: Store, ages: Ages, *, dry_run: bool = False) -> tuple[int, int, int, int]:
        found = await store.prune_events(ages, after=None, limit=100, dry_run=dry_run)
        over = await store.prune_watches(ages, after=None, limit=100, dry_run=dry_run)
        return found.events, found.deliveries, found.attempts, over.watches

    async def test_what_is_settled_and_old_goes_whole(self, store: SqliteStore) -> None:
        """Event, deliveries, attempts, and the watch that is over; counted alike when only counted."""
        await self.settled(store, "a", erp=DeliveryState.DELIVERED, ops=DeliveryState.DELIVERED)
        assert await self.prune(store, self.OLD, dry_run=True) == (1, 2, 2, 1)
        assert len(await store.find_deliveries()) == 2
        assert await self.prune(store, self.OLD) == (1, 2, 2, 1)
        assert await store.find_deliveries() == []
        assert await store.find_watches() == []
        assert await self.prune(store, self.OLD) == (0, 0, 0, 0)

    @pytest.mark.parametrize(
        ("states", "ages", "goes"),
        [
            ({"erp": DeliveryState.DELIVERED}, Ages(NOW, NOW), False),
            ({"erp": DeliveryState.DELIVERED}, Ages(NOW + 6, NOW - 99), True),
            ({"erp": DeliveryState.DEAD}, Ages(NOW + 99, NOW), False),
            ({"erp": DeliveryState.DEAD}, Ages(NOW + 99, NOW + 1), True),
            ({"erp": DeliveryState.DELIVERED, "ops": DeliveryState.DEAD}, Ages(NOW + 99, NOW), False),
            ({"erp": DeliveryState.DELIVERED, "ops": DeliveryState.DEAD}, Ages(NOW + 99, NOW + 1), True),
            ({"erp": DeliveryState.DELIVERED, "ops": DeliveryState.PENDING}, Ages(NOW + 1e9, NOW + 1e9), False),
            ({"erp": DeliveryState.DELIVERED, "ops": DeliveryState.HELD}, Ages(NOW + 1e9, NOW + 1e9), False),
        ],
    )
    async def test_how_old(self, store: SqliteStore, states: dict[str, DeliveryState], ages: Ages, goes: bool) -> None:
        """Delivered and dead have ages of their own; what is pending or held keeps its event for ever, and that the watch."""
        await self.settled(store, "a", **states)
        assert await self.prune(store, ages) == ((1, len(states), len(states), 1) if goes else (0, 0, 0, 0))
        assert len(await store.find_deliveries()) == (0 if goes else len(states))

    async def test_a_death_counts_from_when_it_happened(self, store: SqliteStore) -> None:
        """Redelivered and dead again, it is kept as long as if it were new; so are those a 410 buried."""
        await self.settled(store, "a", erp=DeliveryState.DEAD)
        [dead] = await store.find_deliveries()
        await store.redeliver_all([dead.delivery_id], NOW + 1000)
        assert await self.prune(store, Ages(NOW + 999, NOW + 999)) == (0, 0, 0, 0)
        [claim] = await store.claim("erp", now=NOW + 1000, lease=30, limit=1)
        await owe_one(store, task_id="b")
        await store.settle(gone(claim), NOW + 1000)
        assert len(await store.find_deliveries(states=[DeliveryState.DEAD])) == 2
        assert (await self.prune(store, Ages(NOW + 999, NOW + 1000)))[0] == 0
        assert (await self.prune(store, Ages(NOW + 999, NOW + 1001)))[0] == 2

    async def test_an_event_nobody_asked_for_goes_too(self, store: SqliteStore) -> None:
        """An event that owed nothing to anybody."""
        await store.record(Telling(callback_disabled("erp", "gone", NOW)), NOW)
        assert await self.prune(store, Ages(NOW, NOW)) == (0, 0, 0, 0)
        assert await self.prune(store, self.OLD) == (1, 0, 0, 0)

    async def test_a_listed_task_is_never_told_again(self, store: SqliteStore) -> None:
        """Its events go, its row stays, so that the file may list it for ever."""
        listed, begun = a_watch("a").watch_id, a_watch("b").watch_id
        await self.settled(store, "a", erp=DeliveryState.DELIVERED)
        ages = replace(self.OLD, listed=[listed, begun])
        assert await self.prune(store, ages) == (1, 1, 1, 0)
        again = await store.reconcile([a_watch("a")], NOW + 1e6)
        assert (again.added, again.kept) == (0, 1)
        assert await store.due_watches("main", NOW + 1e9, 9) == []

    @pytest.mark.parametrize("state", [state for state in WatchState if state is not WatchState.ACTIVE])
    async def test_watches_that_are_over_go(self, store: SqliteStore, state: WatchState) -> None:
        """However they ended, by file or by command; active ones never."""
        for origin in ("config", "command"):
            watch, _ = await store.add_watch(a_watch(origin, origin=origin))
            await store.add_watch(a_watch(f"active-{origin}", origin=origin))
            await store.save_poll(PollResult(replace(watch, state=state, ended_at=NOW + 5)), NOW + 5)
        assert (await self.prune(store, Ages(NOW + 5, NOW + 5)))[3] == 0
        assert (await self.prune(store, Ages(NOW + 6, NOW + 6)))[3] == 2
        assert {watch.state for watch in await store.find_watches()} == {WatchState.ACTIVE}

    async def test_step_by_step(self, store: SqliteStore) -> None:
        """Each step looks at so many and says where the next begins; what may not go is passed by."""
        for number in range(7):
            await self.settled(store, f"T{number}", erp=DeliveryState.HELD if number % 2 else DeliveryState.DELIVERED)
        for forget, kept in ((store.prune_events, 3), (store.prune_watches, 3)):
            gone_by, after, steps = 0, None, 0
            while steps == 0 or after is not None:
                step = await forget(self.OLD, after=after, limit=2, dry_run=False)
                gone_by, after, steps = gone_by + step.events + step.watches, step.rest, steps + 1
            assert (gone_by, steps) == (7 - kept, 4)
        assert len(await store.find_deliveries()) == 3

    async def test_young_events_end_the_walk(self, store: SqliteStore) -> None:
        """Nobody reads a year of events to find those of its first day."""
        for number in range(6):
            watch, _ = await store.add_watch(a_watch(f"T{number}"))
            await store.save_poll(PollResult(ended(watch), a_telling(watch)), NOW + 10 * number)
        first = await store.prune_events(Ages(NOW + 15, NOW), after=None, limit=2, dry_run=True)
        assert first.rest is not None
        assert (await store.prune_events(Ages(NOW + 15, NOW), after=first.rest, limit=2, dry_run=True)).rest is None

    async def test_space_is_given_back(self, store: SqliteStore) -> None:
        """A store that was emptied is small again, a few pages at a time."""
        empty = await store.size()
        for number in range(50):
            watch, _ = await store.add_watch(a_watch(f"T{number}", label="x" * 20_000))
            await store.save_poll(PollResult(replace(watch, state=WatchState.REMOVED, ended_at=NOW)), NOW)
        full = await store.size()
        assert full > empty + 50 * 20_000
        assert (await self.prune(store, self.OLD))[3] == 50
        steps = 1
        while await store.give_back_space(20):
            steps += 1
        assert steps >= 10
        assert await store.size() < empty + 100_000


class TestStandings:
    """What is remembered between polls and attempts."""

    async def test_breakers(self, opened: Callable[[], AbstractAsyncContextManager[SqliteStore]]) -> None:
        """Until when it is open is remembered, moves with the clock, and is forgotten by the next daemon."""
        async with opened() as store:
            await store.note_breaker("erp", NOW + 30)
            await store.shift_plans(100)
            assert (await store.callback_standing("erp")).open_until == NOW + 130
            await store.note_breaker("erp", None)
            assert (await store.callback_standing("erp")).open_until is None
            await store.note_breaker("erp", NOW + 600)
        async with opened() as store:
            await store.adopt_deliveries(["erp"], [], NOW)
            assert (await store.callback_standing("erp")).open_until is None

    async def test_accounts(self, store: SqliteStore) -> None:
        """A rejection is remembered with its reason, and forgotten when it is over."""
        assert await store.account_standing("main") == AccountStanding("main")
        rejected = AccountStanding("main", NOW, "401 INVALID_AUTHENTICATION", "corr")
        await store.set_account_standing(rejected, None, NOW)
        assert await store.account_standing("main") == rejected
        await store.set_account_standing(AccountStanding("main"), None, NOW)
        assert (await store.account_standing("main")).rejected_at is None


class TestSessions:
    """Several sessions on one store."""

    async def test_what_others_wrote_is_noticed(
        self, opened: Callable[[], AbstractAsyncContextManager[SqliteStore]]
    ) -> None:
        """Own writes are no news; those of another session are, once."""
        async with opened() as mine, opened() as other:
            assert not await mine.changed_elsewhere()
            await mine.add_watch(a_watch("a"))
            assert not await mine.changed_elsewhere()
            await other.add_watch(a_watch("b"))
            assert await mine.changed_elsewhere()
            assert not await mine.changed_elsewhere()

    async def test_many_writers_at_once(self, opened: Callable[[], AbstractAsyncContextManager[SqliteStore]]) -> None:
        """Concurrent changes of two sessions are all made."""
        async with opened() as one, opened() as two, anyio.create_task_group() as group:
            for number in range(200):
                group.start_soon((one if number % 2 else two).add_watch, a_watch(f"T{number}"))
        async with opened() as store:
            assert sum((await store.count_watches()).values()) == 200


class TestStalePolls:
    """A poll decides about the watch it was made for, and no other."""

    async def test_a_poll_of_the_watch_before_is_dropped(self, store: SqliteStore) -> None:
        """Removed and added again while it was asked: the old answer does not end the new watch."""
        old, _ = await store.add_watch(a_watch())
        await store.remove_watch(old.watch_id, NOW)
        await store.add_watch(a_watch(began_at=NOW + 5))
        expired = replace(old, state=WatchState.EXPIRED, ended_at=NOW)
        assert not await store.save_poll(PollResult(expired), NOW)
        assert [watch.state for watch in await store.watches_of_task("T1")] == [WatchState.ACTIVE]

    async def test_a_poll_over_a_clock_that_was_set_is_dropped(self, store: SqliteStore) -> None:
        """Decided with the times of before: the watch is polled again, with those of now."""
        old, _ = await store.add_watch(a_watch())
        await store.shift_plans(90_000.0)
        expired = replace(old, state=WatchState.EXPIRED, ended_at=NOW)
        assert not await store.save_poll(PollResult(expired, a_telling(old)), NOW)
        assert await store.find_deliveries() == []


async def test_a_crash_gives_nothing_back_to_a_disabled_callback(
    opened: Callable[[], AbstractAsyncContextManager[SqliteStore]],
) -> None:
    """What was in flight when the daemon died is held with the rest, and listed so."""
    async with opened() as old:
        await owe_one(old)
        await old.claim("erp", now=NOW, lease=30, limit=1)
        await old.disable_callback("erp", "by hand", NOW)
        async with opened() as new:
            await new.adopt_deliveries(["erp"], [], NOW + 1)
            [delivery] = await new.find_deliveries()
    assert (delivery.state, delivery.reason) == (DeliveryState.HELD, "disabled")
