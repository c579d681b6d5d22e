"""``notifier simulate`` as a person starts it: a program of its own."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from notifier.cli.simulate import simulate
from notifier.simulator.modes import MODES

SECRET = "whsec_" + "QUJD" * 10


@contextmanager
def running(*options: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command on free ports; it is ended with the block, if it hasn't been."""
    command = [sys.executable, "-m", "notifier", "simulate", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        try:
            yield program
        finally:
            program.kill()


def line(program: subprocess.Popen[str]) -> str:
    """Read the next line it prints."""
    assert program.stdout is not None
    return program.stdout.readline().rstrip("\n")


def ask(url: str, task_id: str, token: str = "t") -> httpx.Response:
    """Ask for a task's status."""
    return httpx.get(
        f"{url}/files/v3/files/import-from-url/async/tasks/{task_id}/status",
        headers={"Authorization": f"Bearer {token}"},
    )


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_lines_and_stop(stop: signal.Signals) -> None:
    """It prints its address, a line per request, a configuration on stderr, and ends with 0 when told."""
    with running() as program:
        url = line(program).removeprefix("HubSpot is ")
        assert ask(url, "ok-5s").json()["status"] == "PENDING"
        assert line(program).endswith("GET  ok-5s  200  PENDING")
        ask(url, "unknown-%1b[2J")
        assert line(program).endswith("GET  unknown-\ufffd[2J  404  -")
        program.send_signal(stop)
        rest, errors = program.communicate(timeout=10)
    assert (program.returncode, rest) == (0, "")
    assert f"base_url: {url}" in errors
    assert "callbacks:" not in errors


def test_json_and_receiver() -> None:
    """With --json every line is an object; callbacks are told with their verdict."""
    with running("--json", "--receiver-port", "0") as program:
        told: dict[str, Any] = json.loads(line(program))
        assert told["event"] == "serving"
        assert told["receiver_secret"].startswith("whsec_")
        ask(told["base_url"], "ok-5s")
        request = json.loads(line(program))
        assert (request["event"], request["task_id"], request["http_status"]) == ("request", "ok-5s", 200)
        assert httpx.post(told["receiver_url"] + "/erp", json={"type": "task.succeeded"}).status_code == 401
        callback = json.loads(line(program))
        assert (callback["event"], callback["path"], callback["verified"]) == ("callback", "/erp", False)
        assert callback["body"] == {"type": "task.succeeded"}
        program.send_signal(signal.SIGTERM)
        assert program.communicate(timeout=10) == ("", "")
    assert program.returncode == 0


def test_given_secrets_are_not_repeated() -> None:
    """Neither the token nor the webhook secret of the command line is printed."""
    with running("--token", "pat-very-secret", "--receiver-port", "0", "--secret", SECRET) as program:
        first = line(program)
        url = first.removeprefix("HubSpot is ").partition(",")[0]
        assert [ask(url, "ok-5s", token).status_code for token in ("t", "pat-very-secret")] == [401, 200]
        program.send_signal(signal.SIGTERM)
        rest, errors = program.communicate(timeout=10)
    assert "very-secret" not in first + rest + errors
    assert SECRET not in first + rest + errors
    assert "${WEBHOOK_SECRET}" in errors


def test_faults() -> None:
    """A fault of the command line strikes, and is named in the line."""
    with running("--fault", "html_200", "--rate-limit", "none") as program:
        url = line(program).removeprefix("HubSpot is ")
        assert "<html>" in ask(url, "a").text
        assert line(program).endswith("(html_200)")


def test_nobody_reads_on() -> None:
    """When its reader leaves it ends in order."""
    with running() as program:
        url = line(program).removeprefix("HubSpot is ")
        assert program.stdout is not None
        program.stdout.close()
        ask(url, "a")
        assert program.wait(timeout=10) == 0
        assert program.stderr is not None
        assert "Traceback" not in program.stderr.read()


def test_taken_port() -> None:
    """A port that is taken is one clear line and exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with running("--port", str(port)) as program:
            out, errors = program.communicate(timeout=10)
    assert (program.returncode, out) == (1, "")
    assert errors == f"notifier: port {port} of 127.0.0.1 is taken; choose another, or 0 for any free one\n"


def test_list_faults() -> None:
    """Every fault is listed with its description."""
    result = CliRunner().invoke(simulate, ["--list-faults"])
    assert result.exit_code == 0
    assert [entry.split()[0] for entry in result.output.splitlines()] == list(MODES)


def test_help_holds_the_grammar() -> None:
    """The help shows how ids are scripted."""
    assert "pending-2s-processing-4s-complete" in CliRunner().invoke(simulate, ["--help"]).output


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--fault", "http500"], "is no fault"),
        (["--fault", "hang:2"], "between 0 and 1"),
        (["--fault", "hang:often"], "between 0 and 1"),
        (["--rate-limit", "100"], "100/10s"),
        (["--rate-limit", "x/10s"], "100/10s"),
        (["--rate-limit", "0/10s"], "nothing through"),
        (["--min-duration", "5"], "not a duration"),
        (["--min-duration", "5s", "--max-duration", "1s"], "longer than"),
        (["--port", "65536"], "65535"),
        (["--secret", "whsec_abc"], "24 to 64"),
    ],
)
def test_usage_errors(options: list[str], says: str) -> None:
    """A wrong option is a usage error that says what would be right."""
    result = CliRunner().invoke(simulate, options)
    assert result.exit_code == 2
    assert says in result.output
