"""From the tree to what the models check: dicts and lists, with scalars that still know how they were written."""

from collections.abc import Mapping
from typing import Any

from notifier.config.interpolate import filled
from notifier.config.nodes import Block, Items, Node, Path, Scalar
from notifier.config.problems import Mistake, Report
from notifier.config.schema import leads_to_secret


class Plainer:
    """Replaces variables and leaves out what is broken, so that the rest can still be checked."""

    def __init__(self, report: Report, environ: Mapping[str, str], *, secrets: bool) -> None:
        self._report = report
        self._environ = environ
        self._secrets = secrets  # False: their variables are left alone

    def plain(self, node: Node, path: Path = ()) -> Any:
        """Give ``node`` as dicts, lists and scalars.

        A broken entry of a mapping is left out; in a list ``None`` takes its place, so that the others keep theirs.
        """
        if isinstance(node, Scalar):
            return self._scalar(node, path)
        if isinstance(node, Block):
            pairs = ((key, self.plain(value, (*path, key))) for key, value in node.values.items())
            return {key: value for key, value in pairs if value is not None}
        if isinstance(node, Items):
            return [self.plain(item, (*path, number)) for number, item in enumerate(node.items)]
        return None

    def _scalar(self, scalar: Scalar, path: Path) -> Scalar | None:
        if not scalar.plain and not scalar.text.isascii() and any("\ud800" <= char <= "\udfff" for char in scalar.text):
            self._report.error(path, "half of a surrogate pair, which is no character", "write the character itself")
            return None
        if not self._secrets and leads_to_secret(path):
            return scalar
        try:
            return filled(scalar, self._environ)
        except Mistake as mistake:
            self._report.mistake(path, mistake)
            return None


def prune(plain: Any, path: Path) -> None:
    """Take what is at ``path`` out of ``plain``; where ``plain`` is not as deep, what is nearest above it."""
    for step, below in zip(path, (*path[1:], None), strict=True):
        child = _child(plain, step)
        if isinstance(child, dict | list) and below is not None and _child(child, below) is not None:
            plain = child
            continue
        if isinstance(plain, dict):
            plain.pop(step, None)
        elif isinstance(plain, list) and child is not None:
            plain[int(step)] = None
        return


def _child(plain: Any, step: str | int) -> Any:
    if isinstance(plain, dict):
        return plain.get(step)
    return plain[step] if isinstance(plain, list) and isinstance(step, int) and step < len(plain) else None
