"""``${NAME}`` in values: replaced inside one scalar at a time, so that no value can change the file's structure."""

import re
from collections.abc import Mapping
from dataclasses import replace

from notifier.config.nodes import Scalar, quoted
from notifier.config.problems import Mistake
from notifier.config.scalars import ScalarType

_TOKEN = re.compile(r"\$\$|\$\{(?P<inside>[^}]*)\}|(?P<open>\$\{)", re.DOTALL)
_INSIDE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<rule>:[-?])(?P<rest>.*))?", re.DOTALL)

_SPELLINGS = "write ${NAME}, ${NAME:-default} or ${NAME:?message}, and $$ for a dollar sign"


def filled(scalar: Scalar, environ: Mapping[str, str]) -> Scalar:
    """Replace the variables in ``scalar``. What has any is text from then on, whatever it looks like.

    :raises Mistake: for a variable that is not set, and for what is not well-formed.
    """
    if "$" not in scalar.text:
        return scalar
    names: list[str] = []
    text = _TOKEN.sub(lambda found: _replacement(found, environ, names), scalar.text)
    if text == scalar.text and not names:
        return scalar
    return replace(scalar, text=text, type=ScalarType.TEXT, variables=tuple(names))


def _replacement(found: re.Match[str], environ: Mapping[str, str], names: list[str]) -> str:
    if found[0] == "$$":
        return "$"
    inside = None if found["open"] else _INSIDE.fullmatch(found["inside"])
    if inside is None:
        raise Mistake("a variable that is not well-formed", _SPELLINGS)
    rest = inside["rest"] or ""
    if "${" in rest:
        raise Mistake("a variable inside a variable's default", f"defaults are taken as written; {_SPELLINGS}")
    names.append(inside["name"])
    return _value(inside["name"], inside["rule"], rest.replace("$$", "$"), environ)


def _value(name: str, rule: str | None, rest: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name)
    if rule is None and value is not None:
        return _readable(name, value)
    if value:
        return _readable(name, value)
    if rule == ":-":
        return rest
    state = "not set" if value is None else "empty"
    if rule == ":?":
        raise Mistake(f"${name} is {state}" + (f": {quoted(rest, 200)[1:-1]}" if rest else ""), _remedy(name))
    raise Mistake(f"${name} is {state}", f"{_remedy(name)}, or give a default: ${{{name}:-…}}")


def _remedy(name: str) -> str:
    return f"set {name} in the environment (under systemd: Environment= or EnvironmentFile=)"


def _readable(name: str, value: str) -> str:
    """Refuse what Python smuggled through as surrogates: bytes that are not UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Mistake(f"the value of ${name} is not UTF-8", "set it again, in UTF-8") from None
    return value
