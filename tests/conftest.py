"""What every test shares."""

import os

import pytest
from hypothesis import settings

# A busy machine is no failure. By hand each run tries new examples; CI tries the same ones, so that it fails for a reason.
settings.register_profile("by hand", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("NOTIFIER_REQUIRE_REAL") else "by hand")


@pytest.fixture
def anyio_backend() -> str:
    """The backend the daemon runs on: APScheduler's asynchronous scheduler is asyncio's."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's proxies and notifier's own variables out of the tests."""
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NOTIFIER_CONFIG",
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "STATE_DIRECTORY",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
