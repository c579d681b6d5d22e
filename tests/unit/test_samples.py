"""Made-up events look like real ones, so that what works with them works."""

import json

import pytest
from decisions import DEADLINE, WATCH, after, seen

from notifier.delivery.formats import FORMATS
from notifier.delivery.samples import CHECKED_AT, sample_event
from notifier.hubspot.answers import UnknownTask
from notifier.model import Delivery, DeliveryState, Event, EventType, Outcome
from notifier.operator_events import account_rejected, account_restored, callback_disabled, delivery_dead
from notifier.polling.decide import decide
from notifier.polling.settings import PollingSettings

DELIVERY = Delivery("dlv_1", "evt_1", EventType.TASK_FAILED, "erp", DeliveryState.PENDING, 0.0, 0.0)


def real_events() -> dict[EventType, Event | None]:
    """Give one event of every type as the program makes it."""
    settings = PollingSettings(lost_after_answers=1, lost_after=0.0)
    lost = decide(WATCH, UnknownTask(404, "no such task"), now=WATCH.began_at + 10, settings=settings)
    expired = decide(WATCH, seen(), now=DEADLINE, settings=settings)
    ends = {
        EventType.TASK_SUCCEEDED: Outcome.SUCCEEDED,
        EventType.TASK_FAILED: Outcome.FAILED,
        EventType.TASK_CANCELED: Outcome.CANCELED,
    }
    failed = after(seen("COMPLETE", outcome=Outcome.FAILED)).event
    assert failed is not None
    return {
        **{each: after(seen("COMPLETE", outcome=outcome)).event for each, outcome in ends.items()},
        EventType.WATCH_EXPIRED: expired.event,
        EventType.WATCH_LOST: lost.event,
        EventType.ACCOUNT_REJECTED: account_rejected("main", "refused", None, 0.0),
        EventType.ACCOUNT_RESTORED: account_restored("main", 0.0, 1.0),
        EventType.CALLBACK_DISABLED: callback_disabled("erp", "gone", 0.0),
        EventType.DELIVERY_DEAD: delivery_dead(DELIVERY, failed, "exhausted", 10, 0.0),
    }


@pytest.mark.parametrize("event_type", EventType)
def test_a_sample_has_the_keys_of_a_real_one(event_type: EventType) -> None:
    """No more, no fewer, but for the word that it is a test."""
    real, sample = real_events()[event_type], sample_event(event_type, CHECKED_AT, "evt_test")
    assert real is not None
    assert real.type is event_type
    assert {*sample.data} == {"test", *real.data}
    assert sample.data["test"] is True


@pytest.mark.parametrize("event_type", EventType)
def test_a_sample_is_what_it_says(event_type: EventType) -> None:
    """Type, time and id are those that were asked for, and it can be told in every format."""
    sample = sample_event(event_type, CHECKED_AT, "evt_test")
    assert (sample.type, sample.occurred_at, sample.event_id) == (event_type, CHECKED_AT, "evt_test")
    for each in FORMATS.values():
        assert each.render(sample).content
    assert json.loads(FORMATS["webhook"].render(sample).content)["data"]["test"] is True
