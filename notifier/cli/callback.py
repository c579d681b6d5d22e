"""``notifier callback``: the destinations."""

import os
import secrets
import time
from dataclasses import replace
from typing import Any

import click

from notifier.cli import EXIT_UNDELIVERED
from notifier.cli.output import ago, config_option, harmless, json_option, print_json, print_table
from notifier.cli.render import render
from notifier.cli.session import known_callback, run_async, with_store
from notifier.config import Settings, find, load
from notifier.delivery.signing import NEW_SECRET, UnusableSecret, new_private_key, new_secret, public_keys
from notifier.delivery.trial import Trial, try_callback
from notifier.errors import NotifierError
from notifier.model import DeliveryState, EventType
from notifier.secret import redactor
from notifier.store.contract import CallbackStanding
from notifier.store.lockfile import is_locked
from notifier.store.sqlite import SqliteStore


@click.group()
def callback() -> None:
    """List, test, enable and disable callbacks; make their secrets."""


@callback.command("list")
@config_option
@json_option
def list_(config_path: str | None, as_json: bool) -> None:
    """List the configured callbacks, how they stand and what they are owed."""
    settings = load(find(config_path, os.environ), os.environ, secrets=False).settings
    shapes = with_store(settings.store, lambda store: callback_shapes(store, settings), create=True)
    if as_json:
        print_json(shapes)
        return
    columns = ("CALLBACK", "FORMAT", "STANDING", "EVENTS", "PENDING", "OLDEST", "HELD", "DEAD", "DELIVERED")
    rows = [
        (
            each["name"],
            each["format"],
            each["standing"],
            ",".join(each["events"]),
            each["pending"],
            None if each["oldest_undelivered_seconds"] is None else f"{each['oldest_undelivered_seconds']:.0f}s",
            each["held"],
            each["dead"],
            each["delivered"],
        )
        for each in shapes
    ]
    print_table(columns, rows, empty="no callbacks are configured")


async def callback_shapes(store: SqliteStore, settings: Settings) -> list[dict[str, Any]]:
    """Give every configured callback as JSON."""
    counts, oldest, now = await store.count_deliveries(), await store.oldest_undelivered(), time.time()
    runs = is_locked(settings.store) is not None
    shapes = []
    for name, each in settings.callbacks.items():
        standing = await store.callback_standing(name)
        shape: dict[str, Any] = {"name": name, "format": each.format, "standing": _word(standing, now, runs=runs)}
        shape |= {"reason": standing.disabled_reason, "events": list(each.events)}
        shape |= {str(state): counts.get((name, state), 0) for state in DeliveryState}
        shapes.append(shape | {"oldest_undelivered_seconds": round(now - oldest[name], 1) if name in oldest else None})
    return shapes


def _word(standing: CallbackStanding, now: float, *, runs: bool) -> str:
    if standing.disabled_at is not None:
        return f"disabled {ago(standing.disabled_at, now)}"
    if standing.paused_until is not None and standing.paused_until > now:
        return f"paused, goes on {ago(standing.paused_until, now)}"
    if standing.open_until is not None and runs:  # a breaker is in the memory of a daemon
        due = standing.open_until > now
        return (
            f"failing, next try {ago(standing.open_until, now)}" if due else "failing, next try with what is due next"
        )
    return "ok"


callback.add_command(render)


@callback.command("test")
@click.argument("name")
@click.option(
    "--event",
    "event_type",
    default="task.succeeded",
    show_default=True,
    type=click.Choice([str(each) for each in EventType]),
)
@config_option
@json_option
def test(name: str, event_type: str, config_path: str | None, as_json: bool) -> None:
    """Send a made-up event to a callback now, once, and show the answer. Exit code 6 when it was not accepted."""
    settings = load(find(config_path, os.environ), os.environ).settings
    chosen = settings.callbacks[known_callback(settings, name)]
    redact = redactor(settings.secret_values())
    trial: Trial = run_async(lambda: try_callback(chosen, EventType(event_type), redact=redact))
    if as_json:
        print_json({"callback": name} | trial.shape())
    else:
        click.echo(f"{name}: {'accepted' if trial.accepted else 'not accepted'}: {trial.summary()}")
        if trial.answer and not trial.accepted:
            click.echo(harmless(trial.answer[:500]))
    raise SystemExit(0 if trial.accepted else EXIT_UNDELIVERED)


@callback.command("secret")
@click.option("--ed25519", "is_asymmetric", is_flag=True, help="A private key; the receiver gets the public one.")
@json_option
def secret(*, is_asymmetric: bool, as_json: bool) -> None:
    """Make a new signing secret. It alone goes to stdout, so that it can be piped into a file."""
    made, public = _new_private_key() if is_asymmetric else (new_secret(secrets.token_bytes(NEW_SECRET)), None)
    if as_json:
        print_json({"secret": made, "public_key": public})
        return
    click.echo(made)
    if public:
        click.echo(f"the public key, for the receiver: {public}", err=True)


def _new_private_key() -> tuple[str, str]:
    try:
        key = new_private_key(secrets.token_bytes(NEW_SECRET))
    except UnusableSecret as unusable:
        raise NotifierError(f"{unusable.message}; {unusable.remedy}") from None
    return key.spelled(), key.public


@callback.command("public-key")
@click.argument("name")
@config_option
@json_option
def public_key(name: str, config_path: str | None, as_json: bool) -> None:
    """Print the public keys of a callback, one for each of its private keys: its receiver verifies with them."""
    settings = load(find(config_path, os.environ), os.environ).settings
    keys = public_keys(settings.callbacks[known_callback(settings, name)].secrets)
    if not keys:
        raise NotifierError(f"the callback {name!r} has no private key (whsk_…), hence no public one")
    if as_json:
        print_json({"callback": name, "public_keys": keys})
    else:
        click.echo("\n".join(keys))


@callback.command("enable")
@click.argument("name")
@config_option
@json_option
def enable(name: str, config_path: str | None, as_json: bool) -> None:
    """Lift a pause or a disablement; what was held for the callback is owed again."""
    _change(name, config_path, as_json, enable=True)


@callback.command("disable")
@click.argument("name")
@config_option
@json_option
def disable(name: str, config_path: str | None, as_json: bool) -> None:
    """Send nothing more to a callback; what it is owed is held until it is enabled."""
    _change(name, config_path, as_json, enable=False)


def _change(name: str, config_path: str | None, as_json: bool, *, enable: bool) -> None:
    settings = load(find(config_path, os.environ), os.environ, secrets=False).settings
    known_callback(settings, name)

    async def change(store: SqliteStore) -> list[dict[str, Any]]:
        if enable:
            await store.enable_callback(name, time.time())
        else:
            await store.disable_callback(name, "by hand", time.time())
        chosen = replace(settings, callbacks={name: settings.callbacks[name]})
        return await callback_shapes(store, chosen)

    [shape] = with_store(settings.store, change, create=True)
    if as_json:
        print_json(shape)
    else:
        click.echo(f"{name}: {shape['standing']}, {shape['pending']} pending, {shape['held']} held")
