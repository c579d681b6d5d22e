"""What the README shows works, and the numbers it tells are those of the code."""

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from configs import SIGNING
from decisions import DEADLINE, WATCH, after, seen
from documents import README, blocks, commands, inline_code, options, section, table
from samples import NOW, a_telling, a_watch, ended
from standardwebhooks import WebhookVerificationError

from notifier.cli import notifier
from notifier.cli.callback import callback_shapes
from notifier.cli.session import with_store
from notifier.cli.shapes import attempt_shape, delivery_shape, event_shape, watch_shape
from notifier.config import load
from notifier.config.problems import Problem
from notifier.delivery.formats.webhook import Webhook
from notifier.delivery.settings import DEFAULT_SCHEDULE, Callback
from notifier.delivery.verdict import (
    LONGEST_RETRY_AFTER,
    SLOW_RETRY,
    Case,
    Dead,
    Delivered,
    DisableCallback,
    PauseCallback,
    RetryAt,
    decide,
)
from notifier.http import Failure, Reach, Response
from notifier.hubspot.account import DEFAULT_RATE_LIMIT
from notifier.model import Attempt, Claim, Delivery, DeliveryState, Event, EventType, Outcome
from notifier.polling.schedule import next_due
from notifier.polling.settings import PollingSettings
from notifier.secret import Secret
from notifier.simulator.modes import MODES
from notifier.simulator.tasks import parse_script
from notifier.store.contract import PollResult, Store

SLACK = "https://hooks.slack.com/services/T000/B000/XXXXXXXX"
ENVIRON = {
    "HUBSPOT_TOKEN": "pat-na1-0123456789",
    "ERP_WEBHOOK_SECRET": SIGNING,
    "SLACK_WEBHOOK_URL": SLACK,
    "HOME": "/nowhere",
}
CREDENTIALS = {"hubspot_token": "pat-na1-0123456789\n", "erp_secret": SIGNING + "\n", "slack_url": SLACK + "\n"}
CONFIGURATION = f"""\
accounts: {{main: {{token: any, base_url: "http://127.0.0.1:1"}}}}
callbacks: {{erp: {{url: "http://127.0.0.1:1/hook", secret: {SIGNING}}}}}
store: notifier.db
"""


# -- what it shows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", blocks(README, "yaml"))
def test_configurations_load(tmp_path: Path, example: str) -> None:
    """Every configuration shown is accepted, without a warning."""
    for name, content in CREDENTIALS.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "config.yaml").write_text(example)
    loaded = load(tmp_path / "config.yaml", ENVIRON | {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert loaded.warnings == ()
    assert loaded.settings.accounts
    assert loaded.settings.callbacks["erp"].secrets


def sent(event: Event) -> tuple[dict[str, str], bytes]:
    """Give the headers and the body that a receiver gets now."""
    body = Webhook().render(event)
    delivery = Delivery("dlv_1", event.event_id, event.type, "erp", DeliveryState.PENDING, NOW, NOW)
    return Webhook().headers(Claim(delivery, 1, body), body, int(time.time()), [Secret(SIGNING)]), body.content


def an_end() -> Event:
    """The end of an import."""
    event = after(seen("COMPLETE", outcome=Outcome.SUCCEEDED)).event
    assert event is not None
    return event


def test_the_receiver_verifies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver shown takes what is sent, and refuses what was changed on the way."""
    monkeypatch.setenv("ERP_WEBHOOK_SECRET", SIGNING)
    names: dict[str, Any] = {}
    [example] = blocks(README, "python")
    exec(example, names)  # the README's own words
    headers, body = sent(an_end())
    assert names["receive"](headers, body)["type"] == "task.succeeded"
    with pytest.raises(WebhookVerificationError):
        names["receive"](headers, body.replace(b"succeeded", b"failed"))


def test_the_payload() -> None:
    """The body shown has the keys of a real one, in its order."""
    [shown] = (json.loads(block) for block in blocks(README, "json"))
    real = json.loads(sent(an_end())[1])
    assert list(shown) == list(real)
    assert list(shown["data"]) == list(real["data"])
    assert shown["type"] == "task.succeeded"
    expired = after(seen("PROCESSING"), at=DEADLINE - WATCH.began_at).event
    assert expired is not None
    assert expired.data.keys() - real["data"].keys() == {"problem"}


def test_event_types() -> None:
    """The table of events has every type."""
    rows = table(section(README, "## What a receiver gets"), "type")
    assert {code for types, _ in rows for code in inline_code(types)} == set(EventType)


def test_signature_headers() -> None:
    """The three headers told are those of the format."""
    told = {header.strip("`") for header, _ in table(section(README, "## What a receiver gets"), "header")}
    assert told == sent(an_end())[0].keys() - {"content-type"}


def test_the_simulator_knows_what_is_tried() -> None:
    """Scripts and faults named are the simulator's."""
    text = section(README, "## Try your own setup against a simulated HubSpot")
    scripts = re.findall(r"`(\w+-\d+s?)`", text)
    assert len(scripts) >= 5
    assert all(map(parse_script, scripts))
    assert all(fault in MODES for fault in re.findall(r"--fault (\w+)", text))


# -- JSON -------------------------------------------------------------------------------------------------------------


def documented(first_heading: str) -> dict[str, list[str]]:
    """Give the keys told per shape or command."""
    return {name: inline_code(keys) for name, keys in table(section(README, "### JSON"), first_heading)}


def callback_shape(folder: Path) -> Mapping[str, Any]:
    """Give a callback as it is printed."""
    settings = configured(folder)
    [shape] = with_store(settings.store, lambda store: callback_shapes(store, settings), create=True)
    return shape


def configured(folder: Path) -> Any:
    """Load a configuration with one callback."""
    path = folder / "config.yaml"
    path.write_text(CONFIGURATION)
    path.chmod(0o600)
    return load(path, {}).settings


SHAPES: dict[str, Callable[[Path], Mapping[str, Any]]] = {
    "watch": lambda _: watch_shape(WATCH),
    "delivery": lambda _: delivery_shape(Delivery("d", "e", EventType.TASK_FAILED, "c", DeliveryState.DEAD, NOW, NOW)),
    "attempt": lambda _: attempt_shape(Attempt("d", 1, NOW)),
    "event": lambda _: event_shape(an_end()),
    "callback": callback_shape,
    "account": lambda folder: printed(folder, "status")["accounts"][0],
    "problem": lambda _: Problem("error", "", None, "").as_json(),
}


def printed(folder: Path, *words: str) -> Any:
    """Run a command with ``--json`` on a store in which one task has ended, and read what it prints."""
    store = configured(folder).store

    async def end_one(session: Store) -> str:
        watch, new = await session.add_watch(a_watch())
        telling = a_telling(watch)
        if new:
            await session.save_poll(PollResult(ended(watch), telling), NOW)
        return telling.deliveries[0].delivery_id

    delivery = with_store(store, end_one, create=True)
    arguments = [delivery if word == "DELIVERY" else word for word in words]
    ran = CliRunner().invoke(notifier, [*arguments, "-c", str(folder / "config.yaml"), "--json"])
    return json.loads(ran.stdout)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str, tmp_path: Path) -> None:
    """Every shape has the keys told, in that order or another, and no more."""
    assert set(documented("shape")) == set(SHAPES)
    assert set(SHAPES[name](tmp_path)) == set(documented("shape")[name])


def told_of(*words: str) -> set[str]:
    """Give what is told of the document that a command prints."""
    [keys] = [keys for names, keys in documented("command").items() if " ".join(words) in inline_code(names)]
    return set(keys)


def keys_in(document: Any) -> set[str]:
    """Give the keys of a document at every depth."""
    if isinstance(document, list):
        return set().union(*map(keys_in, document))
    return document.keys() | keys_in(list(document.values())) if isinstance(document, dict) else set()


@pytest.mark.parametrize(
    "words",
    [
        ["watch", "add", "T2"],
        ["watch", "list"],
        ["watch", "show", "T1"],
        ["watch", "remove", "T1"],
        ["watch", "follow", "T1"],
        ["delivery", "list"],
        ["delivery", "show", "DELIVERY"],
        ["delivery", "redeliver", "DELIVERY"],
        ["callback", "list"],
        ["callback", "enable", "erp"],
        ["callback", "disable", "erp"],
    ],
    ids=" ".join,
)
def test_commands_print_shapes(words: list[str], tmp_path: Path) -> None:
    """What a noun's commands print has the shape of the noun, and what is told besides."""
    document = printed(tmp_path, *words)
    [one] = document if isinstance(document, list) else [document]
    shape, told = set(documented("shape")[words[0]]), told_of(*words[:2])
    assert shape <= set(one) <= shape | told
    assert told <= keys_in(document)


@pytest.mark.parametrize(
    "words", [["status"], ["config", "check"], ["callback", "test", "erp"], ["store", "prune"]], ids=" ".join
)
def test_other_documents(words: list[str], tmp_path: Path) -> None:
    """Commands whose document is no noun's print the keys told."""
    assert set(printed(tmp_path, *words)) == told_of(*words[:2]) - {"next_poll"}


def test_every_document_is_told() -> None:
    """Every command with ``--json`` is in the table."""
    told = {tuple(name.split()) for names in documented("command") for name in inline_code(names)}
    assert told == {words for words, command in commands().items() if "--json" in options(command)}


# -- numbers ----------------------------------------------------------------------------------------------------------

SECONDS = {"s": 1, "min": 60, "h": 3600}


def seconds(text: str) -> float:
    """Read ``5 min``."""
    number, unit = text.split()
    return float(number) * SECONDS[unit]


def test_polling_numbers() -> None:
    """Requests and lateness told are what the schedule does, and bounds for every duration up to the one told."""
    for runs, *columns in table(section(README, "## How it asks HubSpot"), "a task that runs for"):
        duration = seconds(runs)
        for cost, (requests, late) in zip((1.0, 4.0), (columns[:2], columns[2:]), strict=True):
            polls, at = 0, 0.0
            while at < duration:
                polls, at = polls + 1, next_due(now=at, anchor=0.0, cost=cost, v=0.0, min_gap=0.0)
            assert polls == int(requests)
            assert at - duration <= seconds(late) == pytest.approx(2 * math.sqrt(cost * duration) + cost, rel=0.01)


def test_retry_numbers() -> None:
    """The schedule told is the default."""
    [told] = re.findall(r"Tries come (.+?) after one another", section(README, "## What a receiver's answer means"))
    assert tuple(seconds(each) for each in re.split(r", | and ", told)) == DEFAULT_SCHEDULE
    assert 74 * 3600 < sum(DEFAULT_SCHEDULE) < 76 * 3600


def verdict(exchange: Response | Failure, failures: int = 0) -> object:
    """Rule on an answer to a delivery that failed so many times."""
    delivery = Delivery("d", "e", EventType.TASK_FAILED, "erp", DeliveryState.PENDING, NOW, NOW, failures, failures)
    claim = Claim(delivery, failures + 1, Webhook().render(an_end()))
    return decide(Case(claim, Callback("erp", Secret("https://erp.example/")), NOW, 0.5), exchange)


RULINGS = {
    "delivered": Delivered,
    "tried": RetryAt,
    "three": RetryAt,
    "the callback": DisableCallback,
    "the whole": PauseCallback,
}


def test_verdicts() -> None:
    """The answers told have the consequences told."""
    for answers, what in table(section(README, "## What a receiver's answer means"), "answer"):
        [kind] = [kind for beginning, kind in RULINGS.items() if what.startswith(beginning)]
        for number in re.findall(r"\d(?:\d\d|xx)", answers):
            answer = Response(int(number.replace("xx", "18")), {}, b"")
            assert isinstance(verdict(answer), kind), number
            assert isinstance(verdict(answer, failures=2), Dead) == (kind is RetryAt and what.startswith("three")), (
                number
            )
    assert isinstance(verdict(Failure(Reach.NOT_SENT, "connection_refused")), RetryAt)
    assert seconds("5 min") == SLOW_RETRY
    assert seconds("6 h") == LONGEST_RETRY_AFTER


def test_defaults() -> None:
    """Defaults that the README tells in words."""
    polling = PollingSettings()
    assert (polling.deadline, polling.request_cost, polling.concurrency) == (24 * 3600, 1.0, 10)
    assert (polling.lost_after_answers, polling.lost_after) == (5, 300)
    assert str(DEFAULT_RATE_LIMIT) == "100/10s"
    assert (Callback("erp", Secret("")).timeout, Callback("erp", Secret("")).events) == (15.0, ("task.*", "watch.*"))
