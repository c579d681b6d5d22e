"""Lines of the file as a report may show them: keys and harmless values stay, all else becomes ``****``.

The rule is a list of what may be seen, not of what must be hidden: a token under a misspelt key or in a comment is
hidden because nobody said that it may be shown.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from notifier.config.nodes import Block, Node, Path, Scalar, Span, children, is_task_id, without_random
from notifier.secret import MASK

# A line of 8 MiB is shown as this many characters before and after the problem.
BEFORE, AFTER = 70, 60

_OUTSIDE = re.compile(
    r"(?P<comment>(?:(?<=\s)|^)#.*)|(?P<structure>[\s\-?:,\[\]{}'\"|>]+)|(?P<hidden>[^\s\-?:,\[\]{}'\"|>]+)"
)
_LINE_KEY = re.compile(r"\s*(?:- +)*([A-Za-z0-9_.-]{1,40}) *:(?=\s|$)")


class Snippet(NamedTuple):
    """A line and the marks under it."""

    text: str
    caret: str


@dataclass(frozen=True, slots=True, order=True)
class _Patch:
    """A part of a line that belongs to a key or value."""

    start: int
    end: int
    shown: bool


@dataclass(slots=True)
class _Line:
    """A line being written, with the place where each of its characters went."""

    text: str = ""
    columns: list[int] = field(default_factory=list)

    def show(self, part: str) -> None:
        self.columns += range(len(self.text), len(self.text) + len(part))
        self.text += "".join(char if char.isprintable() else " " if char == "\t" else "?" for char in part)

    def hide(self, length: int) -> None:
        self.columns += [len(self.text)] * length
        self.text += MASK


class Excerpts:
    """Cuts excerpts out of one file. Without a tree, after a syntax error, only keys at the start of a line are shown."""

    def __init__(
        self, lines: Sequence[str], root: Node | None, is_open: Callable[[Path], bool], wanted: Iterable[int]
    ) -> None:
        """Prepare excerpts of the ``wanted`` lines."""
        self._lines = lines
        self._root = root
        self._is_open = is_open
        self._wanted = sorted(set(wanted))
        self._index = self._indexed(root) if root else {}

    def at(self, span: Span) -> Snippet | None:
        """Give the line of ``span`` with carets under the part of it that stands there."""
        if span.line >= len(self._lines):
            return None
        line = self._lines[span.line]
        first, last = max(0, span.column - BEFORE), min(len(line), span.column + AFTER)
        shown = _masked(line[first:last], [_moved(patch, -first) for patch in self._patches(span.line, first, last)])
        end = span.end_column if span.end_line == span.line else len(line.rstrip())
        caret = _caret(shown, span.column - first, min(end, last) - first)
        return Snippet(shown.text.rstrip(), caret)

    def _patches(self, line: int, first: int, last: int) -> list[_Patch]:
        """Give the patches of a line that reach into ``first`` … ``last``."""
        if self._root is None:
            return _line_key(self._lines[line])
        patches = self._index.get(line, [])
        begin = max(0, bisect_right(patches, first, key=lambda patch: patch.start) - 1)
        end = bisect_right(patches, last, key=lambda patch: patch.start)
        return patches[begin:end]

    def _indexed(self, root: Node) -> dict[int, list[_Patch]]:
        index: dict[int, list[_Patch]] = {}
        for span, shown in self._spans(root, ()):
            for line in self._lines_of(span):
                start = span.column if line == span.line else 0
                end = span.end_column if line == span.end_line else len(self._lines[line])
                if start < end:
                    index.setdefault(line, []).append(_Patch(start, end, shown))
        for patches in index.values():
            patches.sort()
        return index

    def _lines_of(self, span: Span) -> Sequence[int]:
        """Give the wanted lines that ``span`` touches."""
        return self._wanted[bisect_left(self._wanted, span.line) : bisect_right(self._wanted, span.end_line)]

    def _spans(self, node: Node, path: Path) -> Iterator[tuple[Span, bool]]:
        """Give the place of every key and scalar on the wanted lines, and whether it may be shown."""
        if not self._lines_of(node.span):
            return
        if isinstance(node, Scalar):
            yield node.span, self._is_open(path) and (is_task_id(path) or _is_plain(node))
        if isinstance(node, Block):
            yield from ((key.span, _is_plain(key)) for key in node.keys.values())
        for step, child in children(node):
            yield from self._spans(child, (*path, step))


def _is_plain(scalar: Scalar) -> bool:
    return without_random(scalar.source) == scalar.source


def _line_key(line: str) -> list[_Patch]:
    found = _LINE_KEY.match(line)
    return [_Patch(*found.span(1), shown=without_random(found[1]) == found[1])] if found else []


def _moved(patch: _Patch, by: int) -> _Patch:
    return _Patch(max(0, patch.start + by), max(0, patch.end + by), patch.shown)


def _masked(text: str, patches: Sequence[_Patch]) -> _Line:
    line = _Line()
    position = 0
    for patch in patches:
        start, end = max(position, patch.start), min(len(text), patch.end)
        if start >= end:
            continue
        _write_outside(line, text[position:start])
        if patch.shown:
            line.show(text[start:end])
        else:
            line.hide(end - start)
        position = end
    _write_outside(line, text[position:])
    return line


def _write_outside(line: _Line, text: str) -> None:
    """Write what belongs to no key or value: punctuation stays, a comment and all else is hidden."""
    for found in _OUTSIDE.finditer(text):
        if found.lastgroup == "structure":
            line.show(found[0])
        elif found.lastgroup == "hidden":
            line.hide(len(found[0]))
        else:
            line.columns += [len(line.text)] * len(found[0])


def _caret(line: _Line, start: int, end: int) -> str:
    """Put carets under the characters ``start`` … ``end``, at least one."""
    columns = [*line.columns, len(line.text)]
    begin = columns[min(max(start, 0), len(columns) - 1)]
    stop = columns[min(max(end, 0), len(columns) - 1)]
    return " " * begin + "^" * max(1, stop - begin)
