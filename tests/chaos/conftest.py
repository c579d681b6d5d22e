"""What the tests in which things go badly share."""

import os
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from chaos.world import World, world

SEED = int(os.environ.get("NOTIFIER_CHAOS_SEED") or random.SystemRandom().randrange(1_000_000))
os.environ["NOTIFIER_CHAOS_SEED"] = str(SEED)  # the workers that xdist starts take it from here
FIGURES = "figures"


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[World]:
    """HubSpot and a receiver, served."""
    async with world(tmp_path) as made:
        yield made


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Chance that can be had again: NOTIFIER_CHAOS_SEED is printed at the end."""
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Have a line of figures printed at the end; they travel with the test's report, from a worker, too."""
    return lambda line: request.node.user_properties.append((FIGURES, line))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the seed and what was counted."""
    terminalreporter.write_line(f"NOTIFIER_CHAOS_SEED={SEED}")
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    for name, line in (each for report in reports if report.when == "call" for each in report.user_properties):
        if name == FIGURES:
            terminalreporter.write_line(str(line))
