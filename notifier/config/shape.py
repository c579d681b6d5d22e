"""From plain values to the models, every refusal in words."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from notifier.config.nodes import Path, Scalar, quoted
from notifier.config.plain import prune
from notifier.config.problems import Mistake, Report
from notifier.config.schema import FileForm, form_at
from notifier.config.suggest import choices

# Taking out what is wrong leaves nothing wrong; a second round is the proof, the others are for a flaw of ours.
_ROUNDS = 4


def read_shape(plain: dict[str, Any], report: Report) -> FileForm:
    """Check ``plain`` and give what is right of it; what is wrong is taken out, and reported once."""
    for _ in range(_ROUNDS):
        try:
            return FileForm.model_validate(plain)
        except ValidationError as error:
            refusals = error.errors(include_url=False)
        for refusal in refusals:
            path = tuple(refusal["loc"])
            _report(refusal, path, report)
            prune(plain, path)
    return FileForm()


def _report(refusal: Mapping[str, Any], path: Path, report: Report) -> None:
    reason = refusal.get("ctx", {}).get("error")
    if isinstance(reason, Mistake):
        report.error(path, reason.message, reason.hint)
    elif refusal["type"] == "extra_forbidden":
        report.error(path, f"unknown key {quoted(str(path[-1]))}", _known(path), on_key=True)
    else:
        expected, hint = _EXPECTED.get(refusal["type"], ("something else", None))
        report.error(path, f"expected {expected}, got {_noun(refusal['input'])}", hint)


_EXPECTED = {
    "model_type": ("a mapping", "write `key: value` lines below it, indented"),
    "dict_type": ("a mapping", "write `name:` lines below it, indented"),
    "list_type": ("a list", "write each entry as `- entry`, or all between brackets: [one, two]"),
}


def _known(path: Path) -> str:
    form = form_at(path[:-1])
    return choices(str(path[-1]), form.model_fields if form else ())


def _noun(value: Any) -> str:
    if isinstance(value, Scalar):
        return str(value.type)
    return "a mapping" if isinstance(value, dict) else "a list"
