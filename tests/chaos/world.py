"""What surrounds the daemon: HubSpot and a receiver in the tests' own program, which is never killed and knows the truth."""

import json
import sqlite3
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import anyio
import yaml

from chaos.daemon import NOTIFIER, Daemon, closing_all, environment
from notifier.simulator.hubspot import SimulatedHubSpot
from notifier.simulator.receiver import Arrival, Receiver

TOKEN = "pat-na1-canary-of-the-token-0123456789"
SECRET = "whsec_" + b64encode(b"canary-of-the-signing-secret-0123").decode()
STORE = "notifier.db"
Config = dict[str, Any]


@dataclass
class World:
    """What a test drives: write a configuration, start daemons on it, look at what arrived."""

    folder: Path
    hubspot: SimulatedHubSpot
    receiver: Receiver
    hubspot_url: str
    receiver_url: str
    store: Path  # the daemon's; may be moved before ``config``
    on_arrival: Callable[[], None] = lambda: None
    on_poll: Callable[[], None] = lambda: None
    daemons: list[Daemon] = field(default_factory=list)

    @property
    def config_file(self) -> Path:
        return self.folder / "config.yaml"

    def config(self, tasks: Iterable[str] = (), *, callbacks: Iterable[str] = ("erp",)) -> Config:
        """A configuration in which nothing takes long; change it and ``write`` it."""
        return {
            "accounts": {"main": {"token": TOKEN, "base_url": self.hubspot_url, "rate_limit": "100000/1s"}},
            "callbacks": {name: self.callback(name) for name in callbacks},
            "tasks": list(tasks),
            "polling": {"request_cost": "50ms", "deadline": "10m", "timeout": "2s"},
            "delivery": {"max_attempts": 1000, "schedule": ["0s", "50ms", "100ms", "200ms"]},
            "store": str(self.store),
            "log": {"level": "info", "format": "json"},
        }

    def callback(self, name: str) -> Config:
        """A signed webhook whose path at the receiver is its name."""
        return {
            "url": f"{self.receiver_url}/{name}",
            "secret": SECRET,
            "timeout": "1s",
            "events": ["task.*", "watch.*"],
        }

    def write(self, config: Mapping[str, Any]) -> Path:
        """Write the configuration, for the daemon's user only."""
        self.config_file.write_text(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))
        self.config_file.chmod(0o600)
        return self.config_file

    def start(self, *, program: Sequence[str] = NOTIFIER, enter: Sequence[str] = ()) -> Daemon:
        """Start a daemon on the configuration that was written last."""
        errors = self.folder / f"daemon-{len(self.daemons)}.log"
        self.daemons.append(Daemon(self.config_file, errors, program=program, enter=enter))
        return self.daemons[-1]

    async def started(self, *, program: Sequence[str] = NOTIFIER, enter: Sequence[str] = ()) -> Daemon:
        """Start a daemon and wait until it is ready."""
        daemon = self.start(program=program, enter=enter)
        await daemon.ready()
        return daemon

    async def command(self, *arguments: str, program: Sequence[str] = NOTIFIER) -> "CompletedProcess[bytes]":
        """Run a command on the configuration to its end."""
        argv = [sys.executable, *program, *arguments, "-c", str(self.config_file)]
        with anyio.fail_after(30):
            return await anyio.run_process(argv, check=False, env=environment(self.folder), cwd=self.folder)

    async def pending(self) -> list[Config]:
        """What the daemon still owes, as the command tells it."""
        finished = await self.command("delivery", "list", "--state", "pending", "--json", "--limit", "100000")
        assert finished.returncode == 0, finished.stderr
        owed: list[Config] = json.loads(finished.stdout)
        return owed

    def is_idle(self) -> bool:
        """Tell whether no task is watched and nothing is owed any more."""
        query = """SELECT (SELECT count(*) FROM watches WHERE state = 'active')
                   + (SELECT count(*) FROM deliveries WHERE state = 'pending')"""
        with closing(sqlite3.connect(self.store)) as connection:
            return bool(connection.execute(query).fetchone() == (0,))

    def told(self) -> set[tuple[str, str]]:
        """The tasks that were told, by (callback, task id): the receiver took them."""
        return {(callback_of(arrival), task_of(arrival)) for arrival in self.receiver.arrivals if was_taken(arrival)}


def callback_of(arrival: Arrival) -> str:
    return arrival.path.strip("/")


def task_of(arrival: Arrival) -> str:
    return str(json.loads(arrival.body)["data"].get("task_id"))


def was_taken(arrival: Arrival) -> bool:
    """Tell whether the receiver said that it has it; whether the daemon heard that is another matter."""
    answer = getattr(arrival.action, "then", arrival.action)  # at once, or after a while
    return 200 <= getattr(answer, "status", 0) < 300


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """Serve a simulated HubSpot and a verifying receiver; afterwards no daemon is left."""
    made: list[World] = []
    hubspot = SimulatedHubSpot(tokens=[TOKEN], rate_limit=None, daily_limit=None, report=lambda _: made[0].on_poll())
    receiver = Receiver([SECRET], report=lambda _: made[0].on_arrival())
    with closing_all() as daemons:
        async with hubspot.serve() as hubspot_url, receiver.serve() as receiver_url:
            made.append(World(folder, hubspot, receiver, hubspot_url, receiver_url, folder / STORE, daemons=daemons))
            yield made[0]
