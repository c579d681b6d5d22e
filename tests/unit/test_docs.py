"""README, ARCHITECTURE, CONTRIBUTING and the pages in docs/ name nothing that is not there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from documents import DOCUMENTS, README, ROOT, blocks, commands, inline_code, options, section, table

import notifier
from notifier import cli
from notifier.model import DELIVERY_TRANSITIONS, WATCH_TRANSITIONS

PACKAGE = ROOT / "notifier"

# Files that are the reader's, not ours.
READERS_OWN = {"config.yaml", "./config.yaml"}

# Options of every command; the README's table of commands leaves them out.
EVERYWHERE = {"-c", "--config", "--json", "-h", "--help"}

TEXTS = {".py", ".md", ".yaml", ".toml", ".sql", ".sh", ".service", ".typed", ""}
LEFT_OUT = {"__pycache__", ".git", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", "build", "dist"}


def wrong_with(line: str) -> str | None:
    """Say what is not there of a command line after the word ``notifier``."""
    words = shlex.split(line, comments=True)
    command: click.Command = cli.notifier
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words.pop(0))
        if found is None:
            return f"no command: {line}"
        command = found
    unknown = [word for word in words if word.startswith("-") and word.split("=")[0] not in options(command)]
    return f"no option {unknown[0]}: {line}" if unknown else None


def command_lines(text: str) -> Iterator[str]:
    """Give what follows ``notifier`` wherever a document runs it: in shell blocks and between backticks."""
    for code in [*inline_code(text), *(line for block in blocks(text, "sh") for line in block.splitlines())]:
        for found in re.finditer(r"(?:^|[\s(]|bin/)notifier ((?:-|[a-z])[^|&)]*)", code):
            yield found[1]


def repository_files() -> Iterator[Path]:
    """Give every file of the repository that holds text."""
    for path in ROOT.rglob("*"):
        inside = path.relative_to(ROOT).parts
        hidden = any(part in LEFT_OUT or part.startswith(".venv") or part.endswith(".egg-info") for part in inside)
        if not hidden and path.is_file() and path.suffix in TEXTS:
            yield path


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_exist(name: str) -> None:
    """Every command and option that a document runs is there."""
    lines = list(command_lines(DOCUMENTS[name]))
    assert [wrong for line in lines if (wrong := wrong_with(line))] == []
    assert lines or name != "README.md"


def test_wrong_commands_are_found() -> None:
    """The check above can fail."""
    assert wrong_with("watch add X --label 'Spring catalogue' --deadline 2h  # as you like") is None
    assert wrong_with("frobnicate") == "no command: frobnicate"
    assert wrong_with("watch frobnicate X") == "no command: watch frobnicate X"
    assert wrong_with("run --reload") == "no option --reload: run --reload"
    text = "```sh\nFOO=1 .venv/bin/notifier watch odd && journalctl -u notifier\n```\nthe notifier is `notifier odd`"
    assert [line.strip() for line in command_lines(text)] == ["odd", "watch odd"]


def test_the_readme_has_every_command_and_option() -> None:
    """The table of commands is complete; of ``simulate`` the section on it tells more."""
    told = {}
    for name, what in table(section(README, "## Commands"), "command | what it does"):
        told[tuple(name.strip("`").split()[1:])] = {code for code in inline_code(what) if code.startswith("-")}
    assert set(told) == set(commands())
    for words, command in commands().items():
        if words != ("simulate",):
            assert told[words] == options(command) - EVERYWHERE, words


@pytest.mark.parametrize("name", DOCUMENTS)
def test_paths_exist(name: str) -> None:
    """Every file and folder that a document names is there, below the repository or the package."""
    text, folder = DOCUMENTS[name], (ROOT / name).parent
    links = [link for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if "://" not in link]
    named = [
        code
        for code in inline_code(text)
        if re.fullmatch(r"\.?[\w-]+(/[\w.-]+)*(/|\.(py|md|yaml|sql|service|toml))", code)
    ]
    rooted = [code for code in inline_code(text) if re.match(r"(notifier|tests|systemd|docs|\.ci)/\S*$", code)]
    assert links or named
    missing = [path for path in {*named, *rooted} - READERS_OWN if not _is_there(path)]
    assert missing == []
    assert [link for link in links if not (folder / link).exists()] == []


def _is_there(path: str) -> bool:
    places = [ROOT, PACKAGE, *(folder for folder in PACKAGE.iterdir() if folder.is_dir())]
    return any((place / path).exists() for place in places)


def test_paths_in_shell_blocks_exist() -> None:
    """What a block copies or runs from the repository is there."""
    for text in DOCUMENTS.values():
        for block in blocks(text, "sh"):
            for path in re.findall(r"(?<![\w./-])((?:tests|systemd|notifier|docs|\.ci)/[\w./-]+)", block):
                assert (ROOT / path).exists(), path


def test_the_readme_has_the_two_commands_as_ci_runs_them() -> None:
    """CI takes the lines out of the README, so they stand there alone and word for word."""
    lines = README.splitlines()
    assert "python3 -m venv .venv && .venv/bin/pip install -q -e . && .venv/bin/notifier demo" in lines
    assert "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/pytest" in lines


def test_exit_codes() -> None:
    """The README's exit codes are those of the commands."""
    told = {int(code) for code, _ in table(section(README, "## Commands"), "exit code")}
    assert told == {0} | {value for name, value in vars(cli).items() if name.startswith("EXIT_")}


def test_the_unit_is_where_the_readme_says() -> None:
    """The README installs what the unit starts."""
    unit = (ROOT / "systemd" / "notifier.service").read_text()
    service = section(README, "## Install it as a service")
    assert "ExecStart=/opt/notifier/bin/notifier run -c /etc/notifier/config.yaml" in unit
    for told in ("python3 -m venv /opt/notifier", "`/etc/notifier/config.yaml`", "store: /var/lib/notifier/"):
        assert told in service
    assert "StateDirectory=notifier" in unit
    assert "RestartPreventExitStatus=78 243" in unit
    assert "exit code 78" in service
    assert "(243)" in service


def test_the_changelog_has_this_version() -> None:
    """The latest version in the changelog is the package's."""
    versions = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert versions[0] == notifier.__version__


@pytest.mark.parametrize(
    ("first", "transitions"), [("A watch.", WATCH_TRANSITIONS), ("A delivery.", DELIVERY_TRANSITIONS)]
)
def test_states(first: str, transitions: dict[str, frozenset[str]]) -> None:
    """ARCHITECTURE.md has the tables of ``model.py``."""
    states = section(DOCUMENTS["ARCHITECTURE.md"], "## States")
    told = table(states[states.index(first) :].split("\n\n", 2)[1] + "\n", "from")
    assert {old.strip("`"): set(re.findall(r"`(\w+)`", new)) for old, new in told} == {
        str(old): {str(new) for new in news} for old, news in transitions.items()
    }


def test_no_paths_of_somebodys_machine() -> None:
    """The repository speaks of the project alone."""
    foreign = ["/" + path for path in ("work/", "tmp/dev", "root/.", "home/" + "user")]
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in repository_files()
        for word in foreign
        if word in path.read_text("utf-8", "replace")
    ]
    assert found == []
