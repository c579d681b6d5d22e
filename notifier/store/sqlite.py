"""The store on one SQLite file.

One thread writes at a time, behind ``Committer``; reads run beside it on a connection of their own and see what was last
committed. The lock file makes a daemon the only session; commands open the same file without it, to look on or to ask.
"""

import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import anyio

from notifier.errors import NotifierError, UnknownName
from notifier.model import Attempt, Body, Claim, Delivery, DeliveryState, Event, Watch, WatchState
from notifier.store import changes, pruning
from notifier.store.committer import Committer
from notifier.store.connection import open_file, open_reader
from notifier.store.contract import (
    AccountStanding,
    Ages,
    CallbackStanding,
    Live,
    Page,
    PollResult,
    Pruned,
    Reconciled,
    Selection,
    Settled,
    Settlement,
    Telling,
)
from notifier.store.lockfile import LockFile
from notifier.store.presence import presence_of
from notifier.store.rows import (
    attempt_from_row,
    delivery_from_row,
    event_from_row,
    storable,
    watch_from_row,
    watch_to_row,
)
from notifier.store.session import SqliteSession

COMMAND_PATIENCE = 5.0  # seconds a command waits for a full disk or another writer; a daemon waits for ever
DRAIN_LIMIT = 2.0  # seconds to wait for the last commit when the store is closed


@asynccontextmanager
async def open_sqlite(
    path: Path,
    *,
    daemon: bool,
    create: bool = True,
    on_stuck: Callable[[str], None] = lambda _trouble: None,
) -> AsyncIterator["SqliteStore"]:
    """Open the store at ``path`` for as long as the context lasts.

    :param daemon: take the lock that keeps a second daemon away.
    :param create: make the file when there is none.
    :param on_stuck: told once when commits begin to wait for a full disk or another writer.
    :raises StoreLocked: ``daemon``, and another one runs on it.
    :raises StoreTooNew: a newer notifier wrote it.
    :raises StoreUnusable: it can't be opened.
    """
    with ExitStack() as stack:
        if daemon:
            stack.enter_context(LockFile(path))
        writer = stack.enter_context(closing(open_file(path, create=create, daemon=daemon)))
        if not daemon:
            writer.execute(f"PRAGMA busy_timeout = {int(COMMAND_PATIENCE * 100)}")  # several tries within its patience
        reader = stack.enter_context(closing(open_reader(path)))
        committer = (
            Committer(writer, on_stuck, check=presence_of(path).check)
            if daemon
            else Committer(writer, on_stuck, COMMAND_PATIENCE)
        )
        async with anyio.create_task_group() as group:
            group.start_soon(committer.run)
            try:
                yield SqliteStore(path, reader, committer)
            finally:
                # What was asked before it is then on disk. Where it fails, those who asked have heard why.
                with anyio.move_on_after(DRAIN_LIMIT, shield=True), suppress(sqlite3.Error, NotifierError):
                    await committer.submit(lambda _connection: None)
                committer.stop()


class SqliteStore(SqliteSession):
    """One session on the file; made by ``open_sqlite``. See ``contract.Store`` for what each method promises."""

    # -- watches ------------------------------------------------------------------------------------------------------
    async def reconcile(self, wanted: Sequence[Watch], now: float) -> Reconciled:
        return await self._change(lambda connection: changes.reconcile(connection, wanted, now))

    async def add_watch(self, wanted: Watch) -> tuple[Watch, bool]:
        return await self._change(lambda connection: changes.add_watch(connection, wanted))

    async def remove_watch(self, watch_id: str, now: float) -> Watch:
        return await self._change(lambda connection: changes.remove_watch(connection, watch_id, now))

    async def due_watches(self, account: str, now: float, limit: int) -> Sequence[Watch]:
        return [watch_from_row(row) for row in await self._read("due_watches", (account, now, limit))]

    async def next_poll_at(self, account: str, *, after: float) -> float | None:
        return _number((await self._read("next_poll_at", (account, after)))[0])

    async def overdue_watches(self, account: str, before: float, limit: int) -> Sequence[Watch]:
        return [watch_from_row(row) for row in await self._read("overdue_watches", (account, before, limit))]

    async def save_poll(self, result: PollResult, now: float) -> bool:
        def save(connection: sqlite3.Connection) -> bool:
            if not connection.execute(changes.SQL["save_progress"], watch_to_row(result.watch)).rowcount:
                return False
            if result.telling is not None:
                changes.record(connection, result.telling, now)
            return True

        return await self._change(save)

    async def find_watches(
        self,
        *,
        states: Iterable[WatchState] | None = None,
        account: str | None = None,
        limit: int = 100,
    ) -> Sequence[Watch]:
        parameters = {"states": _json(states), "account": account, "limit": limit}
        return [watch_from_row(row) for row in await self._read("find_watches", parameters)]

    async def watches_of_task(self, wanted: str) -> Sequence[Watch]:
        return [watch_from_row(row) for row in await self._read("watches_of_task", {"id": wanted})]

    async def count_watches(self) -> dict[tuple[str, str, WatchState], int]:
        return {(row[0], row[1], WatchState(row[2])): row[3] for row in await self._read("count_watches", ())}

    async def watched_accounts(self) -> dict[str, int]:
        return {row[0]: row[1] for row in await self._read("watched_accounts", ())}

    async def count_live(self) -> Live:
        [row] = await self._read("count_live", ())
        return Live(**dict(row))

    # -- events and deliveries ----------------------------------------------------------------------------------------
    async def record(self, telling: Telling, now: float) -> bool:
        return await self._change(lambda connection: changes.record(connection, telling, now))

    async def claim(self, callback: str, *, now: float, lease: float, limit: int) -> Sequence[Claim]:
        return await self._change(
            lambda connection: changes.claim(connection, self.session, callback, now, now + lease, limit)
        )

    async def settle(self, settlement: Settlement, now: float) -> Settled | None:
        return await self._change(lambda connection: changes.settle(connection, self.session, settlement, now))

    async def next_attempt_at(self, callback: str) -> float | None:
        at = _number((await self._read("next_attempt_at", {"callback": callback, "session": self.session}))[0])
        standing = await self.callback_standing(callback)
        if at is None or standing.disabled_at is not None:
            return None
        return max(at, standing.paused_until or at)

    async def adopt_deliveries(self, configured: Collection[str], holding: Collection[str], now: float) -> int:
        def adopt(connection: sqlite3.Connection) -> int:
            orphans = connection.execute(changes.SQL["orphans"], {"session": self.session}).fetchall()
            changes.give_back(connection, orphans, holding, now)
            parameters = {"configured": _json(configured), "now": now}
            connection.execute(changes.SQL["hold_absent"], parameters)
            connection.execute(changes.SQL["release_present"], parameters)
            connection.execute(changes.SQL["forget_breakers"])
            return len(orphans)

        return await self._change(adopt)

    async def release(self, holding: Collection[str], now: float) -> int:
        def give_back(connection: sqlite3.Connection) -> int:
            leased = connection.execute(changes.SQL["my_leases"], {"session": self.session}).fetchall()
            changes.give_back(connection, leased, holding, now)
            return len(leased)

        return await self._change(give_back)

    async def find_event(self, event_id: str) -> Event:
        for row in await self._read("event_by_id", (event_id,)):
            return event_from_row(row)
        raise UnknownName(f"no event {event_id}")

    async def find_body(self, delivery_id: str) -> Body | None:
        for row in await self._read("body_of", (delivery_id,)):
            return Body(row["body"], row["content_type"])
        return None

    async def find_deliveries(
        self,
        *,
        states: Iterable[DeliveryState] | None = None,
        callback: str | None = None,
        event_type: str | None = None,
        since: float | None = None,
        limit: int = 100,
    ) -> Sequence[Delivery]:
        parameters = _row_of(Selection(tuple(states or ()), callback, event_type, since)) | {"limit": limit}
        return [delivery_from_row(row) for row in await self._read("find_deliveries", parameters)]

    async def count_selected(self, selection: Selection) -> int:
        [row] = await self._read("count_selected", _row_of(selection))
        return int(row[0])

    async def select_deliveries(self, selection: Selection, *, after: int = 0, limit: int) -> Page:
        rows = await self._read("select_deliveries", _row_of(selection) | {"after": after, "limit": limit})
        rest = int(rows[-1]["seq"]) if len(rows) == limit else None
        return Page([delivery_from_row(row) for row in rows], rest)

    async def deliveries_of_watch(self, watch_id: str) -> Sequence[Delivery]:
        return [delivery_from_row(row) for row in await self._read("deliveries_of_watch", (watch_id,))]

    async def find_delivery(self, delivery_id: str) -> tuple[Delivery, Event, Sequence[Attempt]]:
        rows = await self._read("delivery_by_id", {"beginning": delivery_id}) if delivery_id else []
        if not rows:
            raise UnknownName(f"no delivery {delivery_id!r}; `notifier delivery list` shows their ids")
        if len(rows) > 1:
            raise UnknownName(f"several deliveries begin with {delivery_id}; give more of the id")
        found = delivery_from_row(rows[0])
        attempts = await self._read("attempts_of", (found.delivery_id,))
        return found, await self.find_event(found.event_id), [attempt_from_row(each) for each in attempts]

    async def oldest_undelivered(self) -> dict[str, float]:
        return {row[0]: row[1] for row in await self._read("oldest_undelivered", ())}

    async def redeliver_all(
        self, delivery_ids: Sequence[str], now: float, *, states: Collection[DeliveryState] = ()
    ) -> Sequence[str]:
        return await self._change(lambda connection: changes.redeliver_all(connection, delivery_ids, states, now))

    async def count_deliveries(self) -> dict[tuple[str, DeliveryState], int]:
        return {(row[0], DeliveryState(row[1])): row[2] for row in await self._read("count_deliveries", ())}

    # -- standings ----------------------------------------------------------------------------------------------------
    async def callback_standing(self, name: str) -> CallbackStanding:
        for row in await self._read("callback_standing", (name,)):
            return CallbackStanding(**dict(row))
        return CallbackStanding(name)

    async def enable_callback(self, name: str, now: float) -> None:
        def enable(connection: sqlite3.Connection) -> None:
            connection.execute(changes.SQL["enable_callback"], (name,))
            connection.execute(changes.SQL["release_enabled"], {"callback": name, "now": now})
            connection.execute(changes.SQL["pull_in_paused"], {"callback": name, "now": now})

        await self._change(enable)

    async def disable_callback(self, name: str, reason: str, now: float) -> None:
        def disable(connection: sqlite3.Connection) -> None:
            connection.execute(changes.SQL["disable_callback"], {"name": name, "reason": reason, "now": now})
            connection.execute(changes.SQL["hold_queue"], {"callback": name})

        await self._change(disable)

    async def note_breaker(self, name: str, open_until: float | None) -> None:
        row = {"name": name, "open_until": open_until}
        await self._change(lambda connection: connection.execute(changes.SQL["note_breaker"], row) and None)

    async def account_standing(self, name: str) -> AccountStanding:
        for row in await self._read("account_standing", (name,)):
            return AccountStanding(**dict(row))
        return AccountStanding(name)

    async def pause_account(self, name: str, until: float, reason: str) -> None:
        row = {"name": name, "until": until, "reason": storable(reason)}
        await self._change(lambda connection: connection.execute(changes.SQL["pause_account"], row) and None)

    async def set_account_standing(self, standing: AccountStanding, telling: Telling | None, now: float) -> None:
        def remember(connection: sqlite3.Connection) -> None:
            row = {"name": standing.name, "rejected_at": standing.rejected_at}
            row |= {"reason": storable(standing.reason), "correlation_id": storable(standing.correlation_id)}
            connection.execute(changes.SQL["set_account_standing"], row)
            if telling is not None:
                changes.record(connection, telling, now)

        await self._change(remember)

    # -- forgetting ---------------------------------------------------------------------------------------------------
    async def prune_events(self, ages: Ages, *, after: Any, limit: int, dry_run: bool) -> Pruned:
        return await self._change(lambda it: pruning.prune_events(it, ages, after, limit, dry_run=dry_run))

    async def prune_watches(self, ages: Ages, *, after: Any, limit: int, dry_run: bool) -> Pruned:
        return await self._change(lambda it: pruning.prune_watches(it, ages, after, limit, dry_run=dry_run))

    async def give_back_space(self, limit: int) -> bool:
        return await self._change(lambda it: pruning.give_back_space(it, limit))

    async def size(self) -> int:
        return await self._look(pruning.size)

    # -- the store itself ---------------------------------------------------------------------------------------------
    async def latest_time(self) -> float | None:
        return _number((await self._read("latest_time", ()))[0])

    async def note_time(self, now: float) -> None:
        await self._change(lambda connection: connection.execute(changes.SQL["note_time"], (now,)) and None)

    async def shift_plans(self, seconds: float) -> None:
        def shift(connection: sqlite3.Connection) -> None:
            for query in ("shift_watches", "shift_deliveries", "shift_pauses", "shift_accounts"):
                connection.execute(changes.SQL[query], {"seconds": seconds})

        await self._change(shift)

    async def pull_in_polls(self, account: str, latest: float, now: float) -> int:
        parameters = {"account": account, "latest": latest, "now": now}
        return await self._change(
            lambda connection: connection.execute(changes.SQL["pull_in_polls"], parameters).rowcount
        )


def _json(values: Iterable[str] | None) -> str | None:
    return None if values is None else json.dumps([str(value) for value in values])


def _row_of(selection: Selection) -> dict[str, Any]:
    return {
        "states": _json(selection.states) if selection.states else None,
        "callback": selection.callback,
        "event_type": selection.event_type,
        "since": selection.since,
    }


def _number(row: sqlite3.Row) -> float | None:
    value: float | None = row[0]
    return value
