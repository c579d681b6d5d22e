"""The daemon as a service: start, stop, crash, credentials, journal. HubSpot and the receiver are simulated on the machine's loopback."""

import base64
import json
import time
from typing import Any

import pytest

from systemd.nsmachine import Machine

TOKEN = "canary-of-the-hubspot-token"
SECRET = "whsec_" + base64.b64encode(b"canary-of-the-signing-secret").decode()
CONFIG = """\
accounts:
  main:
    token_credential: hubspot_token
    base_url: http://127.0.0.1:8788
    rate_limit: 1000/1s
callbacks:
  erp:
    url: http://127.0.0.1:8789/hook
    secret_credential: erp_secret
tasks: [{tasks}]
"""
SIMULATOR = f"""\
[Service]
Type=exec
ExecStart=/opt/notifier/bin/notifier simulate --port 8788 --receiver-port 8789 --token {TOKEN} --secret {SECRET} --rate-limit none --json
StandardOutput=append:/run/simulator.jsonl
"""
CREDENTIALS = """\
[Service]
LoadCredential=hubspot_token:/etc/notifier/hubspot_token
LoadCredential=erp_secret:/etc/notifier/erp_secret
"""


MOMENTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 2.0)  # seconds after the start of the process


def simulated(machine: Machine, event: str) -> list[dict[str, Any]]:
    """Give what the simulator told of ``event``: ``serving``, ``request`` or ``callback``."""
    path = machine.path("/run/simulator.jsonl")
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    told = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]
    return [one for one in told if one["event"] == event]


def arrivals(machine: Machine) -> list[str]:
    """Give the task ids of the callbacks that arrived and verified, in order."""
    return [one["body"]["data"]["task_id"] for one in simulated(machine, "callback") if one["verified"]]


def wait_for_arrivals(machine: Machine, *expected: str, deadline: float = 20) -> None:
    """Wait until these tasks, and no others, were told."""
    machine.until(
        lambda: set(arrivals(machine)) == set(expected),
        lambda: f"arrived: {arrivals(machine)}\n{machine.describe('notifier')}\n{machine.describe('simulator')}",
        deadline=deadline,
    )


def configure(machine: Machine, *tasks: str, settings: str = "") -> None:
    """Write the configuration and its credentials, and serve HubSpot and the receiver."""
    machine.write("/etc/notifier/config.yaml", CONFIG.format(tasks=", ".join(tasks)))
    machine.write("/etc/notifier/hubspot_token", TOKEN + "\n", mode=0o600)
    machine.write("/etc/notifier/erp_secret", SECRET + "\n", mode=0o600)
    machine.write("/etc/systemd/system/notifier.service.d/credentials.conf", CREDENTIALS + settings)
    machine.install("simulator.service", SIMULATOR)
    machine.start("simulator")
    machine.until(lambda: bool(simulated(machine, "serving")), lambda: machine.describe("simulator"))


def wait_for_another_process(machine: Machine, old: int) -> None:
    """Wait until the daemon is ready again in a new process."""
    machine.until(lambda: machine.main_pid("notifier") not in {0, old}, lambda: machine.describe("notifier"))
    machine.wait_for("notifier", ActiveState="active", SubState="running")


def test_ready_and_status(machine: Machine) -> None:
    """``systemctl start`` returns when the daemon is ready; its status line is shown, its watchdog on."""
    configure(machine, "forever-1")
    machine.start("notifier")
    shown = machine.show("notifier", "ActiveState", "Type", "WatchdogUSec")
    assert shown == {"ActiveState": "active", "Type": "notify", "WatchdogUSec": "1min"}
    assert 'Status: "watching 1 task' in machine.describe("notifier")


def test_credentials_reach_the_daemon(machine: Machine) -> None:
    """The token opens HubSpot, the secret signs: a task that ends is told, verified, once."""
    configure(machine, "ok-1s", "canceled-1s")
    machine.start("notifier")
    wait_for_arrivals(machine, "ok-1s", "canceled-1s")
    assert len(arrivals(machine)) == 2


def test_journal(machine: Machine) -> None:
    """Lines have fields to ask for, and no secret is in any of them."""
    configure(machine, "ok-1s")
    machine.start("notifier")
    machine.until(
        lambda: bool(machine.journal("NOTIFIER_EVENT=attempt.finished", "NOTIFIER_TASK_ID=ok-1s")),
        lambda: machine.describe("notifier"),
    )
    machine.systemctl("stop", "notifier")
    events = {entry.get("NOTIFIER_EVENT") for entry in machine.journal("SYSLOG_IDENTIFIER=notifier")}
    assert {"daemon.started", "poll.changed", "event.recorded", "attempt.finished", "daemon.stopped"} <= events
    everything = machine.run("journalctl", "-o", "export", "--all").stdout
    assert "NOTIFIER_EVENT=daemon.started" in everything
    assert "canary" not in everything
    assert SECRET not in everything


def test_stop(machine: Machine) -> None:
    """``systemctl stop`` ends the daemon in order: exit code 0, nothing killed."""
    configure(machine, "forever-1", settings="ExecStopPost=echo $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS\n")
    machine.start("notifier")
    began = time.monotonic()
    machine.systemctl("stop", "notifier")
    assert time.monotonic() - began < 10
    said = [entry["MESSAGE"] for entry in machine.journal("--unit=notifier")]
    assert "success exited 0" in said
    assert machine.journal("NOTIFIER_EVENT=daemon.stopped")


def test_stop_during_start_up(machine: Machine) -> None:
    """At whatever moment of the start SIGTERM comes, the daemon stops and nothing counts as a failure."""
    configure(machine, "forever-1")
    for moment in MOMENTS:
        machine.systemctl("start", "--no-block", "notifier")
        machine.until(lambda: machine.main_pid("notifier") != 0, lambda: machine.describe("notifier"))
        time.sleep(moment)
        began = time.monotonic()
        machine.systemctl("stop", "notifier")
        assert time.monotonic() - began < 10
        assert machine.show("notifier", "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
    started = len(machine.journal("NOTIFIER_EVENT=daemon.started"))
    assert 1 <= started < len(MOMENTS), "the moments were all before it was ready, or all after"


def test_bad_configuration(machine: Machine) -> None:
    """A bad configuration fails the start with 78, is told with its place, and is not tried again."""
    configure(machine, "forever-1")
    machine.write("/etc/notifier/config.yaml", "acounts: {}\n")
    assert machine.systemctl("start", "notifier", check=False).returncode != 0
    ended = machine.show("notifier", "ActiveState", "SubState", "ExecMainStatus", "NRestarts")
    assert ended == {"ActiveState": "failed", "SubState": "failed", "ExecMainStatus": "78", "NRestarts": "0"}
    assert "/etc/notifier/config.yaml:1:1" in machine.run("journalctl", "-u", "notifier", "-o", "cat").stdout


def test_missing_credential(machine: Machine) -> None:
    """A credential file that is not there fails the start with 243, and is not tried again."""
    configure(machine, "forever-1")
    machine.path("/etc/notifier/hubspot_token").unlink()
    assert machine.systemctl("start", "notifier", check=False).returncode != 0
    ended = machine.show("notifier", "ActiveState", "SubState", "ExecMainStatus", "NRestarts")
    assert ended == {"ActiveState": "failed", "SubState": "failed", "ExecMainStatus": "243", "NRestarts": "0"}


def test_killed(machine: Machine) -> None:
    """Killed, the daemon starts again with all it knew: what was told is not told again, the rest is."""
    configure(machine, "ok-1s", "ok-5s")
    machine.start("notifier")
    daemon = machine.main_pid("notifier")
    machine.until(
        lambda: bool(machine.journal("NOTIFIER_EVENT=attempt.finished", "NOTIFIER_TASK_ID=ok-1s")),
        lambda: machine.describe("notifier"),
    )
    machine.systemctl("kill", "-s", "KILL", "--kill-whom=main", "notifier")
    wait_for_another_process(machine, daemon)
    wait_for_arrivals(machine, "ok-1s", "ok-5s")
    assert arrivals(machine) == ["ok-1s", "ok-5s"]
    state = machine.path("/var/lib/private/notifier").stat()
    assert state.st_uid >= 61184  # a dynamic user, see systemd's "Users, Groups, UIDs and GIDs"
    assert state.st_mode & 0o777 == 0o700


@pytest.mark.timeout(60)
def test_frozen(machine: Machine) -> None:
    """A daemon that stands still is killed by the watchdog and starts again."""
    configure(machine, "ok-4s", settings="WatchdogSec=2s\nTimeoutAbortSec=1s\n")
    machine.start("notifier")
    daemon = machine.main_pid("notifier")
    machine.systemctl("kill", "-s", "STOP", "--kill-whom=main", "notifier")
    wait_for_another_process(machine, daemon)
    assert machine.show("notifier", "NRestarts") == {"NRestarts": "1"}
    wait_for_arrivals(machine, "ok-4s")


@pytest.mark.timeout(60)
def test_frozen_journal(machine: Machine) -> None:
    """A journal that stands still stops neither the watchdog's pings nor a single callback."""
    tasks = [f"ok-2s-{number}" for number in range(40)]
    configure(machine, *tasks, settings="WatchdogSec=2s\n")
    machine.start("notifier")
    daemon = machine.main_pid("notifier")
    machine.systemctl("kill", "-s", "STOP", "systemd-journald")
    wait_for_arrivals(machine, *tasks)
    seen = len(simulated(machine, "request"))
    machine.systemctl("kill", "-s", "CONT", "systemd-journald")
    assert seen > len(tasks)
    assert machine.main_pid("notifier") == daemon
    assert machine.show("notifier", "NRestarts") == {"NRestarts": "0"}
