"""When to ask: the squares schedule, and who to ask when a sibling ended. Pure.

A task is asked at ages c·1², c·2², c·3², … where c is what one request is worth in seconds of delay. A task of duration
T costs ⌈√(T/c)⌉ requests and is noticed less than 2√(cT) + c late; that is within √2 of the optimal inspection schedule
for every law of durations whose density does not increase (Barlow, Hunter and Proschan 1964; Keller 1974).

For c = 1 s: 1, 4, 9, 16, 25, … seconds; 8 requests in the first minute, 60 in the first hour, 294 in the first day.
"""

import math
from collections.abc import Iterable

from notifier.model import TaskKey, Watch, WatchState, hash01

# Two scheduled polls of one task are never closer than this, in seconds.
MIN_GAP = 0.5

# The first poll of a new watch comes no later than this, in seconds: a task just listed may have ended long ago.
FIRST_LOOK = 1.0

# Watches that began within so many seconds of each other may be one batch, which tends to end together.
SIBLING_SECONDS = 60.0

# A sibling asked more recently than this share of √(c·age), a quarter of its own interval, is not woken.
WAKE_SHARE = 0.5


def stagger(key: TaskKey) -> float:
    """Give a task its phase in [-0.5, 0.5), for ever the same, so that the tasks of one batch are asked in turn."""
    return hash01(f"{key.account}|{key.kind}|{key.task_id}") - 0.5


def first_look(began: float, cost: float, v: float) -> float:
    """Tell when a new watch is asked first: at its first square, or after ``FIRST_LOOK`` seconds where that is later.

    It stands in for k = 1, so after it ``next_due`` is asked with ``first_k=2``.
    """
    return began + min(cost * (1 + v) ** 2, FIRST_LOOK)


def next_due(*, now: float, anchor: float, cost: float, v: float, min_gap: float = MIN_GAP, first_k: int = 1) -> float:
    """Tell when to ask next: the first ``anchor + cost·(k + v)²`` at least ``min_gap`` seconds from ``now``.

    It knows nothing of earlier polls: after a restart the same task gets the same polls, and what was missed is not
    caught up on. An anchor in the future (a clock was set) counts as ``now``. Seconds throughout; ``cost`` > 0.
    """
    anchor = min(anchor, now)
    k = max(first_k, math.floor(math.sqrt((now - anchor) / cost) - v + 1e-9) + 1)
    if cost * (k + v) ** 2 < now - anchor + min_gap:
        k = max(k + 1, math.ceil(math.sqrt((now - anchor + min_gap) / cost) - v))
    return anchor + cost * (k + v) ** 2


def wake_candidate(ended: Watch, siblings: Iterable[Watch], *, now: float, cost: float) -> Watch | None:
    """Choose whom to ask at once because ``ended`` has just been seen to end; ``None`` when nobody is worth a request.

    That is the oldest active watch of the same account and kind, begun within a minute of ``ended``, that was not asked
    lately. Each end owes one such wake, a woken watch's end too; they go out one after another, and one that finds
    nobody is dropped. A woken watch keeps the poll it was due for, so waking never notices a task later, and each end
    costs one extra request at most.
    """
    worth_asking = [watch for watch in siblings if _are_siblings(ended, watch) and _is_rested(watch, now, cost)]
    return min(worth_asking, key=lambda watch: (_anchor(watch), watch.began_at, watch.key.task_id), default=None)


def _are_siblings(ended: Watch, other: Watch) -> bool:
    return (
        other.state is WatchState.ACTIVE
        and other.key != ended.key
        and (other.key.account, other.key.kind) == (ended.key.account, ended.key.kind)
        and abs(other.began_at - ended.began_at) <= SIBLING_SECONDS
    )


def _is_rested(watch: Watch, now: float, cost: float) -> bool:
    age = max(0.0, now - _anchor(watch))
    return watch.polled_at is None or now - watch.polled_at >= WAKE_SHARE * math.sqrt(cost * age)


def _anchor(watch: Watch) -> float:
    return watch.began_at if watch.anchor_at is None else watch.anchor_at


def longest_interval(age: float, cost: float) -> float:
    """Give seconds that no two polls of a task younger than ``age`` are apart: ``2√(c·age) + 3c``, and a second more."""
    return 2 * math.sqrt(cost * age) + 3 * cost + 1.0
