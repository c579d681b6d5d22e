"""The picture of ``notifier demo``: a table that moves on a terminal, a line per happening elsewhere."""

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from notifier.facts import AttemptFinished, EventRecorded, PollChanged, PollTroubled
from notifier.simulator.hubspot import Served
from notifier.simulator.receiver import Arrival
from notifier.telemetry import Fact

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table


@dataclass(slots=True)
class Import:
    """One row of the picture."""

    task_id: str
    label: str
    status: str = "-"
    polls: int = 0
    outcome: str = ""
    told: str = ""  # the callbacks that accepted the event, with the time it took


@dataclass(frozen=True, slots=True)
class Board:
    """Everything the picture shows."""

    imports: Sequence[Import]

    def row(self, task_id: str | None) -> Import | None:
        """Give the row of a task."""
        return next((each for each in self.imports if each.task_id == task_id), None)


class Display:
    """Shows the board as long as the context lasts."""

    def __init__(self, board: Board, *, quiet: bool) -> None:
        self._board = board
        self._quiet = quiet
        self._began = time.monotonic()
        self._stack = ExitStack()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if sys.stdout.isatty() and not self._quiet:
            from rich.live import Live

            self._live = self._stack.enter_context(Live(self._table(), refresh_per_second=10))
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def reported(self, fact: Fact) -> None:
        """Take in a fact of the daemon."""
        if isinstance(fact, PollChanged) and (row := self._board.row(fact.task_id)):
            row.status = fact.status or "-"
            self._say(f"poll {fact.polls:<2}    {fact.label}: {fact.previous_status or 'new'} → {fact.status}")
        elif isinstance(fact, PollTroubled):
            self._say(f"poll {fact.polls:<2}    {fact.label}: {fact.problem}")
        elif isinstance(fact, EventRecorded) and (row := self._board.row(fact.task_id)):
            row.outcome = fact.outcome or fact.type
            self._say(f"event      {fact.label}: {fact.type}, owed to {fact.callbacks}")
        elif isinstance(fact, AttemptFinished) and (row := self._board.row(fact.task_id)):
            row.told = ", ".join(part for part in (row.told, f"{fact.callback} {fact.duration_ms:.0f} ms") if part)
            self._say(f"delivery   {fact.label}: {fact.callback} answered {fact.status_code}, {fact.state}")
        self._refresh()

    def asked(self, served: Served) -> None:
        """Take in a poll that HubSpot saw."""
        if row := self._board.row(served.task_id):
            row.polls += 1
        self._refresh()

    def arrived(self, arrival: Arrival) -> None:
        """Take in what the receiver got."""
        verdict = "signature verified" if arrival.path == "/hook" else "fits Slack's limits"
        self._say(f"receiver   {arrival.path}: {verdict if arrival.verified else arrival.problem}")

    def _say(self, line: str) -> None:
        if self._live is None and not self._quiet:
            click.echo(f"{time.monotonic() - self._began:5.2f}s  {line}")

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.update(self._table())

    def _table(self) -> "Table":
        from rich.table import Table

        table = Table(title="HubSpot file imports (simulated)", title_justify="left", expand=False)
        for column in ("Import", "HubSpot says", "Polls", "Outcome", "Told (verified)"):
            table.add_column(column, justify="right" if column == "Polls" else "left", min_width=len(column))
        colours = {"succeeded": "green", "failed": "red", "canceled": "yellow"}
        for each in self._board.imports:
            outcome = f"[{colours[each.outcome]}]{each.outcome}[/]" if each.outcome in colours else each.outcome
            table.add_row(each.label, each.status, str(each.polls), outcome, each.told)
        return table
