"""Everybody quotes our secrets, HubSpot, receivers and bugs: nowhere do they come out again."""

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from chaos.daemon import Daemon, until
from chaos.world import SECRET, TOKEN, Config, World
from notifier.simulator import wire
from notifier.simulator.actions import Action, Answer, Request

INTRUDER = Path(__file__).parent / "programs" / "intruder.py"
URL_SECRET = "canary-of-the-hook-url-8Kq2vX1LmZ"
SLACK_SECRET = "T00CANARY00/B00CANARY00/canaryOfSlackXyZ123"
HEADER_SECRET = "canary-of-the-custom-header-77"
BEARER_SECRET = "canary-of-the-bearer-header-99"
CANARIES = {
    "token": TOKEN,
    "URL": URL_SECRET,
    "Slack URL": SLACK_SECRET,
    "end of the Slack URL": SLACK_SECRET.rpartition("/")[2],
    "signing secret": SECRET.removeprefix("whsec_"),
    "signing key": b64decode(SECRET.removeprefix("whsec_")).decode(),
    "header": HEADER_SECRET,
    "bearer header": BEARER_SECRET,
}


def config(it: World, hubspot_url: str, tasks: list[str]) -> Config:
    """A configuration full of secrets."""
    made = it.config(tasks)
    made["accounts"]["main"]["base_url"] = hubspot_url
    headers = {"X-Api-Key": HEADER_SECRET, "Authorization": f"Bearer {BEARER_SECRET}"}
    url, slack = f"{it.receiver_url}/hooks/{URL_SECRET}?key={URL_SECRET}", f"{it.receiver_url}/slack/{SLACK_SECRET}"
    made["callbacks"] = {
        "erp": it.callback("erp") | {"url": url, "headers": headers, "events": ["*"], "max_attempts": 30},
        "ops": {"format": "slack", "url": slack, "events": ["*"], "max_attempts": 3},
    }
    made["delivery"]["schedule"] = ["0s", "10ms"]
    made["log"]["level"] = "debug"
    return made


class Parrot:
    """A HubSpot that quotes the token in every way it can, task by task."""

    def __init__(self) -> None:
        self.refusing = False
        self.asked: set[str] = set()

    def __call__(self, request: Request) -> Action:
        token = request.headers["authorization"].partition(" ")[2]
        task = request.path.split("/")[-2]
        self.asked.add(task)
        said = f"The token {token} is none. Authorization: Bearer {token}"
        if self.refusing:
            return _json(401, {"category": "INVALID_AUTHENTICATION", "message": said, "correlationId": token})
        answers = {
            "unknown": _json(404, {"message": said}),
            "cut": _json(404, {"message": "x" * 280 + token}),
            "forbidden": _json(403, {"message": said, "category": token}),
            "word": _json(200, {"status": token}),
            "page": Answer(404, {"Content-Type": "text/html"}, f"<p>{said}</p>".encode()),
            "garbled": Answer(200, {}, f'{{"{token}"'.encode()),
            "odd": Answer(418, {"x-hubspot-correlation-id": token}, said.encode()),
            "failing": Answer(500, {"x-hubspot-correlation-id": token}, said.encode()),
            "ended": _json(200, {"status": "COMPLETE", "errors": [{"message": said}], "numErrors": 1, token: token}),
        }
        return answers[task]


def _json(status: int, body: Any) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(body).encode())


TASKS = ["unknown", "cut", "forbidden", "word", "page", "garbled", "odd", "ended", "failing"]


def echoes() -> Iterator[Answer]:
    """Receivers that tell us what we sent, each in its own way."""
    target = f"/hooks/{URL_SECRET}?key={URL_SECRET}"
    headers = {"authorization": f"Bearer {BEARER_SECRET}", "x-api-key": HEADER_SECRET}
    texts = [
        f"no such hook: http://127.0.0.1{target}",
        f"POST {target} HTTP/1.1\n{headers}",
        json.dumps({"path": target, "headers": headers}).replace("/", "\\/"),  # as PHP writes it
        f"token {BEARER_SECRET} is not valid, nor is {URL_SECRET}",
        quote(f"http://127.0.0.1{target}", safe=""),
        f"expected a signature made with {SECRET}, that is {SECRET.removeprefix('whsec_')}",
        "x" * 4080 + f" {URL_SECRET} {HEADER_SECRET}",
        f"no_such_team {SLACK_SECRET} " + SLACK_SECRET.rpartition("/")[2],
        quote(SLACK_SECRET, safe=""),
    ]
    for status in (500, 400):
        yield from (Answer(status, {"X-Echo": target, "Location": target}, text.encode()) for text in texts)


@pytest.mark.timeout(150)
async def test_no_secret_comes_out(it: World) -> None:
    """Log at debug, every command, store, what callbacks are told, and what other users of the machine can see."""
    parrot = Parrot()
    it.receiver.script(*echoes(), *echoes())
    async with AsyncExitStack() as stack:
        hubspot_url = await stack.enter_async_context(wire.serve(parrot))
        it.write(config(it, hubspot_url, TASKS))
        daemon = await it.started()
        await until(lambda: parrot.asked == set(TASKS), lambda: parrot.asked)
        await until(lambda: '"delivery.died"' in daemon.log and '"ended"' in daemon.log, lambda: daemon.log)
        parrot.refusing = True
        await until(lambda: '"account.rejected"' in daemon.log, lambda: daemon.log, timeout=40)
        seen = [(f"{name} of the daemon", _proc(daemon, name)) for name in ("cmdline", "comm", "status")]
        seen += [(path.name, path.read_bytes()) for path in it.store.parent.glob("notifier.db*")]
        seen += [item async for item in _commands(it)]
        await daemon.stop()
        seen += [("the log", daemon.log.encode())]
        seen += [(path.name, path.read_bytes()) for path in it.store.parent.glob("notifier.db*")]
        seen += [(f"what {arrival.path} was told", arrival.body) for arrival in it.receiver.arrivals]
    assert found(seen) == []


def found(seen: list[tuple[str, bytes]]) -> list[str]:
    """Say which secret shows where."""
    return sorted(
        {
            f"{what} shows the {name}: …{content[max(0, at.start() - 60) : at.end() + 20]!r}"
            for what, content in seen
            for name, canary in CANARIES.items()
            for at in re.finditer(re.escape(canary.encode()), content)
        }
    )


def _proc(daemon: Daemon, name: str) -> bytes:
    return Path(f"/proc/{daemon.pid}/{name}").read_bytes()


async def _commands(it: World) -> Any:
    """Run everything that prints, plain and as JSON."""
    deliveries = json.loads((await it.command("delivery", "list", "--json")).stdout)
    commands = [
        ["status"],
        ["watch", "list"],
        ["delivery", "list"],
        ["callback", "list"],
        ["config", "show"],
        ["config", "check"],
    ]
    commands += [["watch", "show", task] for task in TASKS]
    commands += [["delivery", "show", delivery["delivery_id"]] for delivery in deliveries]
    commands += [["callback", "test", "erp"], ["callback", "test", "ops"]]
    for command in commands:
        for more in ([], ["--json"]):
            finished = await it.command(*command, *more)
            assert finished.returncode in {0, 6}, finished
            yield " ".join([*command, *more]), finished.stdout + finished.stderr


@pytest.mark.timeout(60)
@pytest.mark.parametrize("place", ["in_sender", "in_client"])
async def test_an_unexpected_exception(it: World, place: str) -> None:
    """It ends the daemon with one line, secrets masked, and a code for which the service manager starts it again; the next goes on."""
    it.hubspot.add_task("a", pending=0.0, processing=0.0)
    it.write(config(it, it.hubspot_url, ["a"]))
    for _ in range(2):
        daemon = it.start(program=(str(INTRUDER), place))
        assert await daemon.ended() == 1
        [crash] = [line for line in daemon.log.splitlines() if '"daemon.crashed"' in line]
        assert {"in_sender": "RuntimeError: can't send", "in_client": "LookupError: {'authorization'"}[place] in crash
        assert all(line.startswith("{") for line in daemon.log.splitlines()), daemon.log
        stored = [(path.name, path.read_bytes()) for path in it.store.parent.glob("notifier.db*")]
        assert found([("the log", daemon.log.encode()), *stored]) == []
    daemon = await it.started()
    await it.receiver.wait_for(2)
    await until(it.is_idle, "everything on record")
    assert await daemon.stop() == 0
    assert len(it.receiver.arrivals) == 2


async def test_ctrl_c_before_signals_are_listened_for(it: World) -> None:
    """It is no crash."""
    it.write(it.config())
    daemon = it.start(program=(str(INTRUDER), "ctrl_c_at_start"))
    assert await daemon.ended() == 130
    assert "daemon.crashed" not in daemon.log
    assert "Traceback" not in daemon.log
