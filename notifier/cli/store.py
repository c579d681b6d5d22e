"""``notifier store``: what is remembered, and forgotten."""

import os
import time
from dataclasses import replace
from typing import Any

import click

from notifier.cli.output import config_option, json_option, print_json
from notifier.cli.selection import read_duration
from notifier.cli.session import with_store
from notifier.config import Settings, find, load
from notifier.store.retention import Shrunk, ages, prune
from notifier.store.settings import Retention

COUNTS = ("events", "deliveries", "attempts", "watches")


@click.group()
def store() -> None:
    """Delete what is old."""


@store.command("prune")
@click.option("--older-than", callback=read_duration, metavar="30d", help="Instead of what `retention` says.")
@click.option("--dry-run", is_flag=True, help="Only count what would go.")
@config_option
@json_option
def prune_(older_than: float | None, config_path: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Delete old events with their deliveries and attempts, and watches that are over; a daemon does it daily.

    What is pending or held stays, and so do the watches of tasks that the configuration lists, however old.
    """
    settings = load(find(config_path, os.environ), os.environ, secrets=False).settings
    old = ages(_retention(settings, older_than), settings.listed(), time.time())
    shape = _shape(with_store(settings.store, lambda opened: prune(opened, old, dry_run=dry_run)), dry_run=dry_run)
    if as_json:
        print_json(shape)
        return
    counts = ", ".join(f"{name} {shape[name]}" for name in COUNTS)
    click.echo(f"{'would be deleted' if dry_run else 'deleted'}: {counts}")
    if not dry_run:
        click.echo(f"the store takes {_size(shape['bytes_after'])}, it took {_size(shape['bytes_before'])}")


def _retention(settings: Settings, older_than: float | None) -> Retention:
    if older_than is None:
        return settings.retention
    return replace(settings.retention, delivered=older_than, dead=older_than)


def _shape(shrunk: Shrunk, *, dry_run: bool) -> dict[str, Any]:
    counts = {name: getattr(shrunk.pruned, name) for name in COUNTS}
    return {"dry_run": dry_run} | counts | {"bytes_before": shrunk.bytes_before, "bytes_after": shrunk.bytes_after}


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
