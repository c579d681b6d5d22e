"""From bytes to a tree with positions, over PyYAML's events.

Events and not PyYAML's composer, because events can be refused one by one (anchors, tags, a second document) and
because the tree is built here without recursion: no nesting is too deep to be answered.
"""

import re
from collections.abc import Callable
from typing import Any

import yaml

from notifier.config.nodes import Block, Broken, Items, Node, Path, Scalar, Span, quoted
from notifier.config.problems import Report
from notifier.config.scalars import ScalarType, type_of
from notifier.config.syntax import explain

# The C parser is 18 times as fast (0.1 s against 1.8 s for 10,000 tasks); both give the same events and positions.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

DEEPEST = 32
MOST_NODES = 1_000_000

# Allowed by YAML 1.2.2, section 5.1, less what editors hide and YAML 1.1 took for a line's end.
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_BREAK = re.compile(r"\r\n|\n|\r")

_SIMPLE = "the configuration uses plain YAML: mappings, lists and values"


def lines_of(text: str) -> list[str]:
    """Split at what the YAML parser counts as lines."""
    return _BREAK.split(text)


def parse(text: str, report: Report, loader: Any = _LOADER) -> Node | None:
    """Read the one document of ``text``; ``None`` when it is empty or can't be read, which the report then tells."""
    if _refuse_unreadable(text, report):
        return None
    builder = _Builder(report)
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except _Enough:
        return None
    except yaml.MarkedYAMLError as error:
        explain(error, report)
        return None
    return builder.root


def _refuse_unreadable(text: str, report: Report) -> bool:
    found = _UNREADABLE.search(text)
    if found:
        before = lines_of(text[: found.start()])
        line, column = len(before) - 1, len(before[-1])
        report.error(
            (),
            f"an unreadable character, U+{ord(found[0]):04X}",
            'remove it, or write it as an escape between double quotes: "\\u2028"',
            span=Span(line, column, line, column + 1),
        )
    return found is not None


class _Enough(Exception):  # a signal to stop reading, not an error
    """The file can't be read any further; the report says why."""


class _Open:
    """A mapping or list that is being read; a mapping's keys and values alternate."""

    __slots__ = ("is_block", "nodes", "start")

    def __init__(self, start: Any, *, is_block: bool) -> None:
        self.start = start
        self.is_block = is_block
        self.nodes: list[Node] = []

    @property
    def step(self) -> str | int | None:
        """Where the next node goes; ``None`` when it is a key."""
        if not self.is_block:
            return len(self.nodes)
        key = self.nodes[-1] if len(self.nodes) % 2 else None
        return key.text if isinstance(key, Scalar) else None


class _Builder:
    """Puts the nodes together, event by event."""

    def __init__(self, report: Report) -> None:
        self.root: Node | None = None
        self._report = report
        self._stack: list[_Open] = []
        self._count = 0
        self._documents = 0

    def take(self, event: Any) -> None:
        """Take the next event.

        :raises _Enough: when there is no use in reading on.
        """
        take = _TAKERS.get(type(event))
        if take:
            take(self, event)

    def scalar(self, event: Any) -> None:
        self._refuse_marks(event)
        plain = event.implicit[0]
        kind = type_of(event.value) if plain else ScalarType.TEXT
        self._add(Scalar(event.value, kind, _span(event.start_mark, event.end_mark), event.value, plain))

    def alias(self, event: Any) -> None:
        span = _span(event.start_mark, event.end_mark)
        self._error(span, f"an alias, *{event.anchor}, is not allowed here", f"write the value out; {_SIMPLE}")
        self._add(Broken(span))

    def begin(self, event: Any) -> None:
        self._refuse_marks(event)
        if len(self._stack) >= DEEPEST:
            self._error(
                _span(event.start_mark, event.end_mark), f"nested more than {DEEPEST} levels deep", "check the brackets"
            )
            raise _Enough
        self._stack.append(_Open(event.start_mark, is_block=isinstance(event, yaml.MappingStartEvent)))

    def end(self, event: Any) -> None:
        top = self._stack[-1]
        span = _span(top.start, event.end_mark)
        node = self._block(top, span) if top.is_block else Items(top.nodes, span)
        self._stack.pop()
        self._add(node)

    def document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            span = _span(event.start_mark, event.end_mark)
            self._error(
                span, "a second document begins here", "keep one configuration in a file, with a single --- at most"
            )
            raise _Enough

    def _add(self, node: Node) -> None:
        self._count += 1
        if self._count > MOST_NODES:
            self._error(node.span, f"more than {MOST_NODES} keys and values", "add watches with `notifier watch add`")
            raise _Enough
        if self._stack:
            self._stack[-1].nodes.append(node)
        else:
            self.root = node

    def _block(self, top: _Open, span: Span) -> Block:
        block = Block({}, {}, span)
        for key, value in zip(top.nodes[::2], top.nodes[1::2], strict=True):
            if isinstance(key, Scalar) and self._accepts(key, block):
                block.keys[key.text] = key
                block.values[key.text] = value
        return block

    def _accepts(self, key: Scalar, block: Block) -> bool:
        first = block.keys.get(key.text)
        if first:
            message = f"{quoted(key.text)} stands here again; it is already on line {first.span.line + 1}"
            self._refuse_key(key, message, "keep one of the two")
        elif key.plain and key.text == "<<":
            self._refuse_key(key, "merge keys are not allowed", f"write the keys out; {_SIMPLE}")
        elif key.type is not ScalarType.TEXT:
            hint = f'put it between quotes: "{key.text}"' if key.text else "write a key before the colon"
            self._refuse_key(key, f"a key must be text, this is {key.type}", hint)
            return bool(key.text)
        else:
            return True
        return False

    def _refuse_key(self, key: Scalar, message: str, hint: str) -> None:
        self._report.error((*self._path(self._stack[:-1]), key.text), message, hint, span=key.span)

    def _refuse_marks(self, event: Any) -> None:
        """Refuse anchors and tags, and mappings or lists as keys."""
        if event.anchor is None and event.tag is None and isinstance(event, yaml.ScalarEvent):
            return
        span = _span(event.start_mark, event.end_mark)
        if event.anchor is not None:
            self._error(span, f"an anchor, &{event.anchor}, is not allowed here", f"leave it out; {_SIMPLE}")
        if event.tag is not None:
            self._error(
                span, "a tag, beginning with !, is not allowed here", f"leave it out, or quote the value; {_SIMPLE}"
            )
        is_key = self._stack and self._stack[-1].is_block and len(self._stack[-1].nodes) % 2 == 0
        if is_key and not isinstance(event, yaml.ScalarEvent):
            self._error(span, "a mapping or list as a key is not allowed", "a key must be text")

    def _error(self, span: Span, message: str, hint: str) -> None:
        self._report.error(self._path(self._stack), message, hint, span=span)

    def _path(self, stack: list[_Open]) -> Path:
        return tuple(step for step in (level.step for level in stack) if step is not None)


_TAKERS: dict[type, Callable[[_Builder, Any], None]] = {
    yaml.ScalarEvent: _Builder.scalar,
    yaml.AliasEvent: _Builder.alias,
    yaml.MappingStartEvent: _Builder.begin,
    yaml.SequenceStartEvent: _Builder.begin,
    yaml.MappingEndEvent: _Builder.end,
    yaml.SequenceEndEvent: _Builder.end,
    yaml.DocumentStartEvent: _Builder.document,
}


def _span(start: Any, end: Any) -> Span:
    return Span(start.line, start.column, end.line, end.column)
