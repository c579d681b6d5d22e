"""What every test shares."""

import pytest


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
