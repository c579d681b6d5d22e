"""``notifier delivery redeliver``: what was not delivered, or should be once more, is owed again."""

import os
import textwrap
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import click

from notifier.cli.output import as_json_text, config_option, json_option
from notifier.cli.selection import selection, selection_options
from notifier.cli.session import say_if_nobody_runs, with_store
from notifier.cli.shapes import delivery_shape
from notifier.config import Settings, find, load
from notifier.errors import NotifierError, UnknownName
from notifier.model import Delivery, DeliveryState
from notifier.store.contract import Selection
from notifier.store.sqlite import SqliteStore

AT_ONCE = 500  # deliveries of one transaction, and what is held in memory

WITHOUT_STATE = (DeliveryState.DEAD, DeliveryState.HELD)


@dataclass(slots=True)
class Printer:
    """Prints deliveries as they come: lines for people, or the list of one JSON document."""

    as_json: bool
    dry_run: bool
    count: int = 0

    def line(self, each: Delivery) -> str:
        """Say what becomes of one."""
        if self.dry_run:
            about = " ".join(filter(None, (each.event_type, each.task_id)))
            return f"{each.delivery_id}: {about} would be owed to {each.callback} again; now {each.state}"
        return f"{each.delivery_id}: {each.state} to {each.callback}"

    def add(self, deliveries: Sequence[Delivery]) -> None:
        """Print some more."""
        for each in deliveries:
            if self.as_json:
                text = textwrap.indent(as_json_text(delivery_shape(each)), "  ")
                click.echo(("," if self.count else "[") + "\n" + text, nl=False)
            else:
                click.echo(self.line(each))
            self.count += 1

    def end(self) -> None:
        """Print what closes the document."""
        if self.as_json:
            click.echo("\n]" if self.count else "[]")


@dataclass(slots=True)
class Redelivery:
    """One run of the command."""

    store: SqliteStore
    printer: Printer
    refusing: Mapping[str, str]  # why a callback takes nothing
    dry_run: bool
    now: float
    left: Counter[str] = field(default_factory=Counter)  # deliveries that stay as they are, by the reason

    async def by_ids(self, delivery_ids: Sequence[str]) -> None:
        """Owe these, all of them or none.

        :raises UnknownName: an id nobody knows, or a callback that is not configured.
        """
        chosen = [(await self.store.find_delivery(each))[0] for each in delivery_ids]
        for each in chosen:
            if each.callback in self.refusing:
                raise UnknownName(f"{each.delivery_id} can't be sent: {self.refusing[each.callback]}")
        for start in range(0, len(chosen), AT_ONCE):
            await self._owe(chosen[start : start + AT_ONCE], ())

    async def by_selection(self, chosen: Selection) -> None:
        """Owe what the options select, the oldest first, a batch at a time."""
        if (refusal := self.refusing.get(chosen.callback or "")) is not None:
            raise NotifierError(refusal)
        rest: int | None = 0
        while rest is not None:
            page = await self.store.select_deliveries(chosen, after=rest, limit=AT_ONCE)
            self.left.update(self.refusing[each.callback] for each in page.deliveries if each.callback in self.refusing)
            await self._owe([each for each in page.deliveries if each.callback not in self.refusing], chosen.states)
            rest = page.rest

    async def _owe(self, chosen: Sequence[Delivery], states: Collection[DeliveryState]) -> None:
        if self.dry_run:
            self.printer.add(chosen)
            return
        ids = [each.delivery_id for each in chosen]
        owed = set(await self.store.redeliver_all(ids, self.now, states=states))
        self.left.update("in flight, or changed meanwhile" for each in ids if each not in owed)
        self.printer.add([self._owed_again(each) for each in chosen if each.delivery_id in owed])

    def _owed_again(self, each: Delivery) -> Delivery:
        return replace(
            each,
            state=DeliveryState.PENDING,
            failures=0,
            plain=False,
            reason=None,
            next_attempt_at=self.now,
            delivered_at=None,
        )

    def sum_up(self) -> None:
        """Say on stderr how many there were, and how many not and why."""
        count = self.printer.count
        noun = "delivery" if count == 1 else "deliveries"
        click.echo(
            f"{count} {noun} {'would be' if self.dry_run else 'is' if count == 1 else 'are'} owed again", err=True
        )
        for reason, number in self.left.items():
            click.echo(f"{number} left as they are: {reason}", err=True)


@click.command("redeliver")
@click.argument("delivery_ids", nargs=-1, metavar="[DELIVERY_ID]...")
@selection_options
@click.option("--dry-run", is_flag=True, help="Only print what would be owed again.")
@config_option
@json_option
def redeliver(
    delivery_ids: tuple[str, ...], config_path: str | None, *, as_json: bool, dry_run: bool, **options: Any
) -> None:
    """Owe deliveries again, with all their retries; the receiver sees the same webhook-id.

    Name them by id, or select them: with --callback, --event or --since alone, those that are dead or held.
    """
    _check_usage(delivery_ids, options)
    settings = load(find(config_path, os.environ), os.environ, secrets=False).settings

    async def run(store: SqliteStore) -> Redelivery:
        refusing = await _refusing(store, settings)
        work = Redelivery(store, Printer(as_json, dry_run), refusing, dry_run, time.time())
        if delivery_ids:
            await work.by_ids(delivery_ids)
        else:
            chosen = selection(**options)
            await work.by_selection(chosen if chosen.states else replace(chosen, states=WITHOUT_STATE))
        return work

    work = with_store(settings.store, run)
    work.printer.end()
    if not delivery_ids:
        work.sum_up()
    if work.printer.count and not dry_run:
        say_if_nobody_runs(settings.store)


def _check_usage(delivery_ids: Sequence[str], options: Mapping[str, Any]) -> None:
    filtered = any(value not in {None, ()} for value in options.values())
    if delivery_ids and filtered:
        raise click.UsageError("give ids, or --callback, --event, --since and --state to select; not both")
    if not delivery_ids and not filtered:
        raise click.UsageError(
            "say which: ids, or --callback, --event, --since, --state; all that is undelivered: --state dead --state held"
        )


async def _refusing(store: SqliteStore, settings: Settings) -> dict[str, str]:
    """Say why which callbacks take nothing: those that anything is for and are not configured, and the disabled."""
    refusing = {
        name: f"the callback {name!r} is not configured (any more)"
        for name, _ in await store.count_deliveries()
        if name not in settings.callbacks
    }
    for name in settings.callbacks:
        if (await store.callback_standing(name)).disabled_at is not None:
            refusing[name] = f"the callback {name!r} is disabled; first: notifier callback enable {name}"
    return refusing
