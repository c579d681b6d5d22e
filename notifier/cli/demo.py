"""``notifier demo``: the main job on loopback, with a simulated HubSpot and a receiver that verifies every signature."""

import json
import secrets
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import click

from notifier.app import Daemon, Surroundings
from notifier.cli.demo_display import Board, Display, Import
from notifier.cli.output import json_option, print_json
from notifier.cli.session import run_async
from notifier.config import LogSettings, Settings
from notifier.delivery.settings import DEFAULT_SCHEDULE, Callback
from notifier.hubspot.account import Account
from notifier.model import EventType, TaskKey, WatchRequest
from notifier.polling.settings import PollingSettings
from notifier.secret import Secret
from notifier.simulator.hubspot import SimulatedHubSpot
from notifier.simulator.receiver import Arrival, Receiver
from notifier.telemetry import Telemetry

LIMIT = 12.0  # seconds after which the demo has failed
REQUEST_COST = 0.25  # seconds; a quarter of the default, so that there is something to see
LINGER = 0.3  # seconds after the last arrival in which a duplicate would show


@dataclass(frozen=True, slots=True)
class Part:
    """One import of the play, and what must be told of it."""

    task_id: str
    label: str
    pending: float
    processing: float
    ends: str
    expected: EventType


PARTS: Sequence[Part] = (
    Part("DEMO-1", "Price list", 0.3, 0.5, "complete", EventType.TASK_SUCCEEDED),
    Part("DEMO-2", "Spring catalogue", 0.5, 1.2, "complete", EventType.TASK_SUCCEEDED),
    Part("DEMO-3", "Product photos", 0.8, 2.2, "errors", EventType.TASK_FAILED),
    Part("DEMO-4", "Press kit", 1.5, 0.8, "canceled", EventType.TASK_CANCELED),
    Part("DEMO-5", "Training video", 0.4, 3.6, "complete", EventType.TASK_SUCCEEDED),
    Part("DEMO-6", "Old archive", 2.0, 2.6, "complete", EventType.TASK_SUCCEEDED),
)


@dataclass(slots=True)
class Result:
    """What came of the play."""

    problems: list[str] = field(default_factory=list)
    callbacks: int = 0
    polls: int = 0
    seconds: float = 0.0


@click.command()
@json_option
def demo(as_json: bool) -> None:
    """Watch six simulated imports to their end, one of which fails and one is canceled.

    Nothing leaves this machine and nothing is kept. Exit code 0 only if every callback arrived once and verified.
    """
    board = Board([Import(part.task_id, part.label) for part in PARTS])
    result = run_async(lambda: _play(board, quiet=as_json))
    if as_json:
        print_json({"ok": not result.problems} | {name: getattr(result, name) for name in result.__slots__})
    else:
        _print_result(result)
    sys.exit(1 if result.problems else 0)


async def _play(board: Board, *, quiet: bool) -> Result:
    began = time.monotonic()
    secret = "whsec_" + b64encode(secrets.token_bytes(32)).decode()
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="notifier-demo-"))
        display = stack.enter_context(Display(board, quiet=quiet))
        hubspot = SimulatedHubSpot(tokens=["demo-token"], report=display.asked)
        receiver = Receiver([secret], report=display.arrived)
        hubspot_url = await stack.enter_async_context(hubspot.serve())
        receiver_url = await stack.enter_async_context(receiver.serve())
        settings = _settings(hubspot_url, receiver_url, secret, Path(folder))
        for part in PARTS:
            hubspot.add_task(part.task_id, pending=part.pending, processing=part.processing, ends=part.ends)
        await _run_daemon(settings, receiver, Telemetry(display.reported))
    problems = judge(receiver.arrivals)
    return Result(problems, len(receiver.arrivals), hubspot.statistics.requests, round(time.monotonic() - began, 1))


def _settings(hubspot_url: str, receiver_url: str, secret: str, folder: Path) -> Settings:
    """Make the demo's embedded configuration: what config.yaml would say, with the addresses of this run."""
    signed = Callback("shop", Secret(f"{receiver_url}/hook"), secrets=(Secret(secret),))
    team = Callback("team", Secret(f"{receiver_url}/slack"), format="slack", concurrency=1)
    tasks = [WatchRequest(TaskKey("demo", "hubspot.file_import", part.task_id), part.label) for part in PARTS]
    return Settings(
        accounts={"demo": Account("demo", Secret("demo-token"), base_url=hubspot_url)},
        callbacks={"shop": signed, "team": team},
        tasks=tuple(tasks),
        polling=PollingSettings(request_cost=REQUEST_COST),
        schedule=DEFAULT_SCHEDULE,
        store=folder / "demo.db",
        log=LogSettings(),
    )


async def _run_daemon(settings: Settings, receiver: Receiver, report: Telemetry) -> None:
    """Run until every callback was told of every import, or ``LIMIT`` is over."""
    stopping = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(Daemon(settings, Surroundings(report=report)).run, stopping)
        with anyio.move_on_after(LIMIT):
            await receiver.wait_for(len(PARTS) * len(settings.callbacks), timeout=LIMIT + 1)
            await anyio.sleep(LINGER)
        stopping.set()


def judge(arrivals: Sequence[Arrival]) -> list[str]:
    """Say what is wrong with what arrived; nothing when every callback got every event once, and verified."""
    signed = [arrival for arrival in arrivals if arrival.path == "/hook"]
    messages = [arrival for arrival in arrivals if arrival.path == "/slack"]
    problems = [f"{arrival.path}: {arrival.problem}" for arrival in arrivals if not arrival.verified]
    told: dict[str, list[str]] = {}
    for arrival in signed:
        body: dict[str, Any] = json.loads(arrival.body)
        told.setdefault(body["data"]["task_id"], []).append(body["type"])
    for part in PARTS:
        types = told.pop(part.task_id, [])
        if types != [part.expected]:
            problems.append(f"{part.label}: expected {part.expected} once, got {', '.join(types) or 'nothing'}")
        if sum(part.label.encode() in message.body for message in messages) != 1:
            problems.append(f"{part.label}: expected one Slack message")
    return problems + [f"unexpected: {task_id} {types}" for task_id, types in told.items()]


def _print_result(result: Result) -> None:
    if result.problems:
        click.echo("The demo failed:\n" + "\n".join(f"  {problem}" for problem in result.problems))
        return
    click.echo(
        f"\n{len(PARTS)} imports ended, {result.callbacks} callbacks arrived, each once, every signature verified: "
        f"{result.polls} polls in {result.seconds} s.\n"
        "Next: copy config.example.yaml to config.yaml, put your token and a callback in, "
        "check it with `notifier config check`, start `notifier run`."
    )
