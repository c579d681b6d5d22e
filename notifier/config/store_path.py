"""Where the state is kept."""

import re
from collections.abc import Mapping
from pathlib import Path

from notifier.config.problems import Mistake

FILE_NAME = "notifier.db"

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/")


def read_store(text: str, folder: Path, environ: Mapping[str, str]) -> Path:
    """Give the file that ``text`` names; a relative one starts at ``folder``.

    :raises Mistake: for what is no file name.
    """
    found = _URL.match(text)
    if found and found[1].lower() in {"postgresql", "postgres"}:
        raise Mistake(
            "a PostgreSQL store is not supported by this version",
            f"name a file, which is then an SQLite database: /var/lib/notifier/{FILE_NAME}",
        )
    if found:
        raise Mistake("a store is a file path, not a URL", f"write the path alone: /var/lib/notifier/{FILE_NAME}")
    if "\0" in text or "\n" in text:
        raise Mistake("the store is no file name", "write a file path on one line")
    path = folder / _at_home(text, environ)
    if text.endswith("/") or _is_folder(path):
        raise Mistake("the store is a folder", f"add the file's name: {text.rstrip('/')}/{FILE_NAME}")
    return path


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except PermissionError:
        return False  # opening the store tells
    except OSError as error:
        raise Mistake(f"the store can't be a file there: {error.strerror}", "write another path") from None


def _at_home(text: str, environ: Mapping[str, str]) -> str:
    if not text.startswith("~/"):
        return text
    if not environ.get("HOME"):
        raise Mistake("~ stands for $HOME, which is not set", "write the path in full")
    return environ["HOME"] + text[1:]


def default_store(environ: Mapping[str, str]) -> Path:
    """Give the file that holds the state where the configuration names none.

    In ``$STATE_DIRECTORY``, which systemd sets, else in the state folder of the XDG base directory specification.

    :raises Mistake: when no folder is known.
    """
    state = environ.get("STATE_DIRECTORY", "").split(":")[0]
    if state:
        return Path(state) / FILE_NAME
    xdg = environ.get("XDG_STATE_HOME", "")
    if xdg.startswith("/"):  # the specification: relative paths are ignored
        return Path(xdg) / "notifier" / FILE_NAME
    if environ.get("HOME", "").startswith("/"):
        return Path(environ["HOME"]) / ".local" / "state" / "notifier" / FILE_NAME
    raise Mistake(
        "there is no folder for the store: neither $STATE_DIRECTORY nor $HOME is set",
        f"add store: /var/lib/notifier/{FILE_NAME}",
    )
