"""The configuration: YAML in, frozen values out, every mistake at once with its place and remedy.

::

    bytes → document (a tree that knows its lines) → plain (variables replaced) → shape (pydantic models)
          → assemble (defaults, secrets, names) → Settings, or one report of every problem
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from notifier.config.finder import find
    from notifier.config.loader import Loaded, load
    from notifier.config.settings import LogSettings, Settings
    from notifier.config.show import shown

__all__ = ["Loaded", "LogSettings", "Settings", "find", "load", "shown"]

_HOME = {
    "Loaded": "loader",
    "load": "loader",
    "find": "finder",
    "LogSettings": "settings",
    "Settings": "settings",
    "shown": "show",
}


def __getattr__(name: str) -> Any:
    """Import each name when it is asked for: reading the settings' types must not cost the import of pydantic."""
    if name not in _HOME:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"notifier.config.{_HOME[name]}"), name)
