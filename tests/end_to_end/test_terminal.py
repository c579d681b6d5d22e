"""What reaches a terminal, and what a terminal's going does: foreign text, secrets, signals, full devices."""

import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from anyio import to_thread
from click.testing import CliRunner, Result
from peers import answers, peer
from rig import SECRET, TOKEN, Rig, rig
from samples import a_watch, hold_file
from shell import Shell, config

from notifier.cli import notifier
from notifier.cli.session import with_store
from notifier.simulator.actions import Answer
from notifier.store.sqlite import SqliteStore

HOSTILE = "\x1b]0;owned\x07\x1b[31mred\u202e"

# As `notifier`, but a second signal waits for a stuck thread only so long.
IMPATIENT = "import notifier.cli.run as it; it.THREAD_PATIENCE = 0.2; from notifier.cli import main; main()"


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Rig]:
    """Simulated HubSpot and receiver."""
    async with rig(tmp_path, create_unknown=True) as made:
        yield made


@pytest.fixture
def shell(it: Rig) -> Shell:
    """A folder with a configuration without tasks."""
    made = Shell(it.folder)
    made.configure(config(it.hubspot_url, it.receiver_url))
    return made


def here(folder: Path, *words: str) -> Result:
    """Run a command in this process, on the configuration of ``folder``."""
    environ = {"HUBSPOT_TOKEN": TOKEN, "WEBHOOK_SECRET": SECRET}
    return CliRunner().invoke(notifier, [*words, "-c", str(folder / "config.yaml")], env=environ)


async def test_a_secret_that_hubspot_quotes_stays_out_of_the_log(tmp_path: Path) -> None:
    """What it says of refused credentials is logged, and no secret of the configuration with it."""
    said = json.dumps({"status": "error", "category": "INVALID_AUTHENTICATION", "message": f"{SECRET} is no token"})
    refusal = f"HTTP/1.1 401 No\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n{said}"
    shell = Shell(tmp_path)
    async with peer(answers(refusal.encode())) as hubspot:
        shell.configure(config(hubspot.url, "http://127.0.0.1:1", "a"))
        async with shell.running("run"):
            log = await shell.until_logged('"account.rejected"')
        log = (tmp_path / "stderr.log").read_text()
    assert "is no token" in log
    assert SECRET not in log
    assert SECRET.removeprefix("whsec_") not in log


async def test_a_second_signal_ends_it_whatever_a_thread_is_stuck_in(it: Rig, shell: Shell) -> None:
    """Its commit waits for another program, for longer than anybody who pressed Ctrl-C twice wants to."""
    shell.configure(config(it.hubspot_url, it.receiver_url, "a"))
    it.hubspot.add_task("a", pending=0.0, ends="never")
    async with shell.running("run", program=("-c", IMPATIENT)) as process:
        await shell.until_logged('"poll.changed"')
        with hold_file(it.store_path):
            polls = it.hubspot.statistics.per_task["a"]
            with anyio.fail_after(5):
                while it.hubspot.statistics.per_task["a"] == polls:
                    await anyio.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            await shell.until_logged('"daemon.stopping"')
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            with anyio.fail_after(5):
                code = await process.wait()
        assert time.monotonic() - began < 3.0
    assert code == 128 + signal.SIGTERM


async def test_a_hang_up_without_a_terminal_ends_nothing(it: Rig, shell: Shell) -> None:
    """As logrotate sends it: the daemon runs on, and stops when it is told to."""
    shell.configure(config(it.hubspot_url, it.receiver_url, "a"))
    it.hubspot.add_task("a", pending=0.0, ends="never")
    async with shell.running("run") as process:
        await shell.until_logged('"poll.changed"')
        process.send_signal(signal.SIGHUP)
        it.hubspot.end_task("a")
        await it.receiver.wait_for(1)
        assert process.returncode is None
        assert '"daemon.stopping"' not in (it.folder / "stderr.log").read_text()
    assert process.returncode == 0


async def test_a_full_device_is_one_line(shell: Shell) -> None:
    """`notifier --help > /dev/full`, and any other command."""
    with Path("/dev/full").open("wb") as full:
        done = await anyio.run_process(
            [sys.executable, "-m", "notifier", "config", "schema"],
            check=False,
            cwd=shell.folder,
            env=shell.environment(),
            stdout=full,
        )
    assert (done.returncode, done.stderr.decode()) == (1, "notifier: can't write: No space left on device\n")


async def test_what_a_receiver_answers_can_not_move_the_cursor(it: Rig, shell: Shell) -> None:
    """`callback test` shows the answer with its control characters as dots."""
    it.receiver.script(Answer(400, body=HOSTILE.encode()))
    done = await to_thread.run_sync(here, it.folder, "callback", "test", "erp")
    assert done.exit_code == 6
    assert "·]0;owned··[31mred·" in done.stdout
    assert not set(done.output) & set("\x1b\x07\u202e")


def test_what_hubspot_says_can_not_move_the_cursor(tmp_path: Path) -> None:
    """`watch show` and `watch list` show a status, a label and a problem with dots, too."""
    Shell(tmp_path).configure(config("http://127.0.0.1:1", "http://127.0.0.1:1"))

    async def fill(store: SqliteStore) -> None:
        await store.add_watch(a_watch("a", label=HOSTILE, status=HOSTILE, problem=f"odd: {HOSTILE}"))

    with_store(tmp_path / "notifier.db", fill, create=True)
    for words in (("watch", "show", "a"), ("watch", "list"), ("status",)):
        done = here(tmp_path, *words)
        assert done.exit_code == 0, done.output
        assert "·[31mred·" in done.stdout
        assert not set(done.output) & set("\x1b\x07\u202e")


def test_what_is_known_keeps_its_label_and_says_so(tmp_path: Path) -> None:
    """`watch add` once more, with a label: nothing changes, which is no surprise to anybody."""
    Shell(tmp_path).configure(config("http://127.0.0.1:1", "http://127.0.0.1:1"))
    assert "keeps its label" not in here(tmp_path, "watch", "add", "a", "--label", "Old").stderr
    again = here(tmp_path, "watch", "add", "a", "--label", "New")
    assert (again.exit_code, again.stdout) == (0, "a: already known, active\n")
    assert "what was known already keeps its label, callbacks and deadline" in again.stderr
    assert json.loads(here(tmp_path, "watch", "show", "a", "--json").stdout)["label"] == "Old"
    assert "keeps its label" not in here(tmp_path, "watch", "add", "a").stderr


@pytest.mark.parametrize(
    ("deadline", "code"), [("0s", 2), ("999ms", 2), ("1s", 0), ("365d", 0), ("366d", 2), ("99999d", 2)]
)
def test_a_deadline_has_the_bounds_of_the_configuration(tmp_path: Path, deadline: str, code: int) -> None:
    """Neither over before it began nor so far away that nobody lives to hear of it."""
    Shell(tmp_path).configure(config("http://127.0.0.1:1", "http://127.0.0.1:1"))
    done = here(tmp_path, "watch", "add", "a", "--deadline", deadline)
    assert done.exit_code == code
    assert code == 0 or "out of bounds: between 1s and 365d" in done.stderr
    assert (tmp_path / "notifier.db").exists() is (code == 0)


@pytest.mark.parametrize(
    ("ends_in", "standing", "shown"),
    [(600.0, "paused", "account    main paused: 429 DAILY, until "), (-5.0, "ok", "account    main ok\n")],
)
def test_a_paused_account_shows_as_long_as_it_is(tmp_path: Path, ends_in: float, standing: str, shown: str) -> None:
    """A pause that is over is no news, though the store remembers it."""
    Shell(tmp_path).configure(config("http://127.0.0.1:1", "http://127.0.0.1:1"))

    async def fill(store: SqliteStore) -> None:
        await store.pause_account("main", time.time() + ends_in, "429 DAILY")

    with_store(tmp_path / "notifier.db", fill, create=True)
    assert shown in here(tmp_path, "status").stdout
    [account] = json.loads(here(tmp_path, "status", "--json").stdout)["accounts"]
    assert account["standing"] == standing
    assert (account["reason"], account["paused_until"] is None) == (
        ("429 DAILY", False) if standing == "paused" else (None, True)
    )
