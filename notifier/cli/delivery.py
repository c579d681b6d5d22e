"""``notifier delivery``: what is owed, what was told, what was not."""

import os
import time
from typing import Any

import click

from notifier.cli.output import ago, config_option, json_option, note_rest, print_json, print_table
from notifier.cli.session import one_watch, say_if_nobody_runs, with_store
from notifier.cli.shapes import attempt_shape, delivery_shape, event_shape
from notifier.config import find, load
from notifier.errors import UnknownName
from notifier.model import Attempt, Delivery, DeliveryState
from notifier.store.sqlite import SqliteStore


@click.group()
def delivery() -> None:
    """List deliveries, show their attempts, redeliver."""


@delivery.command("list")
@click.option(
    "--state", "states", multiple=True, type=click.Choice([str(state) for state in DeliveryState]), help="Only these."
)
@click.option("--callback", help="Only those to this callback.")
@click.option("--task", "task_id", help="Only those about this task.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1_000_000))
@config_option
@json_option
def list_(
    config_path: str | None,
    as_json: bool,
    states: tuple[str, ...],
    callback: str | None,
    task_id: str | None,
    limit: int,
) -> None:
    """List deliveries, the latest first."""
    wanted = [DeliveryState(state) for state in states] or None

    async def look(store: SqliteStore) -> tuple[list[Delivery], int]:
        if task_id is not None:
            owed = await store.deliveries_of_watch((await one_watch(store, task_id)).watch_id)
            chosen = [
                each for each in owed if callback in {None, each.callback} and each.state in (wanted or DeliveryState)
            ]
            return chosen[:limit], len(chosen)
        found = list(await store.find_deliveries(states=wanted, callback=callback, limit=limit))
        counts = await store.count_deliveries()
        return found, sum(
            count
            for (name, state), count in counts.items()
            if callback in {None, name} and state in (wanted or DeliveryState)
        )

    found, total = with_store(load(find(config_path, os.environ), os.environ, secrets=False).settings.store, look)
    if as_json:
        print_json([delivery_shape(each) for each in found])
    else:
        columns = ("DELIVERY", "EVENT", "TASK", "CALLBACK", "STATE", "ATTEMPTS", "CREATED", "NEXT", "REASON")
        print_table(columns, [_row(each) for each in found], empty="no deliveries")
    note_rest(len(found), total, "use --limit, --state or --callback to see others")


def _row(each: Delivery) -> tuple[Any, ...]:
    upcoming = ago(each.next_attempt_at) if each.state is DeliveryState.PENDING else None
    about = (each.delivery_id, each.event_type, each.task_id, each.callback)
    return *about, each.state, each.attempts, ago(each.created_at), upcoming, each.reason


@delivery.command("show")
@click.argument("delivery_id")
@config_option
@json_option
def show(delivery_id: str, config_path: str | None, as_json: bool) -> None:
    """Show one delivery with its event and every attempt; the beginning of the id is enough."""
    path = load(find(config_path, os.environ), os.environ, secrets=False).settings.store
    found, event, attempts = with_store(path, lambda store: store.find_delivery(delivery_id))
    if as_json:
        tries = [attempt_shape(attempt) for attempt in attempts]
        print_json(delivery_shape(found) | {"event": event_shape(event), "tries": tries})
        return
    for name, value in delivery_shape(found).items():
        if value is not None:
            click.echo(f"{name:15} {value}")
    click.echo()
    columns = ("ATTEMPT", "STARTED", "SECONDS", "REACH", "REASON", "STATUS", "ANSWER")
    print_table(columns, [_attempt_row(attempt) for attempt in attempts], empty="no attempt yet")


def _attempt_row(attempt: Attempt) -> tuple[Any, ...]:
    seconds = None if attempt.finished_at is None else f"{attempt.finished_at - attempt.started_at:.3f}"
    answer = (attempt.answer or "")[:200]
    return attempt.number, ago(attempt.started_at), seconds, attempt.reach, attempt.reason, attempt.status_code, answer


@delivery.command("redeliver")
@click.argument("delivery_ids", nargs=-1, required=True, metavar="DELIVERY_ID...")
@config_option
@json_option
def redeliver(delivery_ids: tuple[str, ...], config_path: str | None, as_json: bool) -> None:
    """Owe deliveries again, with all their retries; the receiver sees the same webhook-id."""
    settings = load(find(config_path, os.environ), os.environ, secrets=False).settings
    path = settings.store

    async def owe_again(store: SqliteStore) -> list[Delivery]:
        chosen = [(await store.find_delivery(each))[0] for each in delivery_ids]
        for each in chosen:
            if each.callback not in settings.callbacks:
                raise UnknownName(
                    f"{each.delivery_id} is for callback {each.callback!r}, which is not configured (any more)"
                )
        return [await store.redeliver(each.delivery_id, time.time()) for each in chosen]

    owed = with_store(path, owe_again)
    if as_json:
        print_json([delivery_shape(each) for each in owed])
    else:
        for each in owed:
            click.echo(f"{each.delivery_id}: {each.state} to {each.callback}")
    say_if_nobody_runs(path)
