"""The file as a tree that knows where everything stands.

Positions count lines and characters from 0; messages count from 1.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from notifier.config.scalars import ScalarType
from notifier.secret import MASK

# Where a value stands in the file: ("tasks", 0, "id").
Path: TypeAlias = tuple[str | int, ...]


# A run of this length with letters and digits is more likely a secret in a wrong place than a word.
_RUN = re.compile(r"[A-Za-z0-9+_=-]{20,}")


def without_random(text: str) -> str:
    """Mask in ``text`` what looks like a secret: long runs with at least three letters and three digits.

    >>> without_random("timeout: pat-na1-0123456789ab"), without_random("hubspot.file_import")
    ('timeout: ****', 'hubspot.file_import')
    """
    return _RUN.sub(lambda found: MASK if _is_random(found[0]) else found[0], text)


def _is_random(run: str) -> bool:
    return sum(map(str.isdigit, run)) >= 3 and sum(map(str.isalpha, run)) >= 3


class Span(NamedTuple):
    """A stretch of the file, from its first character up to, not including, its last position."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(slots=True, eq=False)
class Scalar:
    """One value. ``text`` is what it means after interpolation, ``source`` what the file says."""

    text: str
    type: ScalarType
    span: Span
    source: str
    plain: bool  # written without quotes
    variables: tuple[str, ...] = ()  # those whose values are in ``text``; it is then text, whatever it looks like

    @property
    def shown(self) -> str:
        """The value as messages may quote it: as it is written, never what a variable holds."""
        return quoted(self.source)


@dataclass(slots=True, eq=False)
class Block:
    """Keys and values."""

    keys: dict[str, Scalar]
    values: "dict[str, Node]"
    span: Span


@dataclass(slots=True, eq=False)
class Items:
    """A list."""

    items: "list[Node]"
    span: Span


@dataclass(slots=True, eq=False)
class Broken:
    """Something that was refused while reading; a problem about it exists already."""

    span: Span


Node: TypeAlias = Scalar | Block | Items | Broken


def is_task_id(path: Path) -> bool:
    """Tell whether a task id stands at ``path``: they look random, and must be shown."""
    return len(path) in {2, 3} and path[0] == "tasks" and path[2:] in {(), ("id",)}


class Place(NamedTuple):
    """What ``locate`` found: the part of the path that exists, where it is and where its key is."""

    path: Path
    span: Span
    key: Span


def locate(root: Node, path: Path) -> Place:
    """Follow ``path`` as far as it goes.

    A task's short form and a lone value in the place of a list have fewer levels in the file than in the models.
    """
    node, key = root, root.span
    for depth, step in enumerate(path):
        if isinstance(node, Block) and step in node.values:
            key, node = node.keys[str(step)].span, node.values[str(step)]
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            key = node.span
        else:
            return Place(path[:depth], node.span, key)
    return Place(path, node.span, key)


def children(node: Node) -> Iterator[tuple[str | int, Node]]:
    """Give the steps down from ``node``."""
    if isinstance(node, Block):
        yield from node.values.items()
    elif isinstance(node, Items):
        yield from enumerate(node.items)


def node_at(root: Node, path: Path) -> Node | None:
    """Give the node at exactly ``path``."""
    node: Node | None = root
    for step in path:
        if isinstance(node, Block) and isinstance(step, str):
            node = node.values.get(step)
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            return None
    return node


def entries(root: Node, *path: str | int) -> Mapping[str, Scalar]:
    """Give the keys of the mapping at ``path``; none when there is no mapping."""
    node = node_at(root, path)
    return node.keys if isinstance(node, Block) else {}


def path_text(path: Sequence[str | int]) -> str:
    """Write a path as messages show it.

    >>> path_text(("tasks", 0, "callbacks", 1))
    'tasks[0].callbacks[1]'
    """
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{_step(step)}" for step in path)
    return text.removeprefix(".")


def _step(step: str) -> str:
    return step if step.replace("-", "").replace("_", "").isalnum() else quoted(step)


def quoted(text: str, most: int = 60) -> str:
    """Write a text for a message: on one line, nothing unprintable, not too long."""
    short = text if len(text) <= most else text[: most - 1] + "…"
    return '"' + "".join(char if char.isprintable() else repr(char)[1:-1] for char in short) + '"'
