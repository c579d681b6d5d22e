"""Names: of accounts and callbacks as they are given, and as they are referred to."""

import re
from collections.abc import Iterable

from notifier.config.nodes import Path, quoted
from notifier.config.problems import Report
from notifier.config.suggest import choices

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def check_names(section: str, names: Iterable[str], report: Report) -> None:
    """Refuse names that would not fit a log line, a metric's label or a command's argument."""
    for name in names:
        if not _NAME.fullmatch(name):
            message = f"the name {quoted(name)} is not allowed"
            hint = "use at most 64 letters, digits, _ . and -, and begin with a letter or digit"
            report.error((section, name), message, hint, on_key=True)


def check_known(path: Path, noun: str, name: str, known: Iterable[str], report: Report) -> bool:
    """Report a ``noun`` called ``name`` that is not ``known``; tell whether it is."""
    names = list(known)
    if name in names:
        return True
    report.error(path, f"unknown {noun}", choices(name, names, all_of=True))
    return False
