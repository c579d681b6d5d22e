"""Holds what the daemon did, and what it believes it did, against what really arrived."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from chaos.world import World, callback_of, task_of, was_taken
from notifier.simulator.receiver import Arrival

EVENT_OF_ENDING = {"complete": "task.succeeded", "errors": "task.failed", "canceled": "task.canceled"}
Address = tuple[str, str]  # callback, webhook-id


@dataclass(frozen=True, slots=True)
class Tries:
    """What the store says of one delivery's attempts."""

    state: str
    made: int  # on record
    open: int  # begun and not ended
    unknown: int  # whose end nobody knows: in flight, cut off, or no answer came


def wrongs(it: World, endings: Mapping[str, str], callbacks: Iterable[str] = ("erp",)) -> list[str]:
    """Say everything that is not as promised; nothing when all is well.

    :param endings: how each task ended, by task id.
    """
    return [
        *_untold(it, endings, callbacks),
        *_unverified(it.receiver.arrivals),
        *_told_wrongly(it.receiver.arrivals, endings),
        *believed_wrongly(it.receiver.arrivals, it.store),
        *_unfinished(it.store),
        *_damaged(it.store),
    ]


def duplicates(it: World) -> int:
    """Count what a receiver was told again after it had said that it has it."""
    taken = Counter(
        (callback_of(arrival), arrival.webhook_id) for arrival in it.receiver.arrivals if was_taken(arrival)
    )
    return sum(count - 1 for count in taken.values())


def _by_address(arrivals: Iterable[Arrival]) -> dict[Address, list[Arrival]]:
    found: dict[Address, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        found[callback_of(arrival), arrival.webhook_id or ""].append(arrival)
    return found


def _tries(store: Path) -> dict[Address, Tries]:
    query = """SELECT callback, event_id, state, count(number), sum(number IS NOT NULL AND finished_at IS NULL),
               sum(coalesce(reach = 'unknown', number IS NOT NULL)) FROM deliveries LEFT JOIN attempts USING (delivery_id) GROUP BY delivery_id"""
    with closing(sqlite3.connect(store)) as connection:
        return {(row[0], row[1]): Tries(*row[2:]) for row in connection.execute(query)}


def _untold(it: World, endings: Mapping[str, str], callbacks: Iterable[str]) -> Iterator[str]:
    missing = {(callback, task) for callback in callbacks for task in endings} - it.told()
    return (f"{task} was never told to {callback}" for callback, task in sorted(missing))


def _unverified(arrivals: Iterable[Arrival]) -> Iterator[str]:
    return (f"{arrival.webhook_id}: {arrival.problem}" for arrival in arrivals if not arrival.verified)


def _told_wrongly(arrivals: Iterable[Arrival], endings: Mapping[str, str]) -> Iterator[str]:
    """A task has one event, with one id and one body, and it is the right one."""
    bodies: dict[str, set[tuple[str | None, bytes]]] = defaultdict(set)
    for arrival in arrivals:
        bodies[task_of(arrival)].add((arrival.webhook_id, arrival.body))
    for task, told in bodies.items():
        right = f'"type":"{EVENT_OF_ENDING.get(endings.get(task, ""))}"'.encode()
        if len(told) > 1:
            yield f"{task} was told in {len(told)} ways"
        if any(right not in body.replace(b" ", b"") for _, body in told):
            yield f"{task} {endings.get(task)}, told otherwise"


def believed_wrongly(arrivals: Iterable[Arrival], store: Path) -> list[str]:
    """Say where the store, at any moment, is ahead of the truth or behind it.

    Nothing is marked done before it is, and nothing leaves that is not on record.
    """
    return list(_disagreements(_by_address(arrivals), _tries(store)))


def _disagreements(arrived: Mapping[Address, list[Arrival]], recorded: Mapping[Address, Tries]) -> Iterator[str]:
    for address in arrived.keys() | recorded.keys():
        came, tries = arrived.get(address, []), recorded.get(address)
        taken = sum(map(was_taken, came))
        if tries is None:
            yield f"{address} arrived and is not on record"
            continue
        if tries.state == "delivered" and not taken:
            yield f"{address} is on record as delivered and was never taken"
        if len(came) > tries.made:
            yield f"{address} arrived {len(came)} times, {tries.made} attempts are on record"
        if taken - 1 > tries.unknown:
            yield f"{address} was taken {taken} times, only {tries.unknown} attempts ended in the dark"


def _unfinished(store: Path) -> Iterator[str]:
    """What a store holds when all is told: nothing is owed and nothing is in flight."""
    for address, tries in _tries(store).items():
        if tries.state != "delivered" or tries.open:
            yield f"{address} is {tries.state}, {tries.open} attempts open"


def _damaged(store: Path) -> Iterator[str]:
    with closing(sqlite3.connect(store)) as connection:
        told = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if told != "ok":
            yield f"the store is damaged: {told}"
        for (watch,) in connection.execute(
            "SELECT watch_id FROM events WHERE watch_id IS NOT NULL GROUP BY watch_id HAVING count(*) > 1"
        ):
            yield f"{watch} has more than one event"
