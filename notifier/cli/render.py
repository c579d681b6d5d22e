"""``notifier callback render``: what a callback would be sent."""

import os
import sys
import time

import click

from notifier.cli.output import config_option, harmless, json_option, print_json
from notifier.cli.session import known_callback, with_store
from notifier.config import find, load
from notifier.delivery.formats import format_of
from notifier.delivery.preview import preview
from notifier.delivery.settings import Callback
from notifier.delivery.trial import first_claim, fresh_sample
from notifier.model import Claim, Event, EventType, delivery_id
from notifier.store.sqlite import SqliteStore


@click.command("render")
@click.argument("name")
@click.option("--event", "event_id", metavar="ID", help="An event on record.")
@click.option("--sample", "event_type", type=click.Choice([str(each) for each in EventType]), help="A made-up event.")
@config_option
@json_option
def render(name: str, event_id: str | None, event_type: str | None, config_path: str | None, as_json: bool) -> None:
    """Print exactly what a callback would be sent: the body; with --json the headers too, secrets masked.

    Of an event that the callback is owed already it is the body that was stored when it was recorded.
    """
    if (event_id is None) == (event_type is None):
        raise click.UsageError("give one of --event and --sample")
    settings = load(find(config_path, os.environ), os.environ, secrets=False).settings
    chosen = settings.callbacks[known_callback(settings, name)]
    if event_type is not None:
        claim = _rendered(fresh_sample(EventType(event_type)), chosen)
    else:
        claim = with_store(settings.store, lambda store: _claim(store, event_id or "", chosen))
    shown = preview(chosen, claim, int(time.time()))
    if as_json:
        about = {"event_id": claim.delivery.event_id, "type": str(claim.delivery.event_type)}
        print_json({"callback": name, "format": chosen.format, **about, **shown.shape()})
        return
    if shown.degraded:
        click.echo(f"{name}: {shown.degraded}; the default format is sent instead", err=True)
    if sys.stdout.isatty():
        click.echo(harmless(shown.body.decode("utf-8", "replace")))
    else:
        click.echo(shown.body, nl=False)


async def _claim(store: SqliteStore, event_id: str, callback: Callback) -> Claim:
    """Give the stored delivery of the event, or what one would be."""
    event = await store.find_event(event_id)
    owed = delivery_id(event.event_id, callback.name)
    body = await store.find_body(owed)
    if body is None:
        return _rendered(event, callback)
    delivery, _, _ = await store.find_delivery(owed)
    return Claim(delivery, delivery.attempts + 1, body)


def _rendered(event: Event, callback: Callback) -> Claim:
    return first_claim(event, callback, format_of(callback).render(event))
