"""The architecture: who imports whom, how large things are, what they are called. ARCHITECTURE.md explains what is held here."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import notifier

PACKAGE = Path(notifier.__file__).parent
ARCHITECTURE = Path(__file__).parents[2] / "ARCHITECTURE.md"

# Lowest first. A part is a module or folder right below notifier/; it imports from ranks below its own, never from a
# neighbour. ``__init__`` holds the version alone.
RANKS = (
    ("__init__", "errors", "clock", "secret"),
    ("model", "transport"),
    ("telemetry", "systemd", "http", "operator_events", "simulator"),
    ("facts", "log"),
    ("hubspot", "store"),
    ("polling", "delivery"),
    ("config",),
    ("lookout",),
    ("app",),
    ("cli",),
    ("__main__",),
)
RANK_OF = {part: rank for rank, parts in enumerate(RANKS) for part in parts}

# What can't know the rest, although its rank would let it: it plays somebody else.
NARROWER = {"simulator": {"errors", "clock", "secret", "model"}}

# Which files may import a library (or a module of Python's that works like one).
HOMES = {
    "httpx": ("http/",),
    "apscheduler": ("polling/clockwork.py",),
    "sqlite3": ("store/",),
    "pydantic": ("config/",),
    "pydantic_core": ("config/",),
    "yaml": ("config/",),
    "click": ("cli/",),
    "rich": ("cli/",),
    "structlog": ("log/",),
    "h11": ("http/", "simulator/"),
    "ssl": ("http/",),
    "cryptography": ("delivery/signing.py", "simulator/signatures.py"),
    "jinja2": ("delivery/formats/sandbox.py",),
    "apprise": ("delivery/formats/apprise.py",),
    "random": ("clock.py", "simulator/"),
    "asyncio": ("systemd.py", "simulator/"),
}

# These decide and do nothing: whoever calls them reads clocks, sockets, files and dice.
PURE = (
    "model.py",
    "operator_events.py",
    "polling/schedule.py",
    "polling/decide.py",
    "polling/gate.py",
    "polling/watches.py",
    "delivery/egress.py",
    "delivery/verdict.py",
    "delivery/breaker.py",
    "delivery/settle.py",
    "delivery/outbox.py",
    "delivery/samples.py",
    "delivery/signing.py",
    "delivery/formats/cloudevents.py",
    "delivery/formats/contract.py",
    "delivery/formats/payload.py",
    "delivery/formats/sandbox.py",
    "delivery/formats/slack.py",
    "delivery/formats/template.py",
    "delivery/formats/webhook.py",
    "delivery/formats/words.py",
    "hubspot/answers.py",
    "hubspot/budget.py",
    "hubspot/headers.py",
    "hubspot/reading.py",
    "hubspot/kinds/contract.py",
    "hubspot/kinds/file_import.py",
)
DOING = {
    "anyio",
    "asyncio",
    "httpx",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "sqlite3",
    "subprocess",
    "threading",
    "time",
}

LONGEST_FILE = 349  # lines
LONGEST_FUNCTION = 50  # lines, signature and docstring included

# Words that say nothing, wherever they stand in a name.
EMPTY_WORD = re.compile("(manager|helper|util|common|data|info|process|handle)(e?s|rs?|ors?)?", re.IGNORECASE)
NEEDED_NAMES = {
    ("model.py", "data"): "the payload's key; Standard Webhooks has named it",
    ("log/sinks.py", "info"): "structlog calls the method that is named for the level",
    ("simulator/wire.py", "data_received"): "asyncio.Protocol's method",
    ("simulator/wire.py", "data"): "its argument",
    ("http/pool.py", "handle_async_request"): "the method of httpx's transports",
}

SLOW_TO_IMPORT = {
    "apprise",
    "jinja2",
    "pydantic",
    "httpx",
    "apscheduler",
    "rich",
    "yaml",
    "anyio",
    "structlog",
    "sqlite3",
    "asyncio",
}


@cache
def trees() -> Mapping[str, ast.Module]:
    """Give every module of the package by its path below it."""
    return {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_bytes()) for path in PACKAGE.rglob("*.py")}


def imported(tree: ast.AST) -> Iterator[str]:
    """Name every module that is imported anywhere: in functions and for type checkers too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield "." * node.level + (node.module or "")
        elif isinstance(node, ast.ImportFrom) and node.module == "notifier":
            yield from (f"notifier.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def part_of(file: str) -> str:
    """Give the part a file belongs to: ``store/sqlite.py`` to ``store``, ``clock.py`` to ``clock``."""
    return Path(file).parts[0].removesuffix(".py")


def parts_imported(tree: ast.AST) -> set[str]:
    """Give the parts of ours that a module imports; what is no module is a name of ``notifier/__init__.py``."""
    names = (name.split(".")[1] for name in imported(tree) if name.startswith("notifier."))
    return {name if name in RANK_OF else "__init__" for name in names}


def named(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Give every name that a module makes up: classes, functions, arguments, variables, fields; with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno


def is_empty(name: str) -> bool:
    """Tell whether a word of ``name`` says nothing: helper of ``JSONHelpers_for``, but nothing of ``processing``."""
    return any(EMPTY_WORD.fullmatch(word) for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name))


def wrong_imports(file: str, tree: ast.AST) -> list[str]:
    """Say which imports of a file go up, sideways or beyond what its part may know."""
    part = part_of(file)
    allowed = NARROWER.get(part, {other for other in RANK_OF if RANK_OF[other] < RANK_OF[part]} | {part})
    return [f"{file} imports {other}" for other in sorted(parts_imported(tree) - allowed - {part})]


def homeless_imports(file: str, tree: ast.AST) -> list[str]:
    """Say which libraries a file imports that are somebody else's to know."""
    found = {name.split(".")[0] for name in imported(tree)} & HOMES.keys()
    return [f"{file} imports {name}" for name in sorted(found) if not file.startswith(HOMES[name])]


def empty_names(file: str, tree: ast.AST) -> list[str]:
    """Say which names hold a word that says nothing."""
    modules = [(part.removesuffix(".py"), 1) for part in file.split("/")]
    return [
        f"{file}:{line} {name}"
        for name, line in (*modules, *named(tree))
        if is_empty(name) and (file, name) not in NEEDED_NAMES
    ]


def everywhere(check: "Iterable[list[str]]") -> list[str]:
    """Gather what was found in all files."""
    return [finding for findings in check for finding in findings]


def test_every_part_has_a_rank() -> None:
    """A new module or folder gets its place in ``RANKS``, and what is gone leaves it."""
    assert {part_of(file) for file in trees()} == set(RANK_OF)


def test_imports_go_one_way() -> None:
    """From higher ranks to lower ones; neighbours never know each other; the simulator knows next to nothing."""
    assert everywhere(wrong_imports(file, tree) for file, tree in trees().items()) == []


def test_libraries_have_one_home() -> None:
    """Each library is imported where it is at home, so that it can be changed there."""
    assert everywhere(homeless_imports(file, tree) for file, tree in trees().items()) == []


@pytest.mark.parametrize("file", PURE)
def test_what_decides_does_nothing(file: str) -> None:
    """No clock, no file, no socket, no dice in the functions that decide."""
    assert {name.split(".")[0] for name in imported(trees()[file])} & DOING == set()


def test_files_are_short() -> None:
    """A file is read in one sitting."""
    lengths = {file: len((PACKAGE / file).read_bytes().splitlines()) for file in trees()}
    assert {file: length for file, length in lengths.items() if length > LONGEST_FILE} == {}


def test_functions_are_short() -> None:
    """A function fits on one screen."""
    long = [
        f"{file}:{node.lineno} {node.name}: {length} lines"
        for file, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert long == []


def test_names_say_something() -> None:
    """No manager, no helper; exceptions are names that others gave."""
    assert everywhere(empty_names(file, tree) for file, tree in trees().items()) == []


def test_exceptions_are_needed() -> None:
    """An exception to the names that nothing uses any more is taken out."""
    there = {(file, name) for file, tree in trees().items() for name, _ in named(tree)}
    assert set(NEEDED_NAMES) <= there


def test_the_checks_find_what_they_look_for() -> None:
    """Each way to import, and each way to name, is seen."""
    wrong = ast.parse(
        "from notifier import app, __version__\n"
        "from notifier.delivery.settings import Callback\n"
        "def look(user_info):\n    import httpx.auth\n    self.dataStore: int = 1\n"
    )
    assert wrong_imports("polling/poller.py", wrong) == [
        "polling/poller.py imports app",
        "polling/poller.py imports delivery",
    ]
    assert wrong_imports("simulator/tasks.py", ast.parse("from notifier.http import Http")) != []
    assert homeless_imports("polling/poller.py", wrong) == ["polling/poller.py imports httpx"]
    assert empty_names("polling/poller.py", wrong) == ["polling/poller.py:3 user_info", "polling/poller.py:5 dataStore"]
    assert empty_names("cli/helpers.py", ast.parse("")) == ["cli/helpers.py:1 helpers"]
    assert empty_names("store/rows.py", ast.parse("processing = datagram = metadata = 1")) == []


def test_architecture_md_has_these_ranks() -> None:
    """The table of ranks in ARCHITECTURE.md is this one, highest first."""
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", ARCHITECTURE.read_text(), re.MULTILINE)
    told = {int(rank): set(re.findall(r"`([a-z_]+?)(?:/|\.py)?`", parts)) for rank, parts in rows}
    assert told == {rank: set(parts) for rank, parts in enumerate(RANKS)}
    assert list(told) == sorted(told, reverse=True)


def test_help_is_quick() -> None:
    """``notifier --help`` and shell completion load neither the daemon nor its libraries."""
    script = (
        "import sys; from notifier.cli import main\ntry: main(['--help'])\nfinally: print('\\nloaded', *sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    loaded = set(ran.stdout.rpartition("\nloaded")[2].split())
    assert "notifier.cli" in loaded
    assert loaded & (SLOW_TO_IMPORT | {f"notifier.{part}" for part in ("app", "config", "store", "http")}) == set()
