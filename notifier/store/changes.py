"""Changes to the SQLite store: functions over the connection inside a transaction, each able to run again."""

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import replace

from notifier.errors import UnknownName
from notifier.model import WATCH_TRANSITIONS, Claim, DeliveryState, Watch, WatchState
from notifier.store.contract import Disabling, Reconciled, Settled, Settlement, Telling
from notifier.store.queries import load_queries
from notifier.store.rows import (
    claim_from_row,
    event_to_row,
    new_delivery_to_row,
    storable,
    watch_from_row,
    watch_to_row,
)

SQL = load_queries("sqlite")


def reconcile(connection: sqlite3.Connection, wanted: Sequence[Watch], now: float) -> Reconciled:
    """Make the active watches of the file those of ``wanted``."""
    leftover = {row["watch_id"] for row in connection.execute(SQL["configured_watches"])}
    counts = {"added": 0, "changed": 0, "kept": 0}
    for watch in wanted:
        counts[_bring_about(connection, watch)] += 1
        leftover.discard(watch.watch_id)
    for watch_id in leftover:
        connection.execute(SQL["end_watch"], {"watch_id": watch_id, "state": str(WatchState.REMOVED), "now": now})
    return Reconciled(removed=len(leftover), **counts)


def _bring_about(connection: sqlite3.Connection, wanted: Watch) -> str:
    known = _watch_by_id(connection, wanted.watch_id)
    if known is None:
        connection.execute(SQL["insert_watch"], watch_to_row(wanted))
        return "added"
    if known.state is WatchState.REMOVED:
        connection.execute(SQL["replace_watch"], watch_to_row(wanted))
        return "added"
    if known.state is not WatchState.ACTIVE:
        return "kept"
    deadline_at = known.began_at + (wanted.deadline_at - wanted.began_at)
    asked = replace(
        known, label=wanted.label, callbacks=wanted.callbacks, origin=wanted.origin, deadline_at=deadline_at
    )
    if asked == known:
        return "kept"
    connection.execute(SQL["change_request"], watch_to_row(asked))
    return "changed"


def add_watch(connection: sqlite3.Connection, wanted: Watch) -> tuple[Watch, bool]:
    """Begin a watch unless it is active or ended."""
    known = _watch_by_id(connection, wanted.watch_id)
    if known is None:
        connection.execute(SQL["insert_watch"], watch_to_row(wanted))
        return wanted, True
    if known.state in {WatchState.ACTIVE, WatchState.ENDED}:
        return known, False
    connection.execute(SQL["replace_watch"], watch_to_row(wanted))
    return wanted, True


def remove_watch(connection: sqlite3.Connection, watch_id: str, now: float) -> Watch:
    """Stop watching. :raises UnknownName: no such watch."""
    known = _watch_by_id(connection, watch_id)
    if known is None:
        raise UnknownName(f"no watch {watch_id}; `notifier watch list` shows their ids")
    if WatchState.REMOVED in WATCH_TRANSITIONS[known.state]:
        connection.execute(SQL["end_watch"], {"watch_id": watch_id, "state": str(WatchState.REMOVED), "now": now})
        return replace(known, state=WatchState.REMOVED, ended_at=now)
    return known


def _watch_by_id(connection: sqlite3.Connection, watch_id: str) -> Watch | None:
    row = connection.execute(SQL["watch_by_id"], (watch_id,)).fetchone()
    return watch_from_row(row) if row else None


def record(connection: sqlite3.Connection, telling: Telling, now: float) -> bool:
    """Record an event and what it owes, once."""
    if not connection.execute(SQL["insert_event"], event_to_row(telling.event, now)).rowcount:
        return False
    connection.executemany(SQL["insert_delivery"], [new_delivery_to_row(each, now) for each in telling.deliveries])
    return True


def claim(
    connection: sqlite3.Connection, session: str, callback: str, now: float, until: float, limit: int
) -> Sequence[Claim]:
    """Take due deliveries and open an attempt for each."""
    standing = connection.execute(SQL["callback_standing"], (callback,)).fetchone()
    if standing and (standing["disabled_at"] is not None or (standing["paused_until"] or 0) > now):
        return []
    parameters = {"session": session, "callback": callback, "now": now, "until": until, "limit": limit}
    taken = connection.execute(SQL["claim"], parameters).fetchall()
    claims = [
        claim_from_row(connection.execute(SQL["claimed"], (row["seq"],)).fetchone())
        for row in sorted(taken, key=lambda row: row["seq"])
    ]
    connection.executemany(SQL["open_attempt"], [(claim.delivery.delivery_id, claim.number, now) for claim in claims])
    return claims


def settle(connection: sqlite3.Connection, session: str, settlement: Settlement, now: float) -> Settled | None:
    """Record how an attempt went, if the lease is still ours."""
    delivery, attempt = settlement.delivery, settlement.attempt
    row = {
        name: getattr(delivery, name)
        for name in ("delivery_id", "next_attempt_at", "failures", "plain", "reason", "delivered_at")
    }
    row |= {"state": str(delivery.state), "session": session, "number": attempt.number, "now": now}
    if not connection.execute(SQL["settle"], row).rowcount:
        return None
    closing_row = {
        name: getattr(attempt, name)
        for name in ("delivery_id", "number", "finished_at", "reach", "reason", "status_code")
    }
    connection.execute(SQL["close_attempt"], closing_row | {"answer": storable(attempt.answer)})
    settled = _change_standing(connection, settlement, now)
    for telling in settled.tellings:
        record(connection, telling, now)
    return settled


def _change_standing(connection: sqlite3.Connection, settlement: Settlement, now: float) -> Settled:
    callback = settlement.delivery.callback
    if settlement.pause_until is not None:
        connection.execute(SQL["pause_callback"], {"name": callback, "until": settlement.pause_until})
    if settlement.delivery.state is DeliveryState.PENDING:
        row = {"delivery_id": settlement.delivery.delivery_id, "callback": callback}
        connection.execute(SQL["hold_if_disabled"], row)
    if settlement.disabling is not None and not _is_disabled(connection, callback):
        return _disable(connection, callback, settlement.disabling, now)
    return Settled(settlement.tellings)


def _is_disabled(connection: sqlite3.Connection, callback: str) -> bool:
    standing = connection.execute(SQL["callback_standing"], (callback,)).fetchone()
    return standing is not None and standing["disabled_at"] is not None


def _disable(connection: sqlite3.Connection, callback: str, disabling: Disabling, now: float) -> Settled:
    row = {"callback": callback, "reason": disabling.reason, "now": now}
    connection.execute(SQL["disable_callback"], row | {"name": callback})
    buried = 1 + connection.execute(SQL["bury_queue"], row).rowcount
    return Settled([disabling.tell(buried)], buried)


def redeliver_all(
    connection: sqlite3.Connection, delivery_ids: Sequence[str], states: Collection[DeliveryState], now: float
) -> list[str]:
    """Owe those again that may be, in the order given."""
    wanted_states = json.dumps([str(state) for state in states]) if states else None
    row = {"delivery_ids": json.dumps(list(delivery_ids)), "states": wanted_states, "now": now}
    done = {each[0] for each in connection.execute(SQL["redeliver_all"], row)}
    return [delivery_id for delivery_id in delivery_ids if delivery_id in done]


def give_back(
    connection: sqlite3.Connection, leased: Sequence[sqlite3.Row], holding: Collection[str], now: float
) -> None:
    """Close attempts nobody can tell the end of, and owe them again (or hold them where twice is worse than never)."""
    for row in leased:
        connection.execute(
            SQL["interrupt_attempt"], {"delivery_id": row["delivery_id"], "number": row["attempts"], "now": now}
        )
        state = DeliveryState.HELD if row["callback"] in holding else DeliveryState.PENDING
        connection.execute(SQL["adopt"], {"delivery_id": row["delivery_id"], "now": now, "state": str(state)})
        connection.execute(SQL["hold_if_disabled"], {"delivery_id": row["delivery_id"], "callback": row["callback"]})
