"""How commands print: data on stdout, as a table for people, tab-separated lines for pipes, JSON for programs."""

import json
import sys
import time
import unicodedata
from collections.abc import Sequence
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON (stable, documented).")
config_option = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(readable=False),  # what is no readable file is a bad configuration, not a wrong use of the command
    envvar="NOTIFIER_CONFIG",
    help="The configuration; else $NOTIFIER_CONFIG, ./config.yaml, /etc/notifier/config.yaml.",
)


def print_json(value: Any) -> None:
    """Print one JSON document."""
    click.echo(as_json_text(value))


def as_json_text(value: Any) -> str:
    """Write one JSON document."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str) -> None:
    """Print rows as a table on a terminal, else as tab-separated lines with a header and nothing cut."""
    if not sys.stdout.isatty():
        click.echo("\t".join(columns))
        for row in rows:
            click.echo("\t".join(_cell(value).replace("\t", " ").replace("\n", " ") for value in row))
        return
    if not rows:
        click.echo(empty)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value), style=_style(value)) for value in row))
    Console().print(table)


def note_rest(shown: int, total: int, remedy: str) -> None:
    """Say on stderr that a list was cut, and how to see the rest."""
    if total > shown:
        click.echo(f"{shown} of {total} shown; {remedy}", err=True)


def _cell(value: Any) -> str:
    return "-" if value is None or value == "" else harmless(str(value))


def harmless(text: str) -> str:
    """Make text that others wrote fit for a terminal: control characters, which could move or colour it, become ``·``."""
    return "".join(
        "·" if unicodedata.category(each) in {"Cc", "Cf", "Cs"} and each not in "\n\t" else each for each in text
    )


_STYLES = {
    **dict.fromkeys(("succeeded", "delivered", "ok"), "green"),
    **dict.fromkeys(("failed", "dead", "lost", "disabled", "rejected"), "red"),
    **dict.fromkeys(("canceled", "expired", "held", "paused"), "yellow"),
    **dict.fromkeys(("active", "pending"), "cyan"),
}


def _style(value: Any) -> str:
    return _STYLES.get(str(value), "")


def ago(at: float | None, now: float | None = None) -> str | None:
    """Write how long ago, or in how long, in one unit: ``12s ago``, ``in 5m``; ``None`` stays ``None``."""
    if at is None:
        return None
    seconds = (time.time() if now is None else now) - at
    return f"in {span(-seconds)}" if seconds < 0 else f"{span(seconds)} ago"


def until(at: float, now: float | None = None) -> str:
    """Write in how long something is due; what waits for something else is ``due``."""
    seconds = at - (time.time() if now is None else now)
    return f"in {span(seconds)}" if seconds > 0 else "due"


def span(seconds: float) -> str:
    """Write a length of time in its largest fitting unit: ``45s``, ``12m``, ``3h``, ``2d``."""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"
