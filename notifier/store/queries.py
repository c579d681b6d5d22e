"""SQL lives in files: each query has a name and a line that says what it is for.

::

    -- name: what it is for
    SELECT …;
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

_HEADING = re.compile(r"^-- (?P<name>[a-z_]+): .+$", re.MULTILINE)


@cache
def load_queries(dialect: str) -> Mapping[str, str]:
    """Give every named query of a dialect. :raises ValueError: two of one name."""
    queries: dict[str, str] = {}
    for file in _folder(dialect).iterdir():
        if file.name.endswith(".sql"):
            for name, sql in _split(file.read_text("utf-8")):
                if name in queries:
                    raise ValueError(f"two queries are named {name}")
                queries[name] = sql
    return queries


def _split(text: str) -> Iterator[tuple[str, str]]:
    headings = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    for heading, end in zip(headings, ends, strict=True):
        yield heading["name"], text[heading.end() : end].strip()


@cache
def load_migrations(dialect: str) -> Mapping[int, tuple[str, ...]]:
    """Give the statements of every numbered migration; number n leads from schema n-1 to schema n."""
    folder = _folder(dialect) / "migrations"
    found = {int(file.name[:4]): file for file in folder.iterdir() if file.name.endswith(".sql")}
    return {number: tuple(statements(found[number].read_text("utf-8"))) for number in sorted(found)}


def statements(script: str) -> Iterator[str]:
    """Cut a script into statements, so that it can run inside a transaction of ours."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""


def _folder(dialect: str) -> Traversable:
    return files("notifier.store") / "sql" / dialect
