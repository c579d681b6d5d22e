"""The kinds of value the file holds: how each is read from a scalar, and its JSON Schema.

Readers take what is written and raise ``Mistake``. Text is taken as written: an unquoted ``012`` stays ``012``.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from notifier.config import units
from notifier.config.nodes import Scalar
from notifier.config.problems import Mistake
from notifier.config.scalars import ScalarType, integer
from notifier.config.suggest import nearest
from notifier.model import RateLimit

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_API_VERSION = re.compile(r"v3|20[0-9]{2}-(?:0[1-9]|1[0-2])")
LONGEST_TASK_ID = 512
LONGEST_LABEL = 500

# What an editor must accept wherever a value may come from the environment.
_VARIABLE = r"\$\{"
_VARIABLE_SCHEMA = {"type": "string", "pattern": _VARIABLE}
_WRITTEN = {"type": ["string", "number", "boolean"]}


def scalar_of(value: Any) -> Scalar:
    """Give ``value`` as a scalar that says something.

    :raises Mistake: for a mapping or list, and for nothing (``~``, or no value at all).
    """
    if not isinstance(value, Scalar):
        got = "a mapping" if isinstance(value, dict) else "a list"
        raise Mistake(f"expected a single value, got {got}", "write one value after the colon")
    if value.type is ScalarType.NULL:
        raise Mistake("the value is empty", 'write a value, or leave the key out; for the word itself quote it: "null"')
    return value


def text_of(value: Any) -> str:
    """Give the text of a scalar as written; it may not be blank.

    :raises Mistake: for anything else.
    """
    scalar = scalar_of(value)
    if not scalar.text.strip():
        raise Mistake("the value is empty", _empty_hint(scalar))
    return scalar.text


def _empty_hint(scalar: Scalar) -> str:
    return f"set {scalar.variables[0]}" if scalar.variables else "write a value, or leave the key out"


def filled_scalar(value: Any) -> Scalar:
    """Give a scalar whose text is not blank, as it is: for secrets, which are read later.

    :raises Mistake: for anything else.
    """
    text_of(value)
    return scalar_of(value)


def task_id(value: Any) -> str:
    """Give a task id, as written.

    :raises Mistake: when it is blank, has control characters or more than 512 characters.
    """
    text = text_of(value)
    if len(text) > LONGEST_TASK_ID:
        raise Mistake(
            f"the task id has {len(text)} characters; at most {LONGEST_TASK_ID} are allowed",
            "check what was pasted here",
        )
    return _line(text, "a task id")


def _label(value: Any) -> str:
    text = _line(scalar_of(value).text, "a label")
    if len(text) > LONGEST_LABEL:
        raise Mistake(f"the label has {len(text)} characters; at most {LONGEST_LABEL} are allowed", "shorten it")
    return text


def _line(text: str, noun: str) -> str:
    found = _CONTROL.search(text)
    if found:
        raise Mistake(f"{noun} can't hold the control character U+{ord(found[0]):04X}", "write it on one line")
    return text


def _choice(*words: str) -> PlainValidator:
    """Make the reader of a text that must be one of ``words``."""

    def read(value: Any) -> str:
        text = text_of(value)
        if text in words:
            return text
        near = nearest(text, words)
        hint = f"did you mean {near}?" if near else f"use one of: {', '.join(words)}"
        raise Mistake(f"expected {' or '.join(words)}, got {value.shown}", hint)

    return _reads(read, {"anyOf": [{"enum": list(words)}, _VARIABLE_SCHEMA]})


def _whole(least: int, most: int) -> PlainValidator:
    """Make the reader of a whole number from ``least`` to ``most``."""

    def read(value: Any) -> int:
        scalar = scalar_of(value)
        number = integer(scalar.text) if scalar.type is ScalarType.INT or scalar.variables else None
        if number is None:
            quoted = not scalar.plain and not scalar.variables and integer(scalar.text) is not None
            hint = f"leave the quotes out: {scalar.text}" if quoted else f"write a whole number from {least} to {most}"
            raise Mistake(f"expected a whole number, got {scalar.shown}", hint)
        if not least <= number <= most:
            raise Mistake(f"{scalar.shown[1:-1]} is out of bounds", f"write a whole number from {least} to {most}")
        return number

    return _reads(read, {"anyOf": [{"type": "integer", "minimum": least, "maximum": most}, _VARIABLE_SCHEMA]})


def _switch(value: Any) -> bool:
    scalar = scalar_of(value)
    if scalar.text.lower() not in {"true", "false"} or not (scalar.type is ScalarType.BOOL or scalar.variables):
        raise Mistake(f"expected true or false, got {scalar.shown}", "write true or false, without quotes")
    return scalar.text.lower() == "true"


def _duration(least: float, most: float) -> PlainValidator:
    """Make the reader of a duration from ``least`` to ``most`` seconds."""

    def read(value: Any) -> float:
        scalar = scalar_of(value)
        seconds = units.duration(scalar.text, scalar.shown)
        if not least <= seconds <= most:
            bounds = f"from {units.span_text(least)} to {units.span_text(most)}"
            raise Mistake(f"the duration {scalar.shown} is out of bounds", f"write a duration {bounds}")
        return seconds

    return _reads(read, _patterned(units.DURATION_PATTERN))


def _rate(value: Any) -> RateLimit:
    scalar = scalar_of(value)
    return units.rate(scalar.text, scalar.shown)


def _api_version(value: Any) -> str:
    text = text_of(value)
    if not _API_VERSION.fullmatch(text):
        raise Mistake(f"no version of HubSpot's API: {value.shown}", "write v3, or a dated version such as 2026-03")
    return text


def _patterned(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^(?:{pattern})$|{_VARIABLE}"}


def _reads(read: Callable[[Any], Any], schema: dict[str, Any]) -> PlainValidator:
    return PlainValidator(read, json_schema_input_type=Annotated[Any, WithJsonSchema(schema)])


# The names the models use. Bounds are the widest that still make sense; defaults are in the settings they fill.
Text = Annotated[str, _reads(text_of, _WRITTEN)]
Written = Annotated[Scalar, _reads(filled_scalar, {"type": "string"})]
TaskId = Annotated[str, _reads(task_id, _WRITTEN)]
Label = Annotated[str, _reads(_label, _WRITTEN)]
Switch = Annotated[bool, _reads(_switch, {"anyOf": [{"type": "boolean"}, _VARIABLE_SCHEMA]})]
Rate = Annotated[RateLimit, _reads(_rate, _patterned(units.RATE_PATTERN))]
ApiVersion = Annotated[str, _reads(_api_version, _patterned(_API_VERSION.pattern))]
OnUnknownWord = Annotated[str, _choice("retry", "hold")]
LogLevel = Annotated[str, _choice("debug", "info", "warning", "error")]
LogFormat = Annotated[str, _choice("auto", "json", "logfmt", "console")]
Concurrency = Annotated[int, _whole(1, 1000)]
Attempts = Annotated[int, _whole(1, 1000)]
Answers = Annotated[int, _whole(1, 1000)]
RequestTime = Annotated[float, _duration(0.01, 5 * units.MINUTE)]
RequestCost = Annotated[float, _duration(0.01, units.HOUR)]
Deadline = Annotated[float, _duration(1.0, 365 * units.DAY)]
Grace = Annotated[float, _duration(0.001, 30 * units.DAY)]
Keeping = Annotated[float, _duration(units.HOUR, 36_500 * units.DAY)]
Delay = Annotated[float, _duration(0.0, 30 * units.DAY)]
