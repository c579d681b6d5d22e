"""Which file is the configuration, and its bytes."""

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from notifier.config.problems import InvalidConfig, Problem
from notifier.errors import ConfigError

LARGEST = 8 * 1024 * 1024
VARIABLE = "NOTIFIER_CONFIG"
PLACES = (Path("config.yaml"), Path("/etc/notifier/config.yaml"))

_REMEDY = "copy config.example.yaml and edit it, or see notifier work without any: notifier demo"


def find(explicit: str | None, environ: Mapping[str, str]) -> Path:
    """Give the configuration's path: ``explicit``, ``$NOTIFIER_CONFIG``, ``./config.yaml``, ``/etc/notifier/config.yaml``.

    :raises ConfigError: when there is none, with the places looked at.
    """
    named = explicit or environ.get(VARIABLE)
    if named:
        return _existing(Path(named), "-c" if explicit else f"${VARIABLE}")
    for place in PLACES:
        if _is_there(place):
            return place
    places = ", ".join(["-c", f"${VARIABLE}", "./config.yaml", str(PLACES[-1])])
    raise ConfigError(f"no configuration found\n  looked at: {places}\n  hint: {_REMEDY}")


def _is_there(place: Path) -> bool:
    try:
        place.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # behind a folder that can't be entered: reading it tells so
    return True


def _existing(path: Path, origin: str) -> Path:
    try:
        path.stat()
    except FileNotFoundError:
        raise _refused(path, f"no such file (named by {origin})", _REMEDY) from None
    except (OSError, ValueError):
        pass  # reading it tells what is wrong
    return path


def read(path: Path) -> tuple[str, int]:
    """Give the text of the configuration and its mode.

    :raises ConfigError: when it can't be read, is too large or is not UTF-8.
    """
    try:
        with path.open("rb") as stream:
            content, mode = stream.read(LARGEST + 1), os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    if len(content) > LARGEST:
        raise _refused(path, "larger than 8 MiB", "is this the configuration? Add watches with `notifier watch add`")
    return _decoded(path, content), mode


def _unreadable(path: Path, error: Exception) -> InvalidConfig:
    reason = error.strerror if isinstance(error, OSError) else "not a file name"
    hints = {
        errno.ENOENT: _REMEDY,
        errno.EACCES: "let the user that runs notifier read it, and enter its folder",
        errno.EISDIR: f"name the file in it: {path}/config.yaml",
    }
    hint = hints.get(getattr(error, "errno", None) or 0, "name a readable file with -c")
    return _refused(path, f"can't be read: {reason}", hint)


def _decoded(path: Path, content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _refused(path, "this is UTF-16", "save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, len(before.rpartition(b"\n")[2].decode(errors="replace")) + 1
        message = f"not UTF-8: the byte 0x{content[error.start]:02x}"
        raise _refused(path, message, "save it as UTF-8", line, column) from None


def _refused(path: Path, message: str, hint: str, line: int | None = None, column: int | None = None) -> InvalidConfig:
    return InvalidConfig(str(path), [Problem("error", message, hint, str(path), line, column)])
