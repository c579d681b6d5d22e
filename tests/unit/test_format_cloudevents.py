"""CloudEvents, as the official SDK reads them."""

import json
import time
from typing import Any

import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from notifier.clock import parse_iso
from notifier.delivery.formats import FORMATS
from notifier.delivery.formats.payload import LARGEST_BODY
from notifier.delivery.samples import CHECKED_AT, sample_event
from notifier.model import Claim, Delivery, DeliveryState, Event, EventType
from notifier.secret import Secret

CLOUDEVENTS = FORMATS["cloudevents"]
SECRET = "whsec_" + "QUFB" * 8


def event(event_type: EventType = EventType.TASK_SUCCEEDED, **facts: Any) -> Event:
    """Give the sample of this type that says something else."""
    made = sample_event(event_type, CHECKED_AT, "evt_0123456789")
    return Event(made.event_id, made.type, made.occurred_at, {**made.data, **facts})


def read(told: Event) -> BaseCloudEvent:
    """Read the body with the SDK, which checks every attribute."""
    body = CLOUDEVENTS.render(told)
    return from_http_event(HTTPMessage({"content-type": body.content_type}, body.content))


@pytest.mark.parametrize("event_type", EventType)
def test_the_sdk_reads_every_type(event_type: EventType) -> None:
    """Each attribute is the event's, and ``data`` is that of the webhook."""
    told = event(event_type)
    seen = read(told)
    assert (seen.get_specversion(), seen.get_id(), seen.get_type()) == ("1.0", told.event_id, event_type)
    assert seen.get_datacontenttype() == "application/json"
    assert seen.get_time() is not None
    assert seen.get_time().timestamp() == pytest.approx(CHECKED_AT, abs=0.001)
    assert seen.get_data() == json.loads(FORMATS["webhook"].render(told).content)["data"]


def test_source_and_subject() -> None:
    """The account and the task; where there are none, what the event is about."""
    task, account, callback = (
        read(event(each)) for each in (EventType.TASK_FAILED, EventType.ACCOUNT_REJECTED, EventType.CALLBACK_DISABLED)
    )
    assert (task.get_source(), task.get_subject()) == ("notifier/test", "TEST")
    assert (account.get_source(), account.get_subject()) == ("notifier/test", "test")
    assert (callback.get_source(), callback.get_subject()) == ("notifier", "test")


def test_attributes_that_the_specification_forbids_are_left_out() -> None:
    """No control characters, no empty text, nothing but text; a source is a URI."""
    seen = read(event(account="a b/ü", task_id="x\ny", callback=None))
    assert seen.get_source() == "notifier/a%20b%2F%C3%BC"
    assert seen.get_subject() == "a b/ü"
    assert read(event(account=7, task_id="")).get_source() == "notifier"
    assert read(event(account=7, task_id="")).get_subject() is None


@given(
    st.dictionaries(
        st.sampled_from(["account", "task_id", "callback", "label"]),
        st.text(st.characters(), max_size=20) | st.integers(),
    )
)
def test_any_facts_make_a_cloudevent(facts: dict[str, Any]) -> None:
    """Whatever HubSpot sends, the SDK reads it."""
    assert read(event(**facts)).get_id() == "evt_0123456789"


def test_a_large_one_is_made_to_fit() -> None:
    """As the webhook's body, it loses the response first."""
    body = CLOUDEVENTS.render(event(response="y" * LARGEST_BODY))
    facts = json.loads(body.content)["data"]
    assert len(body.content) < LARGEST_BODY
    assert (facts["response"], facts["response_omitted"], facts["task_id"]) == (None, True, "TEST")


def test_it_is_signed_as_a_webhook() -> None:
    """Standard Webhooks' own library verifies body and headers."""
    told = event()
    body = CLOUDEVENTS.render(told)
    delivery = Delivery("dlv_1", told.event_id, told.type, "erp", DeliveryState.PENDING, 0.0, 0.0)
    # The library compares with the machine's clock.
    now = int(time.time())
    headers = CLOUDEVENTS.headers(Claim(delivery, 1, body), body, now, [Secret(SECRET)])
    assert headers["content-type"] == "application/cloudevents+json"
    assert Webhook(SECRET).verify(body.content, headers)["id"] == told.event_id
    assert (CLOUDEVENTS.takes_secret, CLOUDEVENTS.expects_secret) == (True, True)


def test_its_time_is_rfc_3339() -> None:
    """With a zone, as CloudEvents demand."""
    assert parse_iso(json.loads(CLOUDEVENTS.render(event()).content)["time"]) == pytest.approx(CHECKED_AT)
