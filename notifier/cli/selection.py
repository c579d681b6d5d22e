"""The options that say which deliveries are meant, and how moments and durations are written in options."""

import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import click

from notifier.clock import parse_iso
from notifier.config.units import DAY, parse_duration
from notifier.model import Delivery, DeliveryState, EventType
from notifier.store.contract import Selection

Command = TypeVar("Command", bound=Callable[..., Any])

UNDELIVERED = (DeliveryState.PENDING, DeliveryState.HELD, DeliveryState.DEAD)


def read_duration(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """Read ``30d`` into seconds."""
    try:
        return None if value is None else parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def read_deadline(context: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Read a deadline, with the bounds it has in the configuration."""
    seconds = read_duration(context, param, value)
    if seconds is not None and not 1 <= seconds <= 365 * DAY:
        raise click.BadParameter(f"{value} is out of bounds: between 1s and 365d")
    return seconds


def read_since(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """Read ``2h`` (ago) or RFC 3339 (in UTC where it names no offset) into unix seconds."""
    if value is None:
        return None
    if (at := parse_iso(value)) is not None:
        return at
    try:
        return time.time() - parse_duration(value)
    except ValueError:
        message = f"{value!r} is neither a duration (2h, 7d) nor a time (2026-11-21T19:08:00Z)"
        raise click.BadParameter(message) from None


def read_event(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Read an event type, or a pattern that matches some, as in the configuration."""
    if value is not None and not any(fnmatchcase(event, value) for event in EventType):
        raise click.BadParameter(f"{value!r} matches no event type: {', '.join(EventType)}")
    return value


def selection_options(command: Command) -> Command:
    """Give a command --state, --callback, --event and --since."""
    for option in (
        click.option("--since", callback=read_since, metavar="2h|TIME", help="Only what is owed since then."),
        click.option(
            "--event", "event_type", callback=read_event, metavar="TYPE", help="Only these: task.failed, task.*"
        ),
        click.option("--callback", help="Only those to this callback."),
        click.option(
            "--state",
            "states",
            multiple=True,
            type=click.Choice([str(state) for state in DeliveryState]),
            help="Only these; may be given several times.",
        ),
    ):
        command = option(command)
    return command


def selection(states: tuple[str, ...], callback: str | None, event_type: str | None, since: float | None) -> Selection:
    """Make of the options what the store is asked."""
    return Selection(tuple(DeliveryState(state) for state in states), callback, event_type, since)


def is_selected(delivery: Delivery, chosen: Selection) -> bool:
    """Tell whether a delivery that was found otherwise is meant."""
    return (
        (not chosen.states or delivery.state in chosen.states)
        and chosen.callback in {None, delivery.callback}
        and (chosen.event_type is None or fnmatchcase(delivery.event_type, chosen.event_type))
        and (chosen.since is None or delivery.created_at >= chosen.since)
    )
