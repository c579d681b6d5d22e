"""The Slack messages people read, one for every outcome and event type, held against ``golden/slack.json``.

A change of words is a change of that file: look at it in the diff, then write it anew with

    NOTIFIER_WRITE_GOLDEN=1 pytest tests/unit/test_slack_golden.py
"""

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from notifier.delivery.formats import FORMATS
from notifier.delivery.samples import CHECKED_AT, sample_event
from notifier.model import Event, EventType

GOLDEN = Path(__file__).parent / "golden" / "slack.json"
REWRITE = "NOTIFIER_WRITE_GOLDEN"
EVENT_ID = "evt_" + "abcdefghijklmnopqrstuvwxyz234567" * 2

SPRING: Mapping[str, Any] = {"account": "main", "task_id": "AAAAEZ6whGI", "label": "Spring catalogue"}
ERRORS = [
    {"category": "VALIDATION_ERROR", "message": "The file at https://shop.example/private/spring.pdf?key=1 is empty."},
    {"category": "OBJECT_NOT_FOUND", "message": "Folder 42 does not exist.", "context": {"folderId": ["42"]}},
]


def told(event_type: EventType, **facts: Any) -> Event:
    """Give the sample of this type with an id of full length, saying something else."""
    made = sample_event(event_type, CHECKED_AT, EVENT_ID)
    kept = {name: value for name, value in made.data.items() if name != "test"}
    return Event(made.event_id, made.type, made.occurred_at, {**kept, **facts})


CASES: Mapping[str, Event] = {
    **{f"{each}: as notifier makes it": told(each) for each in EventType},
    "task.succeeded: named by its owner": told(EventType.TASK_SUCCEEDED, **SPRING),
    "task.succeeded: no address to show": told(EventType.TASK_SUCCEEDED, **SPRING, result={"id": "1"}),
    "task.failed: two reasons": told(EventType.TASK_FAILED, **SPRING, errors=ERRORS, num_errors=2),
    "task.failed: more than fit": told(EventType.TASK_FAILED, **SPRING, errors=ERRORS * 4, num_errors=1200),
    "task.failed: HubSpot gives no reason": told(EventType.TASK_FAILED, **SPRING, errors=[], num_errors=3),
    "task.failed: a task without a name": told(EventType.TASK_FAILED, **{**SPRING, "label": None}),
    "task.failed: a text that would be markup": told(
        EventType.TASK_FAILED, label="<!channel> *Spring* & <https://evil.example|Summer>", errors=["<@U1> & co"]
    ),
    "task.canceled: named by its owner": told(EventType.TASK_CANCELED, **SPRING),
    "watch.expired: it was still running": told(EventType.WATCH_EXPIRED, **SPRING),
    "watch.expired: HubSpot never answered": told(
        EventType.WATCH_EXPIRED, **SPRING, status=None, problem="timeout_read: no complete answer within 15 s"
    ),
    "watch.lost: named by its owner": told(EventType.WATCH_LOST, **SPRING),
    "callback.disabled: with a queue": told(EventType.CALLBACK_DISABLED, buried=12),
}


def rendered() -> dict[str, Any]:
    """Give every message by what it tells."""
    return {name: json.loads(FORMATS["slack"].render(event).content) for name, event in CASES.items()}


def written(messages: Mapping[str, Any]) -> str:
    """Write messages so that a person can read them, and a difference of them."""
    return json.dumps(messages, indent=2, ensure_ascii=False) + "\n"


def test_messages_are_those_of_the_golden_file() -> None:
    """Not a word changes unnoticed."""
    now = written(rendered())
    if os.environ.get(REWRITE):
        GOLDEN.write_text(now, "utf-8")
    before = GOLDEN.read_text("utf-8")
    changes = list(
        difflib.unified_diff(before.splitlines(), now.splitlines(), "golden/slack.json", "now", n=4, lineterm="")
    )
    if changes:
        shown = "\n".join(changes)
        pytest.fail(
            f"Slack's messages changed:\n{shown}\n\nif that is wanted: {REWRITE}=1 pytest {Path(__file__).name}",
            pytrace=False,
        )


def test_every_type_is_in_it() -> None:
    """An event type that is added gets its messages."""
    assert {name.partition(":")[0] for name in json.loads(GOLDEN.read_text("utf-8"))} == {*EventType}


@pytest.mark.parametrize("name", CASES)
def test_what_every_message_says(name: str) -> None:
    """The plain text alone tells it: what, in which account, and the short id that tells a repetition; blocks say no less."""
    event, message = CASES[name], rendered()[name]
    text, blocks = message["text"], json.dumps(message["blocks"], ensure_ascii=False)
    assert message["blocks"][-1]["elements"][0]["text"] == f"{event.type} · {EVENT_ID[:16]}"
    assert f"{event.type} · {EVENT_ID[:16]}" in text
    assert EVENT_ID[:17] not in text + blocks
    for words in (event.data.get("task_id"), event.data.get("callback")):
        assert words is None or (words in text and words in blocks)
    assert "None" not in text + blocks
    assert "{" not in text


def test_a_failure_says_why() -> None:
    """HubSpot's own sentences, without the addresses in them, before all technicalities."""
    message = rendered()["task.failed: two reasons"]
    assert message["blocks"][0]["text"]["text"] == "❌ Import “Spring catalogue” failed: 2 errors"
    assert message["blocks"][2]["text"]["text"].splitlines()[0] == "• The file at https://shop.example/… is empty."
    assert "Folder 42 does not exist." in message["text"]
    assert "and 1195 more" in rendered()["task.failed: more than fit"]["text"]


def test_a_success_links_the_file() -> None:
    """By its name, and in the plain text too."""
    message = rendered()["task.succeeded: named by its owner"]
    assert message["blocks"][1]["text"]["text"].endswith("\n<https://example.com/test.png|test.png>")
    assert "<https://example.com/test.png>" in message["text"]
