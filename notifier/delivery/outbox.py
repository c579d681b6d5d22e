"""Which callbacks are owed an event, and what they will be sent. Pure; the store records it together with the event."""

from collections.abc import Mapping

from notifier.delivery.formats import FORMATS, Format, format_of
from notifier.delivery.formats.webhook import Webhook
from notifier.delivery.settings import Callback
from notifier.model import OPERATOR_EVENTS, Body, DeliveryState, Event, EventType, NewDelivery, delivery_id


def owe(event: Event, callbacks: Mapping[str, Callback], asked: tuple[str, ...] | None) -> list[NewDelivery]:
    """Give the deliveries that ``event`` owes.

    A task's event goes to the callbacks that its watch asked for (``None``: every one), as far as they want events of
    this type. An operator event goes to every callback that wants it, except the one it is about.

    A delivery to a callback that was asked for and is not configured is held (the store holds those to a disabled one).
    What an absent callback would want is unknown, so it is owed every event, as the default format.
    """
    bodies: dict[Format, Body] = {}  # callbacks that are set alike share one
    deliveries = []
    for name in _addressees(event, callbacks, asked):
        callback = callbacks.get(name)
        chosen = format_of(callback) if callback else FORMATS[Webhook.name]
        if chosen not in bodies:
            bodies[chosen] = chosen.render(event)
        state = DeliveryState.PENDING if callback else DeliveryState.HELD
        deliveries.append(NewDelivery(delivery_id(event.event_id, name), event.event_id, name, state, bodies[chosen]))
    return deliveries


def _addressees(event: Event, callbacks: Mapping[str, Callback], asked: tuple[str, ...] | None) -> list[str]:
    if _is_echo(event):
        return []
    if event.type in OPERATOR_EVENTS:
        return [name for name in callbacks if name != event.about_callback and callbacks[name].wants(event.type)]
    names = callbacks if asked is None else dict.fromkeys(asked)
    return [name for name in names if name not in callbacks or callbacks[name].wants(event.type)]


def _is_echo(event: Event) -> bool:
    """Recognise the death of a delivery that told of a death: two dead callbacks would tell of each other for ever."""
    undelivered = event.data.get("undelivered")
    return (
        event.type is EventType.DELIVERY_DEAD
        and isinstance(undelivered, Mapping)
        and undelivered.get("type") == EventType.DELIVERY_DEAD
    )
