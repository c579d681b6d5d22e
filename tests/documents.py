"""Reads the documents of the repository as tests need them, and the tree of commands they tell of."""

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from notifier import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", *(f"docs/{page.name}" for page in ROOT.glob("docs/*.md")))
DOCUMENTS = {name: (ROOT / name).read_text("utf-8") for name in PAGES}

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str, language: str) -> list[str]:
    """Give what stands between fences of a language."""
    return [content for found, content in _BLOCK.findall(text) if found == language]


def inline_code(text: str) -> list[str]:
    """Give what stands between backticks, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", _BLOCK.sub("", text))


def section(text: str, heading: str) -> str:
    """Give the text under a heading, down to the next of its level or above."""
    marks = heading.partition(" ")[0]
    [found] = re.findall(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(marks)}}} |\Z)", text, re.MULTILINE | re.DOTALL)
    return str(found)


def table(text: str, headings: str) -> Iterator[list[str]]:
    """Give the rows of the one table whose headings begin so."""
    [rows] = re.findall(rf"^\| {re.escape(headings)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    for row in rows.splitlines():
        yield [cell.strip() for cell in row.strip("|").split("|")]


@functools.cache
def commands() -> Mapping[tuple[str, ...], click.Command]:
    """Give every command that does something, by its words."""
    return dict(_commands_in(cli.notifier, ()))


def _commands_in(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield words, command
        return
    context = click.Context(command)
    for word in command.list_commands(context):
        found = command.get_command(context, word)
        assert found is not None
        yield from _commands_in(found, (*words, word))


def options(command: click.Command) -> set[str]:
    """Give every spelling of a command's options."""
    parameters = command.get_params(click.Context(command, help_option_names=["-h", "--help"]))
    return {spelling for each in parameters if isinstance(each, click.Option) for spelling in each.opts}
