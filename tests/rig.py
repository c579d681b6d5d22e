"""A whole notifier in one process for the end-to-end tests: simulated HubSpot, receivers and the daemon on real sockets."""

import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio

from notifier.app import Daemon, Surroundings
from notifier.clock import Clock
from notifier.config.settings import LogSettings, Settings
from notifier.delivery.settings import DEFAULT_SCHEDULE, Callback
from notifier.hubspot.account import Account
from notifier.model import RateLimit, TaskKey, WatchRequest
from notifier.polling.settings import PollingSettings
from notifier.secret import Secret
from notifier.simulator.hubspot import SimulatedHubSpot
from notifier.simulator.receiver import Receiver
from notifier.store.sqlite import SqliteStore, open_sqlite
from notifier.telemetry import Fact

TOKEN = "pat-na1-canary-token-0123456789"
SECRET = "whsec_" + b64encode(b"canary-signing-secret-0123456789").decode()
FAST = PollingSettings(request_cost=0.01, deadline=30.0, timeout=2.0, lost_after_answers=3, lost_after=0.2)


def account(base_url: str, name: str = "main", token: str = TOKEN) -> Account:
    """An account of the simulator with a limit that never binds."""
    return Account(name, Secret(token), base_url=base_url, rate_limit=RateLimit(100_000, 10.0))


def webhook(url: str, name: str = "erp", **changes: object) -> Callback:
    """A signed webhook."""
    return replace(Callback(name, Secret(url), secrets=(Secret(SECRET),)), **changes)


def slack(url: str, name: str = "ops", **changes: object) -> Callback:
    """A Slack callback without the rate of one message a second."""
    return replace(Callback(name, Secret(url), format="slack", concurrency=1), **changes)


def request(task_id: str, account_name: str = "main", **changes: object) -> WatchRequest:
    """A wish to watch a file import."""
    return replace(WatchRequest(TaskKey(account_name, "hubspot.file_import", task_id), deadline=30.0), **changes)


@dataclass
class Facts:
    """Remembers what was reported, and lets a test wait for it."""

    seen: list[Fact] = field(default_factory=list)
    _changed: anyio.Event = field(default_factory=anyio.Event)

    def __call__(self, fact: Fact) -> None:
        self.seen.append(fact)
        self._changed.set()

    def named(self, name: str) -> list[Fact]:
        return [fact for fact in self.seen if fact.name == name]

    async def wait_for(
        self, name: str, count: int = 1, *, timeout: float = 15.0, where: Callable[[Fact], bool] = lambda _: True
    ) -> list[Fact]:
        """Wait until ``count`` facts of that name were reported."""
        with anyio.fail_after(timeout):
            while len(found := [fact for fact in self.named(name) if where(fact)]) < count:
                self._changed = anyio.Event()
                await self._changed.wait()
        return found


@dataclass
class Rig:
    """What a test drives: make it, start daemons on it, look at what arrived."""

    folder: Path
    hubspot: SimulatedHubSpot
    receiver: Receiver
    hubspot_url: str
    receiver_url: str
    facts: Facts = field(default_factory=Facts)
    clock: Clock = field(default_factory=Clock)

    @property
    def store_path(self) -> Path:
        return self.folder / "notifier.db"

    def settings(
        self,
        tasks: Iterable[WatchRequest | str] = (),
        callbacks: Iterable[Callback] | None = None,
        *,
        accounts: Iterable[Account] | None = None,
        polling: PollingSettings = FAST,
        schedule: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2),
    ) -> Settings:
        callbacks = [webhook(self.receiver_url + "/hook")] if callbacks is None else callbacks
        accounts = [account(self.hubspot_url)] if accounts is None else accounts
        return Settings(
            accounts={each.name: each for each in accounts},
            callbacks={each.name: each for each in callbacks},
            tasks=tuple(request(task) if isinstance(task, str) else task for task in tasks),
            polling=polling,
            schedule=schedule or DEFAULT_SCHEDULE,
            store=self.store_path,
            log=LogSettings(),
        )

    @asynccontextmanager
    async def daemon(self, settings: Settings) -> AsyncIterator[anyio.Event]:
        """Run a daemon; leaving the block asks it to stop and waits until it has drained."""
        ready, stopping = anyio.Event(), anyio.Event()
        surroundings = Surroundings(report=self.facts, clock=self.clock, random01=lambda: 0.5, on_ready=ready.set)
        async with anyio.create_task_group() as group:
            group.start_soon(Daemon(settings, surroundings).run, stopping)
            with anyio.fail_after(10):
                await ready.wait()
            yield stopping
            stopping.set()

    @asynccontextmanager
    async def store(self) -> AsyncIterator[SqliteStore]:
        """Look into the store from beside the daemon, as a command does."""
        async with open_sqlite(self.store_path, daemon=False) as store:
            yield store


@asynccontextmanager
async def rig(folder: Path, **hubspot: object) -> AsyncIterator[Rig]:
    """Serve a simulated HubSpot and a verifying receiver."""
    simulated = SimulatedHubSpot(**({"tokens": [TOKEN], "rate_limit": None} | hubspot))
    receiver = Receiver([SECRET])
    async with simulated.serve() as hubspot_url, receiver.serve() as receiver_url:
        yield Rig(folder, simulated, receiver, hubspot_url, receiver_url)


def fresh_secret() -> str:
    """A signing secret of its own."""
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()
