"""YAML, strictly: what is a number, what is refused, and what an unreadable file is answered."""

from pathlib import Path

import pytest
import yaml
from configs import ENVIRON, GOOD, loaded, only_error, refused, write

from notifier.config import find, load
from notifier.config.document import lines_of, parse
from notifier.config.nodes import Items, Node, Scalar
from notifier.config.problems import InvalidConfig, Report
from notifier.config.scalars import ScalarType, integer
from notifier.errors import ConfigError

T = ScalarType

# YAML 1.2.2, section 10.3.2; the right column is not what YAML 1.1 makes of them.
CORE = [
    *((text, T.NULL) for text in ("~", "null", "Null", "NULL")),
    *((text, T.BOOL) for text in ("true", "True", "TRUE", "false", "False", "FALSE")),
    *((text, T.INT) for text in ("0", "-1", "+12", "012", "0o17", "0xff", "0xFF", "08")),
    *((text, T.FLOAT) for text in ("1.", ".5", "-1.5e3", "1e3", "0.", "+.inf", "-.INF", ".nan", ".NaN", "12e03")),
    *((text, T.TEXT) for text in ("on", "off", "yes", "No", "y", "n", "1:30", "190:20:30", "1_000", "0b11", "0o8", "0x", "-0xF")),
    *((text, T.TEXT) for text in ("2026-11-21", "tRUE", "nULL", ".", "+", "e3", "1e", "inf", "nan", "=", "0O17", "\uff11")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CORE, ids=[text for text, _ in CORE])
@pytest.mark.parametrize(
    "loader", [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)], ids=["python", "c"]
)
def test_scalars_are_those_of_the_core_schema(text: str, expected: ScalarType, loader: object) -> None:
    """Unquoted scalars are what YAML 1.2 says, quoted ones text, with both parsers."""
    report = Report("f", [])
    root = parse(f'[ {text} , "{text}"]', report, loader)
    assert isinstance(root, Items)
    types = [node.type for node in root.items if isinstance(node, Scalar)]
    assert types == [expected, T.TEXT]


@pytest.mark.parametrize(
    ("text", "number"),
    [("012", 12), ("0o17", 15), ("0x1F", 31), ("-3", -3), ("1_0", None), ("1.0", None), ("9" * 31, None)],
)
def test_integers(text: str, number: int | None) -> None:
    """A leading zero is no octal; 0o is."""
    assert integer(text) == number


def test_task_ids_are_taken_as_written(tmp_path: Path) -> None:
    """What looks like a number, a truth or a time stays what was written."""
    ids = ["012", "0x1F", "1.0", "true", "on", "1:30", "1e3", "2026-11-21", "0o17", "-1", "Ünï"]
    text = GOOD.replace("  - AAAA\n", "".join(f"  - {each}\n" for each in ids))
    assert [task.key.task_id for task in loaded(tmp_path, text).settings.tasks] == ids


TREES = [
    "a: é\nb: [1, {c: d}]\n",
    "a: |\n  x\n  y\nb: >-\n  z\nc: 'q\n  r'\n",
    "a: b\r\nc: d\r\n",
    "? a\n: b\n",
    "- - a\n  - b\n-\n",
    "{a: , b: }",
]


@pytest.mark.parametrize("text", TREES)
def test_both_parsers_give_the_same_tree(text: str) -> None:
    """Positions and values don't depend on whether libyaml is there."""
    assert _outline(parse(text, Report("f"), yaml.SafeLoader)) == _outline(parse(text, Report("f")))


def _outline(node: Node | None) -> object:
    if isinstance(node, Scalar):
        return (node.text, node.type, node.span[:2] if node.text else None)  # for nothing, each has a place of its own
    if isinstance(node, Items):
        return [_outline(item) for item in node.items]
    return [(_outline(node.keys[key]), _outline(node.values[key])) for key in node.values] if node else None  # type: ignore[union-attr]  # Broken has neither: the test fails then


# (name, text, line:col, part of the message, part of the hint)
REFUSED = [
    ("duplicate", "accounts: {main: {token: a}}\nlog: {}\nlog: {}\n", "3:1", '"log" stands here again; it is already on line 2', "keep one"),
    ("deep duplicate", "accounts:\n  main: {token: a}\n  main: {token: b}\n", "3:3", "already on line 2", "keep one"),
    ("anchor", "accounts: {main: &x {token: a}}\n", "1:18", "an anchor, &x", "leave it out"),
    ("alias", "accounts: {main: {token: a}}\nstore: *x\n", "2:8", "an alias, *x", "write the value out"),
    ("tag", "accounts: {main: {token: a}}\nstore: !!str x\n", "2:8", "a tag", "leave it out"),
    ("own tag", "accounts: {main: {token: a}}\nstore: !x x\n", "2:8", "a tag", "leave it out"),
    ("python tag", "accounts: !!python/object/apply:os.system [x]\n", "1:11", "a tag", "leave it out"),
    ("merge", "accounts: {main: {token: a, <<: {}}}\n", "1:29", "merge keys", "write the keys out"),
    ("number key", "accounts: {1: {token: a}}\n", "1:12", "a key must be text, this is a whole number", '"1"'),
    ("true key", "accounts: {true: {token: a}}\n", "1:12", "a key must be text, this is true or false", '"true"'),
    ("list key", "accounts: {main: {token: a}}\n? [a]\n: b\n", "2:3", "as a key", "must be text"),
    ("documents", "accounts: {main: {token: a}}\n---\nlog: {}\n", "2:1", "a second document", "one configuration"),
    ("tab", "accounts:\n\tmain: {token: a}\n", "2:1", "a tab", "spaces"),
    ("two colons", "accounts: main: a\n", "1:15", "a second colon", "quote"),
    ("open quote", "accounts: {main: {token: a}}\nstore: 'x\nlog: {}\n", "2:8", "never closed", "close the quote"),
    ("open bracket", "accounts: {main: {token: a}}\ntasks: [a, b\nlog: {}\n", "2:8", "bracket", "close the bracket"),
    ("indentation", "accounts:\n    main: {token: a}\n  other: {}\n", "3:3", "indentation", "indent"),
    ("at", "accounts: {main: {token: a}}\nstore: @x\n", "2:8", "can't begin a value", "quotes"),
    ("escape", 'accounts: {main: {token: a}}\nstore: "\\q"\n', "2:9", "escape", "single quotes"),
    ("control", "accounts: {main: {token: a}}\nstore: a\x07\n", "2:9", "U+0007", "remove it"),
    ("line separator", "accounts: {main: {token: a}}\nstore: a\u2028\n", "2:9", "U+2028", "escape"),
    ("text", "accounts\n", "1:1", "expected a mapping", "accounts:"),
    ("list", "- a\n", "1:1", "expected a mapping", "accounts:"),
    ("deep", "accounts: " + "[" * 5000 + "\n", "1:42", "32 levels", "brackets"),
    ("deep blocks", "".join(" " * depth + "a:\n" for depth in range(100)), "33:33", "32 levels", "brackets"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_yaml_may_not_hold(tmp_path: Path, text: str, place: str, message: str, hint: str) -> None:
    """Refused with line, column and remedy, as every mistake is."""
    error = next(problem for problem in refused(tmp_path, text) if problem.level == "error")
    assert f"{error.line}:{error.column}" == place
    assert message in error.message
    assert hint in (error.hint or "")


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "~\n", "\ufeff"])
def test_an_empty_file(tmp_path: Path, text: str) -> None:
    """Nothing but comments is told to be empty."""
    error = only_error(tmp_path, text)
    assert (error.message, error.hint) == ("the file is empty", "copy config.example.yaml and edit it")


def test_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    """Windows editors write one; columns don't move."""
    loaded(tmp_path, "\ufeff" + GOOD)
    assert only_error(tmp_path, "\ufeffxaccounts: {}\n" + GOOD).column == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"accounts:\n  \xff: x\n", ":2:3: error: not UTF-8: the byte 0xff"),
        (GOOD.encode("utf-16"), "this is UTF-16"),
        (b"#" * (8 * 1024 * 1024 + 1), "larger than 8 MiB"),
    ],
    ids=["latin", "utf-16", "large"],
)
def test_bytes_that_are_no_configuration(tmp_path: Path, content: bytes, message: str) -> None:
    """Answered with the reason and a remedy."""
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(InvalidConfig) as caught:
        load(path, ENVIRON)
    assert message in str(caught.value)
    assert "hint: " in str(caught.value)


def test_a_folder_or_nothing_at_all(tmp_path: Path) -> None:
    """A folder and a missing file each get their remedy."""
    with pytest.raises(ConfigError, match=r"Is a directory\n  hint: name the file in it"):
        load(tmp_path, ENVIRON)
    with pytest.raises(ConfigError, match=r"No such file or directory\n  hint: copy config.example.yaml"):
        load(tmp_path / "config.yaml", ENVIRON)


def test_the_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By -c, by $NOTIFIER_CONFIG, then in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, GOOD)
    other = tmp_path / "other.yaml"
    other.write_text(GOOD)
    assert find(None, {}) == Path("config.yaml")
    assert find(None, {"NOTIFIER_CONFIG": str(other)}) == other
    assert find(str(path), {"NOTIFIER_CONFIG": str(other)}) == path
    with pytest.raises(ConfigError, match=r"no such file \(named by \$NOTIFIER_CONFIG\)"):
        find(None, {"NOTIFIER_CONFIG": "missing.yaml"})
    with pytest.raises(ConfigError, match=r"missing.yaml: error: no such file \(named by -c\)"):
        find("missing.yaml", {})


def test_where_it_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When there is none the places are named, and what to do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("notifier.config.finder.PLACES", (Path("config.yaml"), tmp_path / "etc" / "config.yaml"))
    with pytest.raises(ConfigError) as caught:
        find(None, {})
    assert "./config.yaml" in str(caught.value)
    assert "config.example.yaml" in str(caught.value)
    assert "notifier demo" in str(caught.value)


def test_a_place_behind_a_file_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search goes on where a folder of the path is a file."""
    path = write(tmp_path, GOOD)
    monkeypatch.setattr("notifier.config.finder.PLACES", (path / "config.yaml", path))
    assert find(None, {}) == path


def test_lines_are_counted_as_the_parser_does() -> None:
    """CR, LF and CRLF end a line; form feeds and the like do not."""
    assert lines_of("a\rb\r\nc\nd\x0ce") == ["a", "b", "c", "d\x0ce"]
