"""The commands, as processes, with their exit codes and what they print."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from anyio import to_thread
from rig import Rig, rig
from shell import Shell, config


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Rig]:
    """Simulated HubSpot and receiver."""
    async with rig(tmp_path, create_unknown=True) as made:
        yield made


@pytest.fixture
def shell(it: Rig) -> Shell:
    """A folder with a configuration that lists three tasks of the simulator."""
    made = Shell(it.folder)
    made.configure(
        config(it.hubspot_url, it.receiver_url, "ok-100ms", "{id: errors-200ms, label: Spring catalogue}", "forever-1")
    )
    return made


async def test_demo(tmp_path: Path) -> None:
    """The first command of the README: exit 0 only if everything arrived once and verified, plain lines in a pipe."""
    done = await Shell(tmp_path, environ={})("demo")
    assert (done.code, done.err) == (0, "")
    assert done.out.count("/hook: signature verified") == 6
    assert done.out.count("fits Slack's limits") == 6
    assert "Product photos: task.failed" in done.out
    assert "Press kit: task.canceled" in done.out
    assert "\x1b" not in done.out
    assert list(tmp_path.iterdir()) == []


async def test_demo_on_a_terminal(tmp_path: Path) -> None:
    """On a terminal it is a table that moves."""
    output = await to_thread.run_sync(_on_terminal, tmp_path, "demo")
    assert "Spring catalogue" in output
    assert "\x1b[" in output
    assert "12 callbacks arrived" in output.replace("\r\n", " ")


def _on_terminal(folder: Path, *arguments: str) -> str:
    """Run a command on a pseudo-terminal and give everything it wrote."""
    master, slave = pty.openpty()
    environ = Shell(folder, environ={"TERM": "xterm", "COLUMNS": "150", "LINES": "50"}).environment()
    with subprocess.Popen(
        [sys.executable, "-m", "notifier", *arguments], cwd=folder, env=environ, stdin=slave, stdout=slave, stderr=slave
    ) as process:
        os.close(slave)
        output = b""
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            output += chunk
    os.close(master)
    assert process.returncode == 0
    return output.decode()


async def test_the_main_job_seen_through_the_commands(it: Rig, shell: Shell) -> None:
    """A daemon and every command that looks at what it does."""
    async with shell.running("run", "-c", "config.yaml"):
        await it.receiver.wait_for(4)
        await shell.until_logged('"attempt.finished"', count=4)

        status = (await shell("status", "--json")).json
        assert status["daemon_pid"]
        assert status["watches"] == {"active": 1, "ended": 2, "expired": 0, "lost": 0, "removed": 0}
        assert [(each["name"], each["delivered"], each["standing"]) for each in status["callbacks"]] == [
            ("erp", 2, "ok"),
            ("ops", 2, "ok"),
        ]
        text = (await shell("status")).out
        assert "daemon     running" in text
        assert "forever-1" in text

        watches = {each["task_id"]: each for each in (await shell("watch", "list", "--json")).json}
        assert watches["errors-200ms"]["outcome"] == "failed"
        assert watches["forever-1"]["state"] == "active"
        assert (await shell("watch", "list", "--state", "ended")).out.count("\n") == 3

        shown = (await shell("watch", "show", "errors-200ms", "--json")).json
        assert shown["label"] == "Spring catalogue"
        assert {each["callback"] for each in shown["deliveries"]} == {"erp", "ops"}
        assert shown["deliveries"][0]["tries"][0]["status_code"] == 200

        deliveries = (await shell("delivery", "list", "--callback", "erp", "--json")).json
        assert [each["state"] for each in deliveries] == ["delivered", "delivered"]
        one = (await shell("delivery", "show", deliveries[0]["delivery_id"][:14], "--json")).json
        assert one["event"]["data"]["task_id"] == one["task_id"]

        again = await shell("delivery", "redeliver", deliveries[0]["delivery_id"])
        assert (again.code, again.err) == (0, "")
        await it.receiver.wait_for(5)
        assert it.receiver.arrivals[-1].webhook_id == deliveries[0]["event_id"]

        limited = await shell("delivery", "list", "--limit", "1")
        assert "1 of 4 shown" in limited.err

        callbacks = await shell("callback", "list")
        assert "erp" in callbacks.out

        refused = await shell("run", "-c", "config.yaml")
        assert refused.code == 1
        assert "another notifier (process id" in refused.err
        assert refused.err.count("\n") == 1


async def test_watches_added_and_followed(it: Rig, shell: Shell) -> None:
    """Add, follow to each ending, remove."""
    shell.configure(config(it.hubspot_url, it.receiver_url))
    async with shell.running("run"):
        added = await shell(
            "watch", "add", "ok-100ms-a", "errors-100ms-b", "--label", "Later", "--callback", "erp", "--json"
        )
        assert [(each["task_id"], each["new"], each["callbacks"]) for each in added.json] == [
            ("ok-100ms-a", True, ["erp"]),
            ("errors-100ms-b", True, ["erp"]),
        ]
        good = await shell("watch", "follow", "ok-100ms-a")
        assert (good.code, good.out) == (0, "Later: succeeded (HubSpot: COMPLETE)\n")
        bad = await shell("watch", "follow", "errors-100ms-b", "--json")
        assert (bad.code, bad.json["outcome"]) == (3, "failed")
        await shell("watch", "add", "forever-2")
        pending = await shell("watch", "follow", "forever-2", "--timeout", "500ms")
        assert pending.code == 5
        assert (await shell("watch", "add", "ok-100ms-a")).out == "ok-100ms-a: already known, succeeded\n"
        assert (await shell("watch", "remove", "forever-2")).out == "forever-2: no longer watched\n"
        assert (await shell("watch", "show", "forever-2", "--json")).json["state"] == "removed"
        assert (await shell("watch", "follow", "forever-2")).code == 3


async def test_asking_without_a_daemon(it: Rig, shell: Shell) -> None:
    """Commands work on the store alone and say that nobody runs."""
    first = await shell("status")
    assert first.code == 1
    assert "there is no store yet" in first.err
    added = await shell("watch", "add", "ok-100ms")
    assert added.code == 0
    assert "no daemon runs on this store" in added.err
    assert "not running" in (await shell("status")).out
    assert (await shell("watch", "remove", "ok-100ms")).code == 0


async def test_callbacks_tested_disabled_enabled(it: Rig, shell: Shell) -> None:
    """A test sends one marked event; a refused one exits with 6; disabled means held."""
    good = await shell("callback", "test", "erp", "--json")
    assert (good.code, good.json["accepted"], good.json["status_code"]) == (0, True, 200)
    assert json.loads(it.receiver.arrivals[0].body)["data"]["test"] is True
    assert it.receiver.arrivals[0].verified
    slack = await shell("callback", "test", "ops", "--event", "task.failed")
    assert slack.code == 0
    assert it.receiver.arrivals[1].verified
    it.receiver.script(503)
    bad = await shell("callback", "test", "erp")
    assert bad.code == 6
    assert "not accepted: status 503" in bad.out
    it.receiver.script("close")
    assert (await shell("callback", "test", "erp", "--json")).json["reason"] == "connection_reset"

    assert "disabled" in (await shell("callback", "disable", "erp")).out
    async with shell.running("run"):
        await it.receiver.wait_for(6)  # 4 tests, 2 to Slack
        held = (await shell("delivery", "list", "--state", "held", "--json")).json
        assert {each["reason"] for each in held} == {"disabled"}
        assert (await shell("callback", "enable", "erp")).code == 0
        await it.receiver.wait_for(8)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["watch", "show", "nobody"], 1, "no watch on 'nobody'; `notifier watch list` shows"),
        (["delivery", "show", "dlv_nobody"], 1, "no delivery 'dlv_nobody'"),
        (["delivery", "redeliver", "dlv_nobody"], 1, "no delivery 'dlv_nobody'"),
        (["callback", "test", "nobody"], 1, "no callback 'nobody'; configured are erp, ops"),
        (["callback", "enable", "nobody"], 1, "no callback 'nobody'"),
        (["watch", "add", "x", "--callback", "nobody"], 2, "no callback 'nobody'; configured are erp, ops"),
        (["watch", "add", "x", "--account", "nobody"], 2, "no account 'nobody'; configured are main"),
        (["watch", "add", "x", "--deadline", "5"], 2, "did you mean"),
        (["watch", "add", ""], 2, "is no task id"),
        (["watch", "list", "--state", "odd"], 2, "Invalid value for '--state'"),
        (["frobnicate"], 2, "No such command 'frobnicate'"),
        (["status", "-c", "nowhere.yaml"], 78, "nowhere.yaml"),
    ],
)
async def test_mistakes_have_one_clear_answer(shell: Shell, arguments: list[str], code: int, says: str) -> None:
    """No traceback for a mistake of the user's, and the remedy is named."""
    await shell("watch", "add", "ok-1s")
    done = await shell(*arguments)
    assert done.code == code
    assert says in done.err
    assert "Traceback" not in done.err


async def test_completion(tmp_path: Path) -> None:
    """Shells can complete commands."""
    done = await Shell(tmp_path, environ={"_NOTIFIER_COMPLETE": "bash_source"})()
    assert "_notifier_completion" in done.out
    words = {"_NOTIFIER_COMPLETE": "bash_complete", "COMP_WORDS": "notifier watch f", "COMP_CWORD": "2"}
    done = await Shell(tmp_path, environ=words)()
    assert "follow" in done.out
