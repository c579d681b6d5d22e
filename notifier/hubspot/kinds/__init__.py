"""The kinds of tasks that can be watched. To add one: a file beside this one, and a line below."""

from collections.abc import Mapping

from notifier.hubspot.kinds.contract import Kind
from notifier.hubspot.kinds.file_import import FILE_IMPORT

__all__ = ["DEFAULT_KIND", "KINDS", "Kind"]

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        FILE_IMPORT,
    )
}  # fmt: skip

DEFAULT_KIND = FILE_IMPORT.name
