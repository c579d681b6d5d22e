"""What the simulated Slack takes and refuses."""

import json
from typing import Any

import pytest

from notifier.simulator.slack import slack_problem


def text(length: int, kind: str = "mrkdwn") -> dict[str, Any]:
    """A text object of this length."""
    return {"type": kind, "text": "x" * length}


def section(**fields: Any) -> dict[str, Any]:
    """A section block."""
    return {"type": "section", **fields}


_IMAGE = {"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a"}
_BUTTON = {"type": "button", "text": text(75, "plain_text"), "url": "https://example.com"}


@pytest.mark.parametrize(
    "block",
    [
        section(text=text(3000)),
        section(fields=[text(2000)] * 10),
        section(text=text(1), fields=[text(1)]),
        {"type": "header", "text": text(150, "plain_text")},
        {"type": "context", "elements": [text(10)] * 9 + [_IMAGE]},
        {"type": "actions", "elements": [_BUTTON] * 25},
        {"type": "divider", "block_id": "x" * 255},
        _IMAGE,
    ],
)
def test_blocks_at_the_limit(block: dict[str, Any]) -> None:
    """A block that just fits is posted."""
    assert slack_problem(json.dumps({"text": "t", "blocks": [block]}).encode()) is None


@pytest.mark.parametrize(
    "block",
    [
        section(text=text(3001)),
        section(text=text(0)),
        section(text="plain"),
        section(),
        section(fields=[]),
        section(fields=[text(1)] * 11),
        section(fields=[text(2001)]),
        section(text=text(3001), fields=[text(1)]),
        section(text={"type": "html", "text": "x"}),
        {"type": "header", "text": text(151, "plain_text")},
        {"type": "header", "text": text(10, "mrkdwn")},
        {"type": "context", "elements": [text(1)] * 11},
        {"type": "context", "elements": []},
        {"type": "context", "elements": [{"type": "image"}]},
        {"type": "actions", "elements": [_BUTTON] * 26},
        {"type": "actions", "elements": [_BUTTON | {"text": text(76, "plain_text")}]},
        {"type": "divider", "block_id": "x" * 256},
        {"type": "marquee"},
        {},
        "divider",
    ],
)
def test_blocks_past_the_limit(block: Any) -> None:
    """A block that is too long, empty or unknown makes the whole message invalid."""
    assert slack_problem(json.dumps({"text": "t", "blocks": [{"type": "divider"}, block]}).encode()) == "invalid_blocks"


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ({"text": "hello"}, None),
        ({"blocks": [{"type": "divider"}] * 50}, None),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"blocks": {"type": "divider"}}, "invalid_blocks"),
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"text": 1}, "no_text"),
        ({"blocks": []}, "no_text"),
        ({"attachments": [{}] * 100}, None),
        ({"attachments": [{}] * 101}, "too_many_attachments"),
        ([], "invalid_payload"),
    ],
)
def test_messages(message: Any, word: str | None) -> None:
    """A message is judged as a whole, with Slack's words."""
    assert slack_problem(json.dumps(message).encode()) == word


@pytest.mark.parametrize("body", [b"", b"payload={}", b"\xff"])
def test_not_json(body: bytes) -> None:
    """What is not JSON is an invalid payload."""
    assert slack_problem(body) == "invalid_payload"
