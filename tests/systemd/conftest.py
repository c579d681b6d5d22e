"""Machines to run the unit in. Where none can be booted the tests skip; with NOTIFIER_REQUIRE_REAL=1 they fail."""

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from systemd.installation import DROP_IN, UNIT, installation
from systemd.nsmachine import Machine, UnbootableError, preflight


@functools.cache
def obstacle() -> str | None:
    """Say why no machine can be booted here; ``None`` when one can."""
    try:
        preflight()
    except UnbootableError as reason:
        return str(reason)
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once, in one line, why these tests did not run."""
    if terminalreporter.stats.get("skipped") and obstacle():
        terminalreporter.write_line(f"tests/systemd skipped, no systemd can be booted here: {obstacle()}")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What is bound into every machine."""
    if obstacle() and os.environ.get("NOTIFIER_REQUIRE_REAL") == "1":
        pytest.fail(f"a real systemd is required, but none can be booted here: {obstacle()}", pytrace=False)
    if obstacle():
        pytest.skip(f"no systemd can be booted here: {obstacle()}")
    return installation(tmp_path_factory.mktemp("notifier"))


@pytest.fixture
def machine(installed: dict[str, Path]) -> Iterator[Machine]:
    """A fresh machine with the unit installed and nothing started."""
    with Machine(installed) as machine:
        machine.write("/etc/systemd/system/notifier.service.d/interpreter.conf", DROP_IN)
        machine.install("notifier.service", UNIT.read_text())
        yield machine
