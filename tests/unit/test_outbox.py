"""Who is owed an event, and the events for the operator."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.delivery.formats import FORMATS
from notifier.delivery.outbox import owe
from notifier.delivery.settings import Callback
from notifier.model import OPERATOR_EVENTS, Delivery, DeliveryState, Event, EventType, TaskKey, delivery_id
from notifier.operator_events import account_rejected, account_restored, callback_disabled, delivery_dead
from notifier.secret import Secret

AT = 1_800_000_000.0
KEY = TaskKey("main", "hubspot.file_import", "AAAAEZ6whGI")
DELIVERY = Delivery("dlv_1", "evt_1", EventType.TASK_FAILED, "erp", DeliveryState.PENDING, AT, AT)


def callback(name: str, *events: str, format_name: str = "webhook") -> Callback:
    """Give a callback that wants these events, or the usual ones."""
    made = Callback(name, Secret("https://x.example/"), format=format_name)
    return replace(made, events=events) if events else made


def task_event(event_type: EventType = EventType.TASK_FAILED) -> Event:
    """Give a task's event."""
    return Event(
        KEY.event_id(event_type), event_type, AT, {"account": "main", "task_id": KEY.task_id, "label": "Spring"}
    )


def configured(*callbacks: Callback) -> dict[str, Callback]:
    """Give callbacks by name, as the config does."""
    return {each.name: each for each in callbacks}


def states(event: Event, callbacks: dict[str, Callback], asked: tuple[str, ...] | None = None) -> dict[str, str]:
    """Say who is owed the event, in which state."""
    return {owed.callback: str(owed.state) for owed in owe(event, callbacks, asked)}


def test_every_callback_that_wants_it() -> None:
    """Without names, all are told that want the type."""
    callbacks = configured(callback("erp"), callback("ops", "task.failed"), callback("web", "task.succeeded"))
    assert states(task_event(), callbacks) == {"erp": "pending", "ops": "pending"}


def test_only_those_asked_for() -> None:
    """With names, only these are told, each once, and still only if they want the type."""
    callbacks = configured(callback("erp"), callback("ops"), callback("web", "task.succeeded"))
    owed = owe(task_event(), callbacks, ("ops", "web", "ops"))
    assert [(each.callback, each.state) for each in owed] == [("ops", DeliveryState.PENDING)]
    assert states(task_event(), callbacks, ()) == {}


def test_absent_callback_is_held() -> None:
    """A name nobody configured yet is owed the event as a webhook, held."""
    owed = owe(task_event(), {}, ("erp",))
    assert [(each.callback, each.state) for each in owed] == [("erp", DeliveryState.HELD)]
    assert owed[0].body == FORMATS["webhook"].render(task_event())


def test_each_in_its_format() -> None:
    """Every callback gets the body of its own format, under the delivery's own id."""
    callbacks = configured(callback("erp"), callback("ops", format_name="slack"))
    event = task_event()
    for owed in owe(event, callbacks, None):
        assert owed.body == FORMATS[callbacks[owed.callback].format].render(event)
        assert owed.delivery_id == delivery_id(event.event_id, owed.callback)
        assert owed.event_id == event.event_id


@pytest.mark.parametrize("event_type", EventType)
def test_default_callbacks_want_tasks_and_watches(event_type: EventType) -> None:
    """Operator events go only where they are asked for."""
    assert bool(states(task_event(event_type), configured(callback("erp")))) == (event_type not in OPERATOR_EVENTS)


def test_operator_event_never_goes_to_whom_it_is_about() -> None:
    """The others are told; what the watch asked for plays no part."""
    callbacks = configured(callback("erp", "*"), callback("ops", "*"), callback("web"))
    assert states(callback_disabled("erp", "gone", AT, buried=3), callbacks) == {"ops": "pending"}
    assert states(delivery_dead(DELIVERY, task_event(), "exhausted", 10, AT), callbacks, ("erp",)) == {"ops": "pending"}
    assert states(account_rejected("erp", "status_401", None, AT), callbacks) == {"erp": "pending", "ops": "pending"}


def test_dead_callbacks_do_not_tell_of_each_other_for_ever() -> None:
    """The death of a delivery that told of a death is told to nobody."""
    callbacks = configured(callback("erp", "*"), callback("ops", "*"), callback("web", "*"))
    first = delivery_dead(DELIVERY, task_event(), "no_service", 1, AT)
    assert set(states(first, callbacks)) == {"ops", "web"}
    to_ops = replace(DELIVERY, delivery_id="dlv_2", callback="ops", event_type=EventType.DELIVERY_DEAD)
    assert states(delivery_dead(to_ops, first, "no_service", 1, AT), callbacks) == {}


@given(st.data())
def test_rendering_is_total(draws: st.DataObject) -> None:
    """No content of an event keeps any format from writing its body."""
    text = st.text(st.characters(), max_size=30)
    leaf = st.none() | st.booleans() | st.integers() | st.floats() | text
    anything = st.recursive(leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3))
    names = (
        "account",
        "kind",
        "task_id",
        "label",
        "status",
        "errors",
        "num_errors",
        "result",
        "undelivered",
        "problem",
    )
    facts = draws.draw(st.dictionaries(st.sampled_from(names), anything))
    event = Event("evt_1", draws.draw(st.sampled_from(EventType)), draws.draw(st.floats(0, 1e12)), facts)
    callbacks = configured(*(callback(name, "*", format_name=name) for name in FORMATS))
    owed = owe(event, callbacks, None)
    assert all(each.body.content for each in owed)
    assert len(owed) == len(FORMATS) or event.type is EventType.DELIVERY_DEAD


def test_operator_events_say_what_happened() -> None:
    """Each carries the facts, its time, and whom it is about."""
    rejected = account_rejected("main", "invalid_grant", "c-1", AT)
    assert rejected.data == {
        "account": "main",
        "reason": "invalid_grant",
        "correlation_id": "c-1",
        "rejected_at": "2027-01-15T08:00:00.000Z",
    }
    restored = account_restored("main", AT, AT + 90)
    assert (restored.occurred_at, restored.data["duration_seconds"]) == (AT + 90, 90)
    assert callback_disabled("erp", "gone", AT, buried=3).about_callback == "erp"
    dead = delivery_dead(DELIVERY, task_event(), "exhausted", 10, AT)
    assert dead.about_callback == "erp"
    assert dead.data["undelivered"]["event_id"] == task_event().event_id
    assert (dead.data["reason"], dead.data["attempts"], dead.data["delivery_id"]) == ("exhausted", 10, "dlv_1")


def test_one_event_an_episode() -> None:
    """The same episode gives the same id, another one another."""
    assert account_rejected("main", "a", None, AT).event_id == account_rejected("main", "b", "c", AT).event_id
    ids = {
        account_rejected("main", "a", None, AT).event_id,
        account_rejected("main", "a", None, AT + 1).event_id,
        account_rejected("other", "a", None, AT).event_id,
        account_restored("main", AT, AT + 5).event_id,
        callback_disabled("main", "gone", AT, buried=3).event_id,
        delivery_dead(DELIVERY, task_event(), "gone", 1, AT).event_id,
    }
    assert len(ids) == 6
