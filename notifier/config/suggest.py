"""The nearest right name for a wrong one."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(wrong: str, names: Iterable[str]) -> str | None:
    """Give the name that was most likely meant; ``None`` when none is near.

    >>> nearest("dedline", ["deadline", "label"]), nearest("webhook_url", ["url"]), nearest("x", ["url"])
    ('deadline', 'url', None)
    """
    known = list(names)
    key = wrong[:64].lower().replace("-", "_")
    close = get_close_matches(key, known, n=1, cutoff=0.6)
    if close:
        return close[0]
    within = [name for name in known if len(name) > 2 and name in key]
    return max(within, key=len) if within else None


MOST_LISTED = 12


def choices(wrong: str, names: Iterable[str], *, all_of: bool = False) -> str:
    """Give the hint for a wrong name: the nearest right one, and when there is none, or with ``all_of``, every one."""
    known = list(names)
    if not known:
        return "there is none yet"
    near = nearest(wrong, known)
    listed = ", ".join(known[:MOST_LISTED]) + (", …" if len(known) > MOST_LISTED else "")
    if near is None:
        return f"use one of: {listed}"
    return f"did you mean `{near}`?" + (f" There are: {listed}" if all_of else "")
