"""How a watch begins."""

from notifier.model import Watch, WatchRequest, WatchState
from notifier.polling.schedule import first_look, stagger


def begin_watch(request: WatchRequest, *, origin: str, cost: float, now: float) -> Watch:
    """Make the watch that ``request`` asks for, as it begins at ``now``.

    :param origin: ``config`` or ``command``.
    :param cost: c of the squares schedule, in seconds.
    """
    return Watch(
        key=request.key,
        label=request.label,
        callbacks=request.callbacks,
        origin=origin,
        state=WatchState.ACTIVE,
        began_at=now,
        deadline_at=now + request.deadline,
        next_poll_at=min(first_look(now, cost, stagger(request.key)), now + request.deadline),
    )
