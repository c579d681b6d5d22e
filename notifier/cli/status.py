"""``notifier status``: how things stand, in one screen."""

import os
import time
from typing import Any

import click

from notifier.cli.callback import callback_shapes
from notifier.cli.output import config_option, json_option, note_rest, print_json, print_table, until
from notifier.cli.session import with_store
from notifier.cli.shapes import delivery_shape, watch_shape
from notifier.clock import iso
from notifier.config import Settings, find, load
from notifier.model import DeliveryState, WatchState
from notifier.store.lockfile import is_locked
from notifier.store.sqlite import SqliteStore

SHOWN = 15  # active watches and dead deliveries on one screen


@click.command()
@config_option
@json_option
def status(config_path: str | None, as_json: bool) -> None:
    """Tell what is watched, what is owed, and what needs a person."""
    loaded = load(find(config_path, os.environ), os.environ, secrets=False)
    shape = with_store(loaded.settings.store, lambda store: _look(store, loaded.settings))
    shape = {"config": str(loaded.path), "store": str(loaded.settings.store)} | shape
    if as_json:
        print_json(shape)
    else:
        _print(shape)


async def _look(store: SqliteStore, settings: Settings) -> dict[str, Any]:
    counts = await store.count_watches()
    active = await store.find_watches(states=[WatchState.ACTIVE], limit=SHOWN)
    dead = await store.find_deliveries(states=[DeliveryState.DEAD, DeliveryState.HELD], limit=SHOWN)
    return {
        "daemon_pid": is_locked(settings.store),
        "accounts": [await _account(store, name) for name in settings.accounts],
        "watches": {str(state): sum(n for (_, _, each), n in counts.items() if each is state) for state in WatchState},
        "callbacks": await callback_shapes(store, settings),
        "active": [watch_shape(watch) | {"next_poll": until(watch.next_poll_at)} for watch in active],
        "undelivered": [delivery_shape(delivery) for delivery in dead],
    }


async def _account(store: SqliteStore, name: str) -> dict[str, Any]:
    standing = await store.account_standing(name)
    paused = (standing.paused_until or 0) > time.time()
    return {
        "name": name,
        "standing": "rejected" if standing.rejected_at is not None else "paused" if paused else "ok",
        "rejected_at": iso(standing.rejected_at),
        "paused_until": iso(standing.paused_until) if paused else None,
        "reason": standing.pause_reason if paused and standing.rejected_at is None else standing.reason,
        "correlation_id": standing.correlation_id,
    }


def _print(shape: dict[str, Any]) -> None:
    pid = shape["daemon_pid"]
    click.echo(f"daemon     {f'running, process id {pid}' if pid else 'not running: `notifier run` starts it'}")
    click.echo(f"config     {shape['config']}\nstore      {shape['store']}")
    click.echo(
        "watches    "
        + ", ".join(f"{count} {state}" for state, count in shape["watches"].items() if count or state == "active")
    )
    for account in shape["accounts"]:
        trouble = f": {account['reason']}" if account["reason"] else ""
        trouble += f" (correlation id {account['correlation_id']})" if account["correlation_id"] else ""
        trouble += f", until {account['paused_until']}" if account["paused_until"] else ""
        click.echo(f"account    {account['name']} {account['standing']}{trouble}")
    for each in shape["callbacks"]:
        oldest = each["oldest_undelivered_seconds"]
        waiting = f", the oldest for {oldest:.0f}s" if oldest is not None else ""
        click.echo(
            f"callback   {each['name']} {each['standing']}: {each['delivered']} delivered, "
            f"{each['pending']} pending{waiting}, {each['held']} held, {each['dead']} dead"
        )
    _print_lists(shape)


def _print_lists(shape: dict[str, Any]) -> None:
    if shape["active"]:
        click.echo()
        columns = ("TASK", "LABEL", "ACCOUNT", "STATUS", "POLLS", "NEXT", "PROBLEM")
        keys = ("task_id", "label", "account", "status", "polls", "next_poll", "problem")
        print_table(columns, [tuple(each[key] for key in keys) for each in shape["active"]], empty="")
        note_rest(len(shape["active"]), shape["watches"]["active"], "`notifier watch list --state active` shows all")
    if shape["undelivered"]:
        click.echo()
        columns = ("NOT DELIVERED", "EVENT", "TASK", "CALLBACK", "STATE", "ATTEMPTS", "REASON")
        keys = ("delivery_id", "type", "task_id", "callback", "state", "attempts", "reason")
        print_table(columns, [tuple(each[key] for key in keys) for each in shape["undelivered"]], empty="")
        total = sum(each["dead"] + each["held"] for each in shape["callbacks"])
        note_rest(len(shape["undelivered"]), total, "`notifier delivery list --state dead --state held` shows all")
