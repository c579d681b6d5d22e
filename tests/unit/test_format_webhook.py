"""The default format: Standard Webhooks."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Reference

from notifier.delivery.formats import FORMATS
from notifier.delivery.formats.webhook import LARGEST_BODY
from notifier.model import Body, Claim, Delivery, DeliveryState, Event, EventType, TaskKey
from notifier.secret import Secret

AT = 1_795_288_140.123
KEY = TaskKey("main", "hubspot.file_import", "AAAAEZ6whGI")
WEBHOOK = FORMATS["webhook"]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

any_text = st.text(st.characters(), max_size=50)  # lone surrogates too
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=20,
)


def event(**facts: Any) -> Event:
    """Give a task's event that says this."""
    return Event(KEY.event_id(EventType.TASK_SUCCEEDED), EventType.TASK_SUCCEEDED, AT, facts)


def claim(body: Body) -> Claim:
    """Give the delivery of that event, at its first attempt."""
    event_id = KEY.event_id(EventType.TASK_SUCCEEDED)
    delivery = Delivery("dlv_1", event_id, EventType.TASK_SUCCEEDED, "erp", DeliveryState.PENDING, AT, AT)
    return Claim(delivery, 1, body)


def refuse_constant(name: str) -> None:
    """Fail on what Python's reader takes and JSON does not know."""
    raise AssertionError(name)


def read(body: Body) -> dict[str, Any]:
    """Read a body as strictly as JSON is written down."""
    payload: dict[str, Any] = json.loads(body.content.decode("ascii"), parse_constant=refuse_constant)
    return payload


def test_payload() -> None:
    """Type, time, facts, in this order, compact, with the event's id first among the facts."""
    body = WEBHOOK.render(event(account="main", label="Frühling", errors=[]))
    assert body.content_type == "application/json"
    assert body.content == (
        b'{"type":"task.succeeded","timestamp":"2026-11-21T19:09:00.123Z","data":{"event_id":"%s","account":"main",'
        b'"label":"Fr\\u00fchling","errors":[]}}' % event().event_id.encode()
    )


def test_same_event_same_bytes() -> None:
    """Rendering is pure."""
    assert WEBHOOK.render(event(a=1, b=[2])) == WEBHOOK.render(event(a=1, b=[2]))


@given(facts=st.dictionaries(any_text, any_json, max_size=5))
def test_any_facts_make_valid_json(facts: dict[str, Any]) -> None:
    """Whatever HubSpot sent, the body is ASCII, strict JSON, and keeps every key."""
    payload = read(WEBHOOK.render(event(**{"label": None, **facts})))
    assert set(payload["data"]) == {"event_id", "label", *facts}


@given(
    facts=st.dictionaries(
        any_text, any_json.filter(lambda value: "nan" not in repr(value) and "inf" not in repr(value))
    )
)
def test_sayable_facts_come_as_they_are(facts: dict[str, Any]) -> None:
    """What JSON can say arrives unchanged, lone surrogates too."""
    facts.pop("event_id", None)
    payload = read(WEBHOOK.render(event(**facts)))
    payload["data"].pop("event_id")
    assert payload["data"] == facts


def test_unsayable_becomes_null() -> None:
    """Python reads NaN and infinity from a body; JSON can't say them."""
    assert read(WEBHOOK.render(event(response=json.loads("[NaN, -Infinity, 1.5]"))))["data"]["response"] == [
        None,
        None,
        1.5,
    ]


def test_bottomless_nesting_and_endless_numbers() -> None:
    """Neither a pit of brackets nor an integer that Python refuses to write out ends anything."""
    pit: list[Any] = []
    for _ in range(100_000):
        pit = [pit]
    payload = read(WEBHOOK.render(event(response=pit, num_errors=10**5000, errors=[object])))
    assert payload["data"]["response"] is not None
    assert payload["data"]["num_errors"] is None


def test_large_response_is_omitted() -> None:
    """A body over 1 MiB loses the response and says so; the rest stays."""
    payload = read(WEBHOOK.render(event(status="COMPLETE", errors=[1], response={"x": "y" * LARGEST_BODY})))
    assert payload["data"] == {
        "event_id": event().event_id,
        "status": "COMPLETE",
        "errors": [1],
        "response": None,
        "response_omitted": True,
    }


def test_body_of_just_the_limit_stays_whole() -> None:
    """The limit itself is allowed; one byte more is not."""
    room = LARGEST_BODY - len(WEBHOOK.render(event(response="")).content)
    whole, cut = (WEBHOOK.render(event(response="y" * size)) for size in (room, room + 1))
    assert len(whole.content) == LARGEST_BODY
    assert "response_omitted" not in read(whole)["data"]
    assert read(cut)["data"]["response_omitted"] is True


@pytest.mark.parametrize("name", ["errors", "result", "status", "label", "surprise"])
def test_always_fits(name: str) -> None:
    """Wherever the bulk is, the body fits in the end, and names the event."""
    for bulk in ("é" * LARGEST_BODY, ["x" * LARGEST_BODY], {"x": ["y" * 100] * 20_000}):
        body = WEBHOOK.render(event(**{"response": {}, "errors": [], "result": None, name: bulk}))
        assert len(body.content) <= LARGEST_BODY
        assert read(body)["data"]["event_id"] == event().event_id


def test_headers_signed() -> None:
    """A receiver with the reference library verifies the attempt."""
    body = WEBHOOK.render(event(label="Frühling"))
    headers = WEBHOOK.headers(claim(body), body, int(time.time()), [Secret(SECRET)])
    assert set(headers) == {"content-type", "webhook-id", "webhook-timestamp", "webhook-signature"}
    assert headers["webhook-id"] == event().event_id
    assert Reference(SECRET).verify(body.content, headers)["data"]["label"] == "Frühling"


def test_headers_unsigned() -> None:
    """Without a secret there is an id and a time, and no signature."""
    body = WEBHOOK.render(event())
    assert WEBHOOK.headers(claim(body), body, 1_700_000_000, []) == {
        "content-type": "application/json",
        "webhook-id": event().event_id,
        "webhook-timestamp": "1700000000",
    }


def test_no_opinion_and_no_fallback() -> None:
    """A webhook's answer is read by its status alone; its body has no simpler form."""
    assert WEBHOOK.judge(400, b"no_service") is None
    assert WEBHOOK.plain(WEBHOOK.render(event())) is None
    assert (WEBHOOK.takes_secret, WEBHOOK.default_rate, WEBHOOK.default_concurrency) == (True, None, 4)
