"""What is wrong with a configuration: collected, put in the order of the file, shown without secrets."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from notifier.config.nodes import Block, Node, Path, Scalar, Span, entries, locate, node_at, path_text, without_random
from notifier.config.snippet import Excerpts, Snippet
from notifier.errors import ConfigError
from notifier.secret import MASK, redactor

# What gives a secret away wherever it stands, a wrong key or a comment: HubSpot's tokens, signing secrets, Slack's
# hooks, passwords in URLs. What our own hints abbreviate (whsec_…) is none.
_SECRET_LOOK = re.compile(
    r"pat-[A-Za-z0-9]{2,4}-[^\s\"'`…]+|whs(?:ec|k)_[^\s\"'`<…]+|(?<=://)[^/\s\"'`]+@|(?<=hooks\.slack\.com/)[^\s\"'`]+"
)


class Mistake(ValueError):  # the user's, not the program's
    """What is wrong with one value, and the remedy. Knows nothing of the place."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Problem:
    """An error or a warning, with its place and remedy. Lines and columns count from 1."""

    level: str  # "error" or "warning"
    message: str
    hint: str | None
    file: str
    line: int | None = None  # None: about the file as a whole
    column: int | None = None
    path: str = ""
    snippet: Snippet | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        lines = [f"{place}: {self.level}: {self.message}"]
        if self.path:
            lines.append(f"  at {self.path}")
        if self.snippet and self.line:
            margin = " " * len(str(self.line))
            lines += [f"  {self.line} | {self.snippet.text}", f"  {margin} | {self.snippet.caret}"]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)

    def as_json(self) -> Mapping[str, Any]:
        """Give the problem as ``config check --json`` prints it."""
        return {
            "level": self.level,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "path": self.path or None,
            "message": self.message,
            "hint": self.hint,
        }


class InvalidConfig(ConfigError):  # named as the others of errors.py
    """The file has errors; its text is the whole report."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.file = file
        self.problems = tuple(problems)
        super().__init__("\n".join([*map(str, problems), f"{file}: {count_text(problems)}"]))


def count_text(problems: Sequence[Problem]) -> str:
    """Count problems in words: ``2 errors, 1 warning``."""
    counts = {level: sum(problem.level == level for problem in problems) for level in ("error", "warning")}
    return ", ".join(plural(count, level) for level, count in counts.items() if count)


def plural(count: int, noun: str) -> str:
    """Write ``1 task``, ``2 tasks``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class _Finding:
    """A problem whose place is still a path."""

    level: str
    message: str
    hint: str | None
    path: Path
    on_key: bool
    span: Span | None


class Report:
    """Collects problems while the file is read, and finds their places when they are asked for."""

    def __init__(self, file: str, lines: Sequence[str] = ()) -> None:
        self.file = file
        self.lines = lines
        self.root: Node | None = None
        self.secrets: set[str] = set()  # never to be seen in the report, wherever they come from
        self._findings: list[_Finding] = []

    def error(
        self, path: Path, message: str, hint: str | None = None, *, on_key: bool = False, span: Span | None = None
    ) -> None:
        """Note an error. It stands at ``span``, else at the value of ``path``, else ``on_key`` at its key."""
        self._findings.append(_Finding("error", message, hint, path, on_key, span))

    def mistake(self, path: Path, mistake: Mistake) -> None:
        """Note an error that a check of one value raised."""
        self.error(path, mistake.message, mistake.hint)

    def warn(self, path: Path, message: str, hint: str | None = None, *, on_key: bool = False) -> None:
        """Note a warning."""
        self._findings.append(_Finding("warning", message, hint, path, on_key, None))

    @property
    def has_errors(self) -> bool:
        """Whether anything forbids using the file."""
        return any(finding.level == "error" for finding in self._findings)

    def has_errors_under(self, path: Path) -> bool:
        """Whether something at ``path`` or below it was refused already."""
        return any(finding.level == "error" and finding.path[: len(path)] == path for finding in self._findings)

    def keys(self, *path: str | int) -> Mapping[str, Scalar]:
        """Give the keys that the file has at ``path``, those whose values were refused among them."""
        return entries(self.root, *path) if self.root else {}

    def has(self, *path: str | int) -> bool:
        """Tell whether the file says anything at ``path``, right or wrong."""
        return self.root is not None and locate(self.root, path).path == path

    def is_short(self, path: Path) -> bool:
        """Tell whether a lone value, right or wrong, stands at ``path`` where a mapping could."""
        return self.root is not None and not isinstance(node_at(self.root, path), Block)

    def span_of(self, path: Path) -> Span | None:
        """Give where the value of ``path`` stands."""
        return locate(self.root, path).span if self.root else None

    def line_of(self, path: Path) -> int | None:
        """Give the line, from 1, where the value of ``path`` begins."""
        return locate(self.root, path).span.line + 1 if self.root else None

    def problems(self, is_open: Callable[[Path], bool]) -> tuple[Problem, ...]:
        """Give everything found, in the order of the file. Only values whose path ``is_open`` are shown."""
        places = [self._place(finding) for finding in self._findings]
        excerpts = Excerpts(self.lines, self.root, is_open, (span.line for _, span in places if span))
        clean = redactor(self.secrets)
        problems = [
            _without_secrets(_problem(self.file, finding, path, span, excerpts), clean)
            for finding, (path, span) in zip(self._findings, places, strict=True)
        ]
        return tuple(sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0)))

    def _place(self, finding: _Finding) -> tuple[Path, Span | None]:
        if finding.span or not finding.path or self.root is None:
            return finding.path, finding.span
        place = locate(self.root, finding.path)
        is_missing = place.path != finding.path and not self.is_short(place.path)
        return place.path, place.key if finding.on_key or is_missing else place.span


def _problem(file: str, finding: _Finding, path: Path, span: Span | None, excerpts: Excerpts) -> Problem:
    bare = Problem(finding.level, finding.message, finding.hint, file, path=path_text(path))
    if span is None:
        return bare
    return replace(bare, line=span.line + 1, column=span.column + 1, snippet=excerpts.at(span))


def _without_secrets(problem: Problem, clean: Callable[[str], str]) -> Problem:
    """Mask what slipped into a message: a token as a key, a file name that is none."""

    def scrub(text: str) -> str:
        return _SECRET_LOOK.sub(MASK, clean(text))

    def scrub_words(text: str) -> str:
        return without_random(scrub(text))

    snippet = problem.snippet
    if snippet and scrub(snippet.text) != snippet.text:
        snippet = Snippet(scrub(snippet.text), "^")
    hint = None if problem.hint is None else scrub_words(problem.hint)
    return replace(
        problem, message=scrub_words(problem.message), path=scrub_words(problem.path), hint=hint, snippet=snippet
    )
