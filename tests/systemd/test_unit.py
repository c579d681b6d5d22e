"""The unit file: systemd understands every line of it, and finds little to say against it."""

import re

from notifier.app import DRAIN_DEADLINE
from systemd.nsmachine import Machine

UNIT_FILE = "/etc/systemd/system/notifier.service"
HIGHEST_EXPOSURE = 1.1


def test_verify_is_silent(machine: Machine) -> None:
    """``systemd-analyze verify`` only warns of unknown settings, so any word of it is a failure."""
    verified = machine.run("systemd-analyze", "verify", UNIT_FILE)
    assert verified.stdout + verified.stderr == ""


def test_verify_would_tell(machine: Machine) -> None:
    """The check above can fail: an unknown setting is told."""
    machine.install("notifier.service.d/wrong.conf", "[Service]\nProtectEverything=yes\n")
    assert "ProtectEverything" in machine.run("systemd-analyze", "verify", UNIT_FILE).stderr


def test_exposure(machine: Machine) -> None:
    """``systemd-analyze security`` rates the unit as hardly exposed."""
    rated = machine.run("systemd-analyze", "security", "--offline=true", "--threshold=11", UNIT_FILE)
    found = re.search(r"Overall exposure level for notifier\.service: ([0-9.]+)", rated.stdout)
    assert found is not None, rated.stdout
    assert float(found[1]) <= HIGHEST_EXPOSURE


def test_longer_than_the_drain(machine: Machine) -> None:
    """Systemd waits longer for the end than the daemon takes for its drain."""
    shown = machine.show("notifier", "TimeoutStopUSec")["TimeoutStopUSec"]
    assert shown == "25s"
    assert DRAIN_DEADLINE <= 25 - 3
