"""What a real systemd makes of ``notifier.systemd`` and ``notifier.log``, under the unit's own hardening."""

import signal

from systemd.nsmachine import Machine

CANARY = "canary-of-a-secret"


def play(machine: Machine, part: str, *settings: str) -> None:
    """Put ``programs/play.py`` in the place of the daemon."""
    lines = ["[Service]", "ExecStart=", f"ExecStart=/opt/notifier/bin/python /opt/programs/play.py {part}", *settings]
    machine.install("notifier.service.d/play.conf", "\n".join(lines) + "\n")


def signal_outside(machine: Machine, unit: str, number: signal.Signals) -> None:
    """Send a signal to a unit's main process past systemd."""
    machine.run("kill", f"-{number.name}", str(machine.main_pid(unit)))


def test_activating_until_ready(machine: Machine) -> None:
    """The unit is activating until READY=1, then active; the status line is shown as it was written."""
    play(machine, "get_ready_and_reload")
    machine.systemctl("start", "--no-block", "notifier")
    machine.wait_for("notifier", ActiveState="activating", StatusText="starting")
    machine.systemctl("kill", "-s", "USR1", "notifier")
    machine.wait_for("notifier", ActiveState="active", SubState="running", StatusText="prêt — 2 watches")
    assert 'Status: "prêt — 2 watches"' in machine.describe("notifier")


def test_reloading_until_ready(machine: Machine) -> None:
    """RELOADING=1 shows the unit as reloading, READY=1 ends it."""
    play(machine, "get_ready_and_reload")
    machine.systemctl("start", "--no-block", "notifier")
    machine.wait_for("notifier", StatusText="starting")
    machine.systemctl("kill", "-s", "USR1", "notifier")
    machine.wait_for("notifier", ActiveState="active")
    machine.systemctl("kill", "-s", "HUP", "notifier")
    machine.wait_for("notifier", ActiveState="reloading")
    machine.systemctl("kill", "-s", "USR1", "notifier")
    machine.wait_for("notifier", ActiveState="active", StatusText="reloaded")


def test_journal_fields(machine: Machine) -> None:
    """Fields are found by journalctl; nothing in a text can forge a field; large entries arrive whole."""
    play(machine, "fill_the_journal")
    machine.start("notifier")
    entries = {entry["NOTIFIER_TASK_ID"]: entry for entry in machine.journal("NOTIFIER_EVENT=program.noted")}
    assert set(entries) == {"plain", "forged", "secret", "large"}
    plain = entries["plain"]
    assert (plain["PRIORITY"], plain["SYSLOG_IDENTIFIER"], plain["NOTIFIER_COUNT"]) == ("4", "notifier", "1")
    assert plain["_SYSTEMD_UNIT"] == "notifier.service"
    assert plain["MESSAGE"] == "program.noted task_id=plain text=text count=1"
    assert entries["forged"]["PRIORITY"] == "4"
    assert entries["forged"]["NOTIFIER_TEXT"] == "line\nPRIORITY=0\nMESSAGE=forged \\udc80 ü"
    assert entries["large"]["MESSAGE"] == "large\n" + "x" * 700_000


def test_no_secret_in_the_journal(machine: Machine) -> None:
    """A secret is masked in fields, messages and tracebacks."""
    play(machine, "fill_the_journal")
    machine.start("notifier")
    assert machine.journal("NOTIFIER_TASK_ID=secret")[0]["NOTIFIER_TEXT"] == "Bearer ****"
    crash = machine.journal("NOTIFIER_EVENT=daemon.crashed")[0]
    assert crash["PRIORITY"] == "2"
    assert "ValueError: **** in an error" in crash["MESSAGE"]
    assert "Traceback (most recent call last)" in crash["MESSAGE"]
    assert CANARY not in machine.run("journalctl", "-o", "export", "--all").stdout


def test_watchdog_kill_leaves_the_stacks(machine: Machine) -> None:
    """A loop that stands still is aborted, its stack is in the journal, and the unit starts again."""
    play(machine, "get_stuck", "WatchdogSec=1s")
    machine.start("notifier")
    stuck = machine.main_pid("notifier")
    machine.until(
        lambda: machine.main_pid("notifier") not in {0, stuck}, lambda: machine.describe("notifier"), deadline=20
    )
    assert machine.show("notifier", "NRestarts") == {"NRestarts": "1"}
    told = [str(entry["MESSAGE"]) for entry in machine.journal(f"_PID={stuck}")]
    assert "Fatal Python error: Aborted" in told
    assert any("in block_the_loop_here" in line for line in told)


def test_frozen_journal(machine: Machine) -> None:
    """A journal that stands still costs lines, not the daemon; the number lost is told when it goes on."""
    play(machine, "log_without_end", "WatchdogSec=2s")
    machine.start("notifier")
    daemon = machine.main_pid("notifier")
    signal_outside(machine, "systemd-journald", signal.SIGSTOP)
    before = _round(machine)
    machine.until(lambda: _round(machine) > before + 20, lambda: machine.describe("notifier"))
    signal_outside(machine, "systemd-journald", signal.SIGCONT)
    machine.until(lambda: bool(machine.journal("NOTIFIER_EVENT=log.dropped")), lambda: "no line tells of the loss")
    assert machine.main_pid("notifier") == daemon
    assert int(machine.journal("NOTIFIER_EVENT=log.dropped")[0]["NOTIFIER_COUNT"]) > 1000
    machine.systemctl("stop", "notifier")
    assert machine.show("notifier", "Result") == {"Result": "success"}


def _round(machine: Machine) -> int:
    return int(machine.show("notifier", "StatusText")["StatusText"].split()[1])
