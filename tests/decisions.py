"""A watch to decide on, and every answer there is to decide by."""

from typing import Any

from notifier.http import Failure, Reach
from notifier.hubspot.answers import (
    Answer,
    Busy,
    Forbidden,
    Odd,
    Refused,
    Running,
    Seen,
    Throttled,
    UnknownTask,
    Unreadable,
)
from notifier.model import Observation, TaskKey, Watch, WatchState
from notifier.polling.decide import Decision, decide
from notifier.polling.settings import PollingSettings

BEGAN = 1_800_000_000.0
DEADLINE = BEGAN + 7_200
SETTINGS = PollingSettings()
FAILURE = Failure(Reach.UNKNOWN, "timeout_read", "no complete answer within 15 s")

WATCH = Watch(
    key=TaskKey("main", "hubspot.file_import", "AAAAEZ6whGI"),
    label="Spring catalogue",
    callbacks=None,
    origin="config",
    state=WatchState.ACTIVE,
    began_at=BEGAN,
    deadline_at=DEADLINE,
    next_poll_at=BEGAN + 1,
)

UNANSWERED: dict[str, Answer | Failure] = {
    "failure": FAILURE,
    "throttled": Throttled(900.0, "DAILY"),
    "busy": Busy(3.0, 503),
    "refused": Refused(401, "EXPIRED_AUTHENTICATION", "The token expired"),
}
ANSWERED: dict[str, Answer | Failure] = {
    "seen": Seen(Observation("PROCESSING", recognised=True)),
    "running": Running(),
    "unreadable": Unreadable("html", "an HTML page"),
    "unknown": UnknownTask(404, "no such task"),
    "forbidden": Forbidden("not yours"),
    "odd": Odd(302),
}
NOT_TERMINAL = UNANSWERED | ANSWERED


def seen(status: str = "PROCESSING", *, skew: float = 0.0, recognised: bool = True, **fields: Any) -> Seen:
    response = {"status": status}
    return Seen(Observation(status, recognised, **{"response": response, **fields}), skew=skew)


def after(answer: Answer | Failure, watch: Watch = WATCH, *, at: float = 10.0) -> Decision:
    """Decide on an answer that came ``at`` seconds after the watch began."""
    return decide(watch, answer, now=BEGAN + at, settings=SETTINGS)
