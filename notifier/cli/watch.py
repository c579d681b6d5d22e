"""``notifier watch``: what is watched."""

import os
import time
from typing import Any

import click

from notifier.cli import EXIT_PENDING, EXIT_TASK_FAILED
from notifier.cli.output import ago, config_option, harmless, json_option, note_rest, print_json, print_table, until
from notifier.cli.selection import read_deadline, read_duration
from notifier.cli.session import one_watch, say_if_nobody_runs, with_store
from notifier.cli.shapes import attempt_shape, delivery_shape, watch_shape
from notifier.config import Settings, find, load
from notifier.hubspot.kinds import KINDS
from notifier.model import Outcome, TaskKey, Watch, WatchRequest, WatchState
from notifier.polling.watches import begin_watch
from notifier.store.sqlite import SqliteStore


@click.group()
def watch() -> None:
    """Add, list, follow and remove watches; a running daemon notices within a second."""


@watch.command("add")
@click.argument("task_ids", nargs=-1, required=True, metavar="TASK_ID...")
@click.option("--account", help="The account; needed when several are configured.")
@click.option("--kind", default="hubspot.file_import", show_default=True, type=click.Choice(sorted(KINDS)))
@click.option("--label", help="A name for people.")
@click.option("--callback", "callbacks", multiple=True, help="Tell only this callback; may be given again.")
@click.option("--deadline", callback=read_deadline, help="Give up after so long: 2h, 30m.")
@config_option
@json_option
def add(config_path: str | None, as_json: bool, **asked: Any) -> None:
    """Watch tasks from now on. One that is already watched, or has ended, is left as it is."""
    settings = _settings(config_path)
    requests = [_request(settings, task_id, asked) for task_id in asked["task_ids"]]
    now = time.time()
    wanted = [begin_watch(each, origin="command", cost=settings.polling.request_cost, now=now) for each in requests]

    async def add_all(store: SqliteStore) -> list[tuple[Watch, bool]]:
        return [await store.add_watch(each) for each in wanted]

    added = with_store(settings.store, add_all, create=True)
    if as_json:
        print_json([watch_shape(each) | {"new": new} for each, new in added])
    else:
        for each, new in added:
            click.echo(
                f"{each.key.task_id}: {'watched from now on' if new else f'already known, {each.outcome or each.state}'}"
            )
    if not all(new for _, new in added) and (asked["label"] or asked["callbacks"] or asked["deadline"]):
        click.echo("what was known already keeps its label, callbacks and deadline; `watch remove` it first", err=True)
    say_if_nobody_runs(settings.store)


def _request(settings: Settings, task_id: str, asked: dict[str, Any]) -> WatchRequest:
    for name in asked["callbacks"]:
        if name not in settings.callbacks:
            raise click.UsageError(f"no callback {name!r}; configured are {', '.join(settings.callbacks) or 'none'}")
    if not task_id or len(task_id) > 512 or not task_id.isprintable():
        raise click.UsageError(f"{task_id[:40]!r} is no task id")
    deadline = settings.polling.deadline if asked["deadline"] is None else asked["deadline"]
    key = TaskKey(_account(settings, asked["account"]), asked["kind"], task_id)
    return WatchRequest(key, asked["label"], asked["callbacks"] or None, deadline)


def _account(settings: Settings, name: str | None) -> str:
    if name is None and len(settings.accounts) == 1:
        return next(iter(settings.accounts))
    if name is None or name not in settings.accounts:
        problem = "--account is needed" if name is None else f"no account {name!r}"
        raise click.UsageError(f"{problem}; configured are {', '.join(settings.accounts)}")
    return name


@watch.command("list")
@click.option(
    "--state", "states", multiple=True, type=click.Choice([str(state) for state in WatchState]), help="Only these."
)
@click.option("--account", help="Only this account's.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1_000_000))
@config_option
@json_option
def list_(config_path: str | None, as_json: bool, states: tuple[str, ...], account: str | None, limit: int) -> None:
    """List watches, the latest first."""
    wanted = [WatchState(state) for state in states] or None

    async def look(store: SqliteStore) -> tuple[list[Watch], int]:
        counts = await store.count_watches()
        total = sum(
            count
            for (name, _, state), count in counts.items()
            if (account is None or name == account) and (wanted is None or state in wanted)
        )
        return list(await store.find_watches(states=wanted, account=account, limit=limit)), total

    found, total = with_store(_settings(config_path).store, look)
    if as_json:
        print_json([watch_shape(each) for each in found])
    else:
        columns = ("TASK", "LABEL", "ACCOUNT", "STATE", "OUTCOME", "STATUS", "POLLS", "POLLED", "NEXT", "PROBLEM")
        print_table(
            columns, [_row(each) for each in found], empty="nothing is watched; `notifier watch add TASK_ID` begins"
        )
    note_rest(len(found), total, "use --limit or --state to see others")


def _row(each: Watch) -> tuple[Any, ...]:
    upcoming = until(each.next_poll_at) if each.state is WatchState.ACTIVE else None
    named = (each.key.task_id, each.label, each.key.account, each.state, each.outcome)
    return *named, each.status, each.polls, ago(each.polled_at), upcoming, each.problem


@watch.command("show")
@click.argument("task_id")
@config_option
@json_option
def show(task_id: str, config_path: str | None, as_json: bool) -> None:
    """Show one watch, named by task id or watch id, with its deliveries and their attempts."""

    async def look(store: SqliteStore) -> dict[str, Any]:
        found = await one_watch(store, task_id)
        deliveries = []
        for each in await store.deliveries_of_watch(found.watch_id):
            _, _, attempts = await store.find_delivery(each.delivery_id)
            deliveries.append(delivery_shape(each) | {"tries": [attempt_shape(attempt) for attempt in attempts]})
        return watch_shape(found) | {"deliveries": deliveries}

    shape = with_store(_settings(config_path).store, look)
    if as_json:
        print_json(shape)
        return
    for name, value in shape.items():
        if name != "deliveries" and value is not None:
            click.echo(f"{name:15} {harmless(', '.join(value) if isinstance(value, list) else str(value))}")
    rows = [
        (each["delivery_id"], each["type"], each["callback"], each["state"], each["attempts"], each["reason"])
        for each in shape["deliveries"]
    ]
    if rows:
        click.echo()
        print_table(("DELIVERY", "EVENT", "CALLBACK", "STATE", "ATTEMPTS", "REASON"), rows, empty="")


@watch.command("remove")
@click.argument("task_id")
@config_option
@json_option
def remove(task_id: str, config_path: str | None, as_json: bool) -> None:
    """Stop watching a task; nothing is told of it any more."""
    settings = _settings(config_path)

    async def remove_one(store: SqliteStore) -> tuple[Watch, Watch]:
        found = await one_watch(store, task_id)
        return found, await store.remove_watch(found.watch_id, time.time())

    before, after = with_store(settings.store, remove_one)
    if as_json:
        print_json(watch_shape(after))
    elif after.state is WatchState.REMOVED:
        click.echo(f"{after.key.task_id}: no longer watched")
    else:
        click.echo(f"{after.key.task_id}: has {after.state} already, nothing to remove")
    if before.origin == "config" and before.state is WatchState.ACTIVE:
        click.echo("the configuration lists it: take it out there too, or the next start watches it again", err=True)


@watch.command("follow")
@click.argument("task_id")
@click.option("--timeout", callback=read_duration, help="Leave after so long, with exit code 5: 10m.")
@config_option
@json_option
def follow(task_id: str, timeout: float | None, config_path: str | None, as_json: bool) -> None:
    """Wait until a task has ended and say how.

    Exit code 0: it succeeded; 3: it did not; 5: still pending at --timeout.
    """
    from notifier.cli.follow import follow_watch

    settings = _settings(config_path)
    say_if_nobody_runs(settings.store)
    final = with_store(settings.store, lambda store: follow_watch(store, task_id, timeout, show=not as_json))
    if as_json:
        print_json(watch_shape(final))
    if final.state is WatchState.ACTIVE:
        raise SystemExit(EXIT_PENDING)
    raise SystemExit(0 if final.outcome is Outcome.SUCCEEDED else EXIT_TASK_FAILED)


def _settings(config_path: str | None) -> Settings:
    return load(find(config_path, os.environ), os.environ, secrets=False).settings
