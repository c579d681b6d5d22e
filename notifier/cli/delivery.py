"""``notifier delivery``: what is owed, what was told, what was not."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from notifier.cli.output import ago, config_option, json_option, note_rest, print_json, print_table
from notifier.cli.redeliver import redeliver
from notifier.cli.selection import UNDELIVERED, is_selected, selection, selection_options
from notifier.cli.session import one_watch, with_store
from notifier.cli.shapes import attempt_shape, delivery_shape, event_shape
from notifier.config import find, load
from notifier.model import Attempt, Delivery, DeliveryState
from notifier.store.contract import Selection
from notifier.store.sqlite import SqliteStore


@click.group()
def delivery() -> None:
    """List deliveries, show their attempts, redeliver."""


@delivery.command("list")
@selection_options
@click.option("--undelivered", is_flag=True, help="Only what is pending, held or dead.")
@click.option("--task", "task_id", help="Only those about this task.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1_000_000))
@config_option
@json_option
def list_(
    config_path: str | None, task_id: str | None, limit: int, *, as_json: bool, undelivered: bool, **options: Any
) -> None:
    """List deliveries, the latest first."""
    chosen = selection(**options)
    if undelivered and chosen.states:
        raise click.UsageError(
            "--undelivered stands for --state pending --state held --state dead; give one or the other"
        )
    chosen = replace(chosen, states=UNDELIVERED) if undelivered else chosen
    path = load(find(config_path, os.environ), os.environ, secrets=False).settings.store
    found, total = with_store(path, lambda store: _look(store, chosen, task_id, limit))
    if as_json:
        print_json([delivery_shape(each) for each in found])
    else:
        columns = ("DELIVERY", "EVENT", "TASK", "CALLBACK", "STATE", "ATTEMPTS", "CREATED", "NEXT", "REASON")
        print_table(columns, [_row(each) for each in found], empty="no deliveries")
    note_rest(len(found), total, "use --limit, --state, --callback, --event or --since to see others")


async def _look(
    store: SqliteStore, chosen: Selection, task_id: str | None, limit: int
) -> tuple[Sequence[Delivery], int]:
    """Give the latest deliveries that are meant, and how many there are."""
    if task_id is not None:
        owed = await store.deliveries_of_watch((await one_watch(store, task_id)).watch_id)
        meant = [each for each in owed if is_selected(each, chosen)]
        return meant[:limit], len(meant)
    found = await store.find_deliveries(
        states=chosen.states, callback=chosen.callback, event_type=chosen.event_type, since=chosen.since, limit=limit
    )
    return found, len(found) if len(found) < limit else await store.count_selected(chosen)


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


delivery.add_command(redeliver)
