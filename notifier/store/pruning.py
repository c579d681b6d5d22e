"""Forgetting, on SQLite: functions over the connection inside a transaction, each able to run again.

A step looks at so many rows, the oldest first, and forgets those that may go; the next goes on where it ended. Events are
recorded in the order of ``seq``, so the walk ends at the first step whose events are all too young.
"""

import json
import sqlite3
from typing import Any

from notifier.store.changes import SQL
from notifier.store.contract import Ages, Pruned


def prune_events(connection: sqlite3.Connection, ages: Ages, after: Any, limit: int, *, dry_run: bool) -> Pruned:
    """Forget old events among the next ``limit``, with their deliveries and attempts."""
    row = {"delivered": ages.delivered, "dead": ages.dead, "after": after or 0, "limit": limit}
    found = connection.execute(SQL["next_events"], row).fetchall()
    seqs = {"seqs": json.dumps([each["seq"] for each in found if each["may_go"]])}
    counts = dict(connection.execute(SQL["count_pruned"], seqs).fetchone())
    if not dry_run:
        connection.execute(SQL["forget_events"], seqs)
    over = len(found) < limit or all(each["recorded_at"] >= ages.delivered for each in found)
    going = sum(each["may_go"] for each in found)
    return Pruned(events=going, **counts, rest=None if over else found[-1]["seq"])


def prune_watches(connection: sqlite3.Connection, ages: Ages, after: Any, limit: int, *, dry_run: bool) -> Pruned:
    """Forget watches that are over among the next ``limit``, unless they are listed."""
    began_at, watch_id = after or (-1e300, "")
    row = {"delivered": ages.delivered, "dead": ages.dead, "began_at": began_at, "watch_id": watch_id, "limit": limit}
    found = connection.execute(SQL["next_watches"], row).fetchall()
    going = [each["watch_id"] for each in found if each["may_go"] and each["watch_id"] not in ages.listed]
    if not dry_run:
        connection.execute(SQL["forget_watches"], {"watch_ids": json.dumps(going)})
    rest = (found[-1]["began_at"], found[-1]["watch_id"]) if len(found) == limit else None
    return Pruned(watches=len(going), rest=rest)


def give_back_space(connection: sqlite3.Connection, limit: int) -> bool:
    """Cut free pages off the end of the file; a file made without ``auto_vacuum`` keeps them for reuse."""
    before = _free_pages(connection)
    connection.execute(f"PRAGMA incremental_vacuum({limit:d})").fetchall()
    after = _free_pages(connection)
    return 0 < after < before


def size(connection: sqlite3.Connection) -> int:
    """Give the bytes of the file, as it is when its log is folded into it."""
    pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
    bytes_each: int = connection.execute("PRAGMA page_size").fetchone()[0]
    return pages * bytes_each


def _free_pages(connection: sqlite3.Connection) -> int:
    free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return free
