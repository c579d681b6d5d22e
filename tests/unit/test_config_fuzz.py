"""Whatever the file holds: settings or one report, and never a secret in it."""

import tempfile
from pathlib import Path

import yaml
from configs import SIGNING
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier.config import load
from notifier.config.document import parse
from notifier.config.problems import Report
from notifier.errors import ConfigError

CORE = "c4n4ryC4N4RY0123456789"
ENVIRON = {
    "HUBSPOT_TOKEN": f"pat-na1-{CORE}",
    "URL": f"https://hooks.slack.com/services/{CORE}",
    "HOME": "/home/nobody",
}

TEXT = f"""\
accounts:
  main:
    token: pat-na1-{CORE}
    rate_limit: 100/10s   # pat-na1-{CORE}
callbacks:
  erp:
    url: "https://hooks.slack.com/services/{CORE}"
    secret: [{SIGNING}, whsec_{CORE}]
    headers: {{Authorization: "Bearer pat-na1-{CORE}", X-B: {{file: nothing}}}}
    events: [task.*, account.*]
  ops: {{format: slack, url: "${{URL}}", timeout: 15s}}
tasks:
  - AAAA
  - id: 012
    label: Spring
    callbacks: [erp, ops]
    deadline: ${{HUBSPOT_TOKEN}}
polling: {{concurrency: 4, lost_after: 5m}}
delivery: {{schedule: [0s, 5s], on_unknown: retry}}
store: x.db
log: {{level: info}}
"""
LINES = TEXT.splitlines(keepends=True)
SEASONING = ["\t", "\n", " ", "  ", ":", ": ", "- ", "[", "]", "{", "}", "'", '"', "&", "*", "!", "|", ">", "#", "%", "@", "`", "~", "${", "}",
             "$$", "<<: ", "---\n", "...\n", "? ", "\\", "\x00", "\ud7ff", "\u2028", "é", "0", "null", "\r", "\ufeff", "pat-"]  # fmt: skip

edits = st.lists(
    st.tuples(st.integers(0, len(TEXT)), st.integers(0, 12), st.sampled_from(["", *SEASONING])), min_size=1, max_size=4
)
many = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _report_of(text: str) -> str:
    """Load ``text`` and give all that is said of it. Anything but a ConfigError fails the test."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_bytes(text.encode(errors="replace"))
        try:
            answer = load(path, ENVIRON)
        except ConfigError as error:
            return str(error) + repr(error)
        return "".join(map(str, answer.warnings)) + repr(answer)


@many
@given(edits)
def test_an_edit_gone_wrong_shows_no_secret(changes: list[tuple[int, int, str]]) -> None:
    """Characters are lost and added anywhere in a file full of secrets."""
    text = TEXT
    for start, length, new in changes:
        text = text[:start] + new + text[start + length :]
    assert CORE not in _report_of(text)


@many
@given(st.permutations(LINES), st.integers(0, len(LINES)))
def test_lines_in_disorder_show_no_secret(lines: list[str], count: int) -> None:
    """Lines are lost and moved."""
    assert CORE not in _report_of("".join(lines[:count]))


@many
@given(st.text(max_size=200))
def test_any_text_is_answered(text: str) -> None:
    """Nothing but a ConfigError, whatever the text."""
    _report_of(text)


@many
@given(
    st.lists(
        st.sampled_from([*SEASONING, "accounts", "tasks", "main", "token", "id", "url", "callbacks", "x"]), max_size=60
    ).map("".join)
)
def test_any_yaml_is_answered(text: str) -> None:
    """Nothing but a ConfigError, whatever the structure; the parser in Python agrees that it is YAML or not."""
    _report_of(text)
    report = Report("f", text.split("\n"))
    parse(text, report, yaml.SafeLoader)
    report.problems(lambda _: True)


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
names = st.sampled_from(["accounts", "callbacks", "tasks", "polling", "delivery", "log", "store", "main", "token", "url", "secret", "headers",
                         "events", "id", "account", "format", "file", "deadline", "schedule", "timeout", "rate", ""])  # fmt: skip
trees = st.recursive(
    scalars,
    lambda below: st.one_of(st.lists(below, max_size=4), st.dictionaries(names, below, max_size=5)),
    max_leaves=25,
)


@many
@given(st.dictionaries(names, trees, max_size=7))
def test_any_shape_is_answered(tree: dict[str, object]) -> None:
    """Known keys in wrong places with values of every type."""
    _report_of(yaml.safe_dump(tree, allow_unicode=True))
