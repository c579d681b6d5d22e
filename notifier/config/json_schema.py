"""The file's JSON Schema (2020-12), for editors."""

from collections.abc import Iterator
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from notifier.config.assemble import registries
from notifier.config.schema import FileForm
from notifier.model import EventType

_SPELLINGS = {
    "AccountForm": (("token", True),),
    "CallbackForm": (("url", True), ("secret", False), ("proxy", False)),
    "BasicForm": (("password", True),),
}
_NAME = {"pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"}
_VARIABLE = {"type": "string", "pattern": r"\$\{"}


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema of the file: the short task form, patterned durations, the three spellings of secrets."""
    schema = FileForm.model_json_schema(mode="validation")
    forms = schema["$defs"]
    for name, spellings in _SPELLINGS.items():
        forms[name]["allOf"] = [_spelled(stem, required=required) for stem, required in spellings]
    _name_registries(forms)
    _add_short_forms(schema)
    cleaned: dict[str, Any] = _without_null(schema)
    return {"$schema": GenerateJsonSchema.schema_dialect, **cleaned, "required": ["accounts"]}


def _spelled(stem: str, *, required: bool) -> dict[str, Any]:
    names = [stem, f"{stem}_file", f"{stem}_credential"]
    alternatives: list[dict[str, Any]] = [{"required": [name]} for name in names]
    if not required:
        alternatives.append({"not": {"anyOf": [{"required": [name]} for name in names]}})
    return {"oneOf": alternatives}


def _name_registries(forms: dict[str, Any]) -> None:
    known = registries()
    forms["CallbackForm"]["properties"]["format"] |= _words([*known.formats])
    forms["TaskForm"]["properties"]["kind"] |= _words([*known.kinds])
    forms["TaskForm"]["required"] = ["id"]
    forms["HeaderForm"] |= {"minProperties": 1, "maxProperties": 1}
    forms["AuthForm"] |= {"minProperties": 1, "maxProperties": 1}
    forms["BasicForm"]["required"] = ["username"]
    events = forms["CallbackForm"]["properties"]["events"]
    events["examples"] = [[*EventType]]


def _words(words: list[str]) -> dict[str, Any]:
    return {"anyOf": [{"enum": words}, _VARIABLE]}


def _add_short_forms(schema: dict[str, Any]) -> None:
    """Add what may be written shorter: a task by its id alone, a lone secret, a header's plain value; and empty sections."""
    written = {"type": ["string", "number", "boolean"]}
    for node in _nodes(schema):
        references = [entry.get("$ref", "").rpartition("/")[2] for entry in node.get("anyOf", [])]
        if "TaskForm" in references or "HeaderForm" in references:
            node["anyOf"].insert(0, written)
    secret = schema["$defs"]["CallbackForm"]["properties"]["secret"]
    secret["anyOf"].insert(0, {"type": "string"})
    for section in ("accounts", "callbacks"):
        for node in _nodes(schema["properties"][section]):
            if "additionalProperties" in node:
                node["propertyNames"] = _NAME


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(child)


def _without_null(value: Any) -> Any:
    """Take out ``null``, which in the models stands for what is missing or refused and never for anything written."""
    if isinstance(value, list):
        return [_without_null(item) for item in value if item != {"type": "null"}]
    if not isinstance(value, dict):
        return value
    cleaned = {key: _without_null(item) for key, item in value.items() if not (key == "default" and item is None)}
    choices = cleaned.get("anyOf")
    if isinstance(choices, list) and len(choices) == 1:
        del cleaned["anyOf"]
        cleaned = {**choices[0], **cleaned}
    return cleaned
