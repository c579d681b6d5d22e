"""What the tests in which things go badly share."""

import os
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from chaos.world import World, world

SEED = int(os.environ.get("NOTIFIER_CHAOS_SEED") or random.SystemRandom().randrange(1_000_000))
_figures: list[str] = []


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
def note() -> Callable[[str], None]:
    """Have a line of figures printed at the end."""
    return _figures.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the seed and what was counted."""
    terminalreporter.write_line(f"NOTIFIER_CHAOS_SEED={SEED}")
    for line in _figures:
        terminalreporter.write_line(line)
