"""Templates that can neither reach outside nor run away. The only import of Jinja.

Beside Jinja's own sandbox (no private attributes, nothing that changes a value, ``range`` of at most 100,000): every
round of a loop and every call is counted, the output is measured while it comes, and what makes long texts out of short
ones is measured before it does. Unknown names are errors. Nothing is escaped: a body is not a page.
"""

import json
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from notifier.delivery.formats.contract import Unusable

LARGEST_OUTPUT = 1 << 20  # bytes
LARGEST_TEMPLATE = 64 * 1024  # characters
MOST_STEPS = 100_000  # rounds of loops and calls, all together
WIDEST = 1000  # of what is padded or indented
MOST_DIGITS = 15  # that ``round`` keeps
LONGEST_FILLING = 100  # characters that a filter is told to fill in
LONGEST_MESSAGE = 300

ALONE = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
CAPTURING = (nodes.AssignBlock, nodes.Macro, nodes.CallBlock, nodes.FilterBlock)  # output that is not measured

# Methods that make a long text of a short one in a single call; the filters of these names are measured.
GROWING = frozenset(
    {
        "center", "encode", "expandtabs", "format", "format_map", "join", "ljust", "replace", "rjust", "translate",
        "zfill",
    }
)  # fmt: skip
UNMEASURED = ("batch", "slice", "wordwrap")  # filters that make long of short, and that no message needs
USELESS = ("lipsum",)  # random text of any length


class TooMuch(Exception):  # the template's doing, not the program's
    """A limit was met."""


class Sandboxed:
    """A compiled template that knows the names in ``known``. One rendering at a time."""

    def __init__(self, source: str, known: Sequence[str]) -> None:
        """Compile. :raises Unusable: it is no template, too long, not alone, or uses names that are not known."""
        self._source = source
        self._hint = f"the names are {', '.join(known)}; for what may be missing: {{{{ data.x | default('') }}}}"
        self._environment = _Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
        with self._located():
            if len(source) > LARGEST_TEMPLATE:
                raise TooMuch(f"the template is longer than {LARGEST_TEMPLATE} characters")
            tree = self._environment.parse(source)
            _check_names(tree, known)
            self._template = self._environment.from_string(_Measured().visit(tree))

    def render(self, variables: Mapping[str, Any]) -> str:
        """Give the text. :raises Unusable: it could not be rendered within the limits."""
        self._environment.steps = 0
        parts: list[str] = []
        size = 0
        with self._located():
            for part in self._template.generate(variables):
                size += len(part.encode("utf-8", "replace"))
                if size > LARGEST_OUTPUT:
                    raise TooMuch(f"the output is larger than {LARGEST_OUTPUT} bytes")
                parts.append(part)
        return "".join(parts)

    @contextmanager
    def _located(self) -> Iterator[None]:
        """Turn whatever a template raises into ``Unusable`` with its place."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  # a template can raise anything, and must end nothing but itself
            line, message = getattr(error, "lineno", None) or _line_of(error), _message(error)
            column = _column(self._source, line, message)
            raise Unusable("template", message, self._hint, line=line, column=column) from None


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.steps = 0
        self.filters |= {"tojson": _to_json, "stepwise": _stepwise, "concat": _concat}
        self.filters |= {
            "join": _measured_join(self.filters["join"]),
            "replace": _replace,
            "format": _format,
            "map": _attributes(self.filters["map"]),
            **{name: _narrow(self.filters[name], WIDEST) for name in ("center", "indent", "truncate")},
            "round": _narrow(self.filters["round"], MOST_DIGITS),
        }
        for name in UNMEASURED:
            del self.filters[name]
        for name in USELESS:
            del self.globals[name]

    def step(self) -> None:
        """Count one round or call."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise TooMuch(f"more than {MOST_STEPS} rounds of loops and calls")

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.step()
        return super().call(context, obj, *args, **kwargs)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, bytes | int | float) or (isinstance(obj, str) and attr in GROWING):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:  # noqa: ARG002  # Jinja's has no limit of width: refuse it as the rest of GROWING
        return None

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        _LIMITS[operator](left, right)
        return super().call_binop(context, operator, left, right)


class _Measured(NodeTransformer):
    """Sends what loops go through, and what is put together with ``~``, past a filter that measures it."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802  # as Jinja names them
        self.generic_visit(node)
        node.iter = _filtered(node.iter, "stepwise")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:  # noqa: N802  # likewise
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "concat")


def _filtered(node: nodes.Node, name: str) -> nodes.Expr:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


@jinja2.pass_environment
def _stepwise(environment: _Environment, items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        environment.step()
        yield item


def _concat(items: Iterable[Any]) -> str:
    texts = [str(item) for item in items]
    _check_size(sum(map(len, texts)))
    return "".join(texts)


def _measured_join(join: Callable[..., Any]) -> Callable[..., Any]:
    @jinja2.pass_eval_context
    def measured(context: Any, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> Any:
        items = list(value)
        _check_size(len(str(d)) * len(items) + sum(len(item) for item in items if isinstance(item, str)))
        return join(context, items, d, attribute)

    return measured


def _replace(text: Any, old: str, new: str, count: int = -1) -> str:
    whole = str(text)
    _check_size(len(whole) + whole.count(str(old)) * len(str(new)))
    return whole.replace(str(old), str(new), count)


def _format(text: Any, *values: Any, **named: Any) -> str:
    _check_format(str(text), values)
    return str(str(text) % (named or values))


def _narrow(function: Callable[..., Any], widest: int) -> Callable[..., Any]:
    """Bound what a filter is told beside the value: how wide, how many digits, with what to fill."""

    def narrow(*args: Any, **kwargs: Any) -> Any:
        _check_narrow([*args[1:], *kwargs.values()], widest)
        return function(*args, **kwargs)

    return _marked_as(narrow, function)


def _check_narrow(settings: Iterable[Any], widest: int) -> None:
    for each in settings:
        if isinstance(each, int) and abs(each) > widest:
            raise TooMuch(f"wider than {widest}")
        if isinstance(each, str) and len(each) > LONGEST_FILLING:
            raise TooMuch(f"a filling longer than {LONGEST_FILLING} characters")


def _attributes(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let ``map`` pick attributes, and apply no filters: their rounds would not be counted."""

    def attributes(*args: Any, **kwargs: Any) -> Any:
        if "attribute" not in kwargs:
            raise TooMuch("map is for attributes: map(attribute='message'); write a loop for more")
        return function(*args, **kwargs)

    return _marked_as(attributes, function)


def _marked_as(wrapper: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Carry over Jinja's marks of functions that are given the environment or the context."""
    wrapper.__dict__.update(function.__dict__)
    return wrapper


def _to_json(value: Any, indent: int | None = None) -> str:
    """Write JSON in ASCII, nothing more escaped than JSON wants."""
    if indent is not None and indent > 16:
        raise TooMuch("more than 16 spaces to indent")
    parts: list[str] = []
    size = 0
    for part in json.JSONEncoder(allow_nan=False, indent=indent, default=_refuse).iterencode(value):
        size += len(part)
        _check_size(size)
        parts.append(part)
    return "".join(parts)


def _refuse(value: Any) -> None:
    """Say of an unknown name that it is unknown, and of all else that it is no JSON."""
    str(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def _check_size(size: int) -> None:
    if size > LARGEST_OUTPUT:
        raise TooMuch(f"a text longer than {LARGEST_OUTPUT} characters")


def _check_sum(left: Any, right: Any) -> None:
    if isinstance(left, str | list | tuple) and isinstance(right, str | list | tuple):
        _check_size(len(left) + len(right))


def _check_product(left: Any, right: Any) -> None:
    for many, times in ((left, right), (right, left)):
        if isinstance(many, str | list | tuple) and isinstance(times, int):
            _check_size(len(many) * times)
    if isinstance(left, int) and isinstance(right, int):
        _check_size(left.bit_length() + right.bit_length())


def _check_power(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        _check_size(left.bit_length() * abs(right))


def _check_format(left: Any, _right: Any) -> None:
    if isinstance(left, str) and re.search(r"%[^a-zA-Z%]*(?:\*|[0-9]{4})", left):
        raise TooMuch("a format wider than 999")


_LIMITS: Mapping[str, Callable[[Any, Any], None]] = {
    "+": _check_sum,
    "*": _check_product,
    "**": _check_power,
    "%": _check_format,
}


def _check_names(tree: nodes.Template, known: Iterable[str]) -> None:
    for node in tree.find_all(ALONE):
        raise jinja2.TemplateSyntaxError("a template stands alone: no include, import or extends", node.lineno)
    for node in tree.find_all(CAPTURING):
        raise jinja2.TemplateSyntaxError(
            "a template writes straight out: no macro, call, filter or set block", node.lineno
        )
    unknown = meta.find_undeclared_variables(tree) - {*known, "range", "dict", "namespace", "cycler", "joiner"}
    for name in tree.find_all(nodes.Name):
        if name.name in unknown and name.ctx == "load":
            raise jinja2.TemplateSyntaxError(f"'{name.name}' is undefined", name.lineno)


def _column(source: str, line: int | None, message: str) -> int | None:
    """Find where on its line the trouble is: at the last word the message quotes, else at the first tag."""
    lines = source.splitlines()
    if line is None or line > len(lines):
        return None
    words = [*reversed(re.findall(r"'([^']+)'", message)), "{{", "{%"]
    return next((place + 1 for place in map(lines[line - 1].find, words) if place >= 0), 1)


def _message(error: Exception) -> str:
    text = str(getattr(error, "message", None) or error)
    if isinstance(error, jinja2.exceptions.SecurityError):
        text = f"not allowed: {text}"
    elif not isinstance(error, TooMuch | jinja2.TemplateError):
        text = f"{type(error).__name__}: {text}"
    return text[:LONGEST_MESSAGE]


def _line_of(error: Exception) -> int | None:
    """Give the line of the template that was at work; Jinja rewrites the traceback so that it can be told."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
    return frames[-1].lineno if frames else None
