"""What the YAML parser says, in words that help."""

import re
from typing import Any

import yaml

from notifier.config.nodes import Span
from notifier.config.problems import Report

# The two parsers of PyYAML, in C and in Python, word the same error differently: (pattern, message, remedy).
_EXPLAINED = tuple(
    (re.compile(pattern), message, hint)
    for pattern, message, hint in (
        (r"mapping values are not allowed", "a second colon on one line", "quote a value that holds `: `, or check the indentation"),
        (r"character .*cannot start any token", "this character can't begin a value", "put the value between quotes"),
        (r"end of stream", "the quote opened here is never closed", "close the quote"),
        (r"could not find expected ':'", "a key without a colon, or a value that lost its indentation", "write `key: value`, and indent continued lines"),
        (r"expected ',' or '[\]}]'", "the bracket is not closed where it should be", "separate with commas and close the bracket"),
        (r"expected <block end>|expected '-' indicator|expected key", "the indentation does not fit the lines above", "indent the entries of one mapping or list alike"),
        (r"node content", "a value is missing here", "write a value, or close the brackets"),
        (r"unknown escape|escape (?:code|sequence)|expected escape", "an unknown escape after a backslash", "write \\\\ for a backslash, or use single quotes"),
        (r"document start", "more text after the end of the document", "keep one document in the file"),
        (r"directive|YAML document", "a line that begins with % is a YAML directive", "leave it out, or quote the value"),
        (r"tag", "a tag, beginning with !, is not allowed", "leave it out, or quote the value"),
        (r"anchor|alias", "anchors (&) and aliases (*) are not allowed", "quote a value that begins with & or *"),
        (r"block scalar|indentation indicator|chomping", "the block text after | or > is not well-formed", "begin the text on the next line, indented"),
    )
)  # fmt: skip


def explain(error: yaml.MarkedYAMLError, report: Report) -> None:
    """Report a syntax error at the place where its cause is."""
    raw = f"{error.context or ''}: {error.problem or ''}"
    message, hint = _explanation(raw, _character_at(error, report))
    report.error((), message, hint, span=_clamped(_cause(error, raw), report.lines))


def _cause(error: yaml.MarkedYAMLError, raw: str) -> Any:
    """Give the opening quote, or the opening bracket when the parser noticed only on a later line."""
    opening: Any = error.context_mark
    noticed: Any = error.problem_mark or opening
    if opening is not None and "quoted scalar" in raw and "end of stream" in raw:
        return opening
    if opening is not None and "flow" in raw and noticed.line > opening.line:
        return opening
    return noticed


def _explanation(raw: str, character: str) -> tuple[str, str]:
    if "cannot start any token" in raw and character == "\t":
        return "a tab where only spaces may stand", "indent with spaces"
    for pattern, message, hint in _EXPLAINED:
        if pattern.search(raw):
            return message, hint
    return "not well-formed YAML", "check the indentation, quotes and brackets here and on the line above"


def _character_at(error: yaml.MarkedYAMLError, report: Report) -> str:
    mark = error.problem_mark
    if mark is None or mark.line >= len(report.lines):
        return ""
    line = report.lines[mark.line]
    return line[mark.column : mark.column + 1]


def _clamped(mark: Any, lines: Any) -> Span:
    """Move the end of the file, where the parser noticed, back to the last line with text."""
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    if line >= len(lines) or not any(text.strip() for text in lines[line:]):
        line = max((number for number, text in enumerate(lines) if text.strip()), default=0)
        column = len(lines[line].rstrip()) if lines else 0
    return Span(line, column, line, column + 1)
