"""Machines to run the unit in. Where none can be booted the tests skip; with NOTIFIER_REQUIRE_REAL=1 they fail."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from systemd.installation import DROP_IN, UNIT, installation
from systemd.nsmachine import Machine, UnbootableError, preflight


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What is bound into every machine."""
    try:
        preflight()
    except UnbootableError as reason:
        if os.environ.get("NOTIFIER_REQUIRE_REAL") == "1":
            pytest.fail(f"a real systemd is required, but: {reason}", pytrace=False)
        pytest.skip(f"no real systemd here: {reason}")
    return installation(tmp_path_factory.mktemp("notifier"))


@pytest.fixture
def machine(installed: dict[str, Path]) -> Iterator[Machine]:
    """A fresh machine with the unit installed and nothing started."""
    with Machine(installed) as machine:
        machine.write("/etc/systemd/system/notifier.service.d/interpreter.conf", DROP_IN)
        machine.install("notifier.service", UNIT.read_text())
        yield machine
