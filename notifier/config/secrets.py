"""Secrets and their three spellings: ``token``, ``token_file``, ``token_credential``.

No message here ever quotes a secret; one that names a file quotes its name only as far as it was written.
"""

import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from notifier.config.nodes import Path, Scalar
from notifier.config.problems import Mistake, Report
from notifier.config.schema import form_at
from notifier.config.suggest import nearest
from notifier.delivery.signing import UnusableSecret, read_secret
from notifier.secret import Secret

LONGEST_TOKEN = 4096
LONGEST_SECRET_FILE = 65_536

# What stands for a secret that nobody asked for.
UNREAD = Secret("")

Check = Callable[[str], None]

_TOKEN = re.compile(r"[!-~]+")
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")

# Headers whose values are secrets by their nature.
_SECRET_HEADER = re.compile(r"auth|token|secret|key|cookie|password|signature", re.IGNORECASE)


def check_token(text: str) -> None:
    """Refuse what can't stand behind ``Bearer``.

    :raises Mistake: for anything but 1 … 4096 printable ASCII characters.
    """
    if len(text) > LONGEST_TOKEN:
        raise Mistake(f"the token is longer than {LONGEST_TOKEN} characters", "check what was pasted here")
    if not _TOKEN.fullmatch(text):
        raise Mistake("the token has spaces or characters that no token has", "paste it again, alone: pat-na1-…")


def check_signing_secret(text: str) -> None:
    """Refuse what can't sign as Standard Webhooks 1.0 wants it.

    :raises Mistake: for what ``delivery.signing`` can't use.
    """
    try:
        read_secret(text)
    except UnusableSecret as unusable:
        raise Mistake(unusable.message, unusable.remedy) from None


def check_header_value(text: str) -> None:
    """Refuse what would break or smuggle a header.

    :raises Mistake: for anything but printable ASCII without spaces at the ends.
    """
    if not _HEADER_VALUE.fullmatch(text) or len(text) > LONGEST_TOKEN:
        raise Mistake(
            "the header's value has line breaks, control characters, letters beyond ASCII or spaces at an end",
            f"use one line of at most {LONGEST_TOKEN} printable ASCII characters",
        )


@dataclass(slots=True)
class Vault:
    """Reads secrets wherever they are kept, and reports what is wrong with them."""

    report: Report
    environ: Mapping[str, str]
    folder: FilePath  # of the configuration: relative file names start here
    reads: bool = True  # False: every secret is an empty one, and none is looked for
    literals: list[Path] = field(default_factory=list)  # secrets that stand in the file itself

    def spelling(self, path: Path, names: Sequence[str], *, required: str | None) -> str | None:
        """Tell which one of ``names`` the mapping at ``path`` spells; none, or several, is a mistake.

        ``required`` is the noun of what must not be missing.
        """
        keys = self.report.keys(*path)
        given = sorted((name for name in names if name in keys), key=lambda name: keys[name].span)
        if len(given) > 1:
            line = keys[given[0]].span.line + 1
            message = f"`{given[1]}` besides `{given[0]}` on line {line}: exactly one of them may be given"
            self.report.error((*path, given[1]), message, f"keep one of {_or(names)}", on_key=True)
            return None
        if not given and required and not self._is_misspelt(path, keys, names):
            self.report.error(path, f"{required} is missing", f"give one of {_or(names)}", on_key=True)
        return given[0] if given else None

    def _is_misspelt(self, path: Path, keys: Iterable[str], names: Sequence[str]) -> bool:
        """Tell whether one of ``names`` was meant by a key that is reported as unknown anyway."""
        form = form_at(path)
        return form is not None and any(nearest(key, names) for key in keys if key not in form.model_fields)

    def one(self, path: Path, source: str, scalar: Scalar, check: Check) -> Secret | None:
        """Read the one-line secret at ``path``; ``None`` when it is no good, which the report then tells.

        ``source`` is the key it has: what ends in ``file`` or ``credential`` is read from there.
        """
        if not self.reads:
            return UNREAD
        try:
            lines = self._lines(path, source, scalar)
            return self._checked(_alone(lines), check)
        except Mistake as mistake:
            self.report.mistake(path, mistake)
            return None

    def several(self, path: Path, source: str, scalar: Scalar, check: Check) -> tuple[Secret, ...]:
        """Read a file of secrets, one a line; blank lines are skipped."""
        if not self.reads:
            return (UNREAD,)
        try:
            lines = [line.strip() for line in self._lines(path, source, scalar)]
            return tuple(self._checked(line, check) for line in lines if line)
        except Mistake as mistake:
            self.report.mistake(path, mistake)
            return ()

    def _checked(self, text: str, check: Check) -> Secret:
        self.report.secrets.add(text)
        check(text)
        return Secret(text)

    def _lines(self, path: Path, source: str, scalar: Scalar) -> list[str]:
        if source.endswith("file"):
            return self._file(path, self.folder / scalar.text, scalar, is_credential=False)
        if source.endswith("credential"):
            return self._file(path, self._credential(scalar), scalar, is_credential=True)
        if not scalar.variables and not _is_ordinary_url(path, scalar.text):
            self.literals.append(path)
        return [scalar.text]

    def _credential(self, scalar: Scalar) -> FilePath:
        if "/" in scalar.text or scalar.text in {".", ".."}:
            raise Mistake(
                "a credential is named, without slashes", "use its name from LoadCredential=, or give a file instead"
            )
        folder = self.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise Mistake(
                "$CREDENTIALS_DIRECTORY is not set: there are no credentials",
                f"run under systemd with LoadCredential={scalar.source}:/path/to/it, or give a file instead",
            )
        return FilePath(folder) / scalar.text

    def _file(self, path: Path, file: FilePath, scalar: Scalar, *, is_credential: bool) -> list[str]:
        noun = f"the {'credential' if is_credential else 'file'} {scalar.shown}"
        text, mode = _read(file, noun)
        if mode & stat.S_IROTH and not is_credential:
            self.report.warn(path, f"{noun} can be read by every user of this machine", f"chmod 640 {scalar.source}")
        text = text.removeprefix("\ufeff").rstrip("\r\n")
        if not text.strip():
            raise Mistake(f"{noun} is empty", "write the secret into it")
        return [line.removesuffix("\r") for line in text.split("\n")]

    def warn_of_readers(self, file: FilePath, mode: int) -> None:
        """Warn where every user of this machine can read a secret that stands in the configuration itself."""
        exposed = [path for path in self.literals if _is_secret(path)]
        if exposed and mode & stat.S_IROTH:
            message = "a secret stands here, and every user of this machine can read this file"
            self.report.warn(exposed[0], message, f"chmod 640 {file}, or use ${{NAME}}, a file or a credential")


def _is_ordinary_url(path: Path, text: str) -> bool:
    """Tell whether a literal URL need not be a secret; a Slack webhook's and one of Apprise's always are."""
    return path[-1] == "url" and text.startswith(("http://", "https://")) and "hooks.slack.com" not in text


def _is_secret(path: Path) -> bool:
    """Tell whether a literal there is always a secret: not every header is."""
    return "headers" not in path or bool(_SECRET_HEADER.search(str(path[3])))


def _alone(lines: Sequence[str]) -> str:
    if len(lines) != 1:
        raise Mistake(f"the file holds {len(lines)} lines; one is expected", "keep the secret alone in the file")
    return lines[0]


def _or(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _read(file: FilePath, noun: str) -> tuple[str, int]:
    """Give the text of a file and its mode.

    :raises Mistake: when it can't be read.
    """
    try:
        with file.open("rb") as stream:
            content, mode = stream.read(LONGEST_SECRET_FILE + 1), os.fstat(stream.fileno()).st_mode
        text = content.decode()
    except UnicodeDecodeError:
        raise Mistake(f"{noun} is not UTF-8", "write the secret into it as plain text") from None
    except (OSError, ValueError) as error:
        raise Mistake(f"{noun} can't be read: {_why(error)}", _remedy(error)) from None
    if len(content) > LONGEST_SECRET_FILE:
        raise Mistake(f"{noun} is longer than {LONGEST_SECRET_FILE} bytes", "name the file that holds the secret alone")
    return text, mode


def _why(error: Exception) -> Any:
    return error.strerror if isinstance(error, OSError) and error.strerror else "not a file name"


def _remedy(error: Exception) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "create it; a relative name starts at the configuration's folder"
    if isinstance(error, PermissionError):
        return "let the user that runs notifier read it"
    return "name a readable file"
