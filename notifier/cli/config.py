"""``notifier config``: check, show, and the JSON Schema."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from notifier.cli import EXIT_CONFIG
from notifier.cli.output import config_option, json_option, print_json
from notifier.errors import ConfigError

if TYPE_CHECKING:
    from notifier.config.loader import Loaded
    from notifier.config.problems import Problem


@click.group()
def config() -> None:
    """Check and show the configuration."""


@config.command()
@config_option
@json_option
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
def check(config_path: str | None, as_json: bool, strict: bool) -> None:
    """Read the configuration, with every secret it names, and tell all that is wrong."""
    try:
        loaded = _load(config_path)
    except ConfigError as error:
        if not as_json:
            raise
        print_json(_refusal(error))
        raise click.exceptions.Exit(EXIT_CONFIG) from None
    _tell(loaded, as_json=as_json, ok=not (strict and loaded.warnings))
    if strict and loaded.warnings:
        raise click.exceptions.Exit(EXIT_CONFIG)


@config.command()
@config_option
@json_option
def show(config_path: str | None, as_json: bool) -> None:
    """Print the settings in force, defaults filled in, secrets masked."""
    from notifier.config.show import as_yaml, shown

    settings = shown(_load(config_path).settings)
    if as_json:
        print_json(settings)
        return
    click.echo(as_yaml(settings), nl=False)


@config.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from notifier.config.json_schema import json_schema

    print_json(json_schema())


def _load(config_path: str | None) -> "Loaded":
    from notifier.config import find, load

    return load(find(config_path, os.environ), os.environ)


def _tell(loaded: "Loaded", *, as_json: bool, ok: bool) -> None:
    counts = _counts(loaded)
    if as_json:
        print_json(_verdict(str(loaded.path), loaded.warnings, ok=ok) | {"counts": counts})
        return
    from notifier.config.problems import plural

    for warning in loaded.warnings:
        click.echo(str(warning), err=True)
    nouns = {"accounts": "account", "callbacks": "callback", "tasks": "task"}
    parts = [plural(counts[key], noun) for key, noun in nouns.items()]
    parts += [plural(len(loaded.warnings), "warning")] if loaded.warnings else []
    click.echo(f"{loaded.path}: {'ok' if ok else 'refused, because of --strict'} ({', '.join(parts)})")


def _counts(loaded: "Loaded") -> dict[str, int]:
    settings = loaded.settings
    return {"accounts": len(settings.accounts), "callbacks": len(settings.callbacks), "tasks": len(settings.tasks)}


def _verdict(file: str | None, problems: "Sequence[Problem]", *, ok: bool) -> dict[str, Any]:
    """Give the part of the JSON that success and failure share."""
    levels = [problem.level for problem in problems]
    return {
        "file": file,
        "ok": ok,
        "errors": levels.count("error"),
        "warnings": levels.count("warning"),
        "problems": [dict(problem.as_json()) for problem in problems],
    }


def _refusal(error: ConfigError) -> dict[str, Any]:
    from notifier.config.problems import InvalidConfig, Problem

    if isinstance(error, InvalidConfig):
        return _verdict(error.file, error.problems, ok=False) | {"counts": None}
    return _verdict(None, [Problem("error", str(error), None, "")], ok=False) | {"counts": None}
