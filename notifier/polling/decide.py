"""What an answer makes of a watch. Pure: the caller polls before and records after.

A watch ends in four ways, and in no other:

- *ended*: an observation is terminal, however late.
- *lost*: "no such task" ``lost_after_answers`` times in a row, over ``lost_after`` seconds at least. Failures in between
  neither count nor break the row; an answer that knows the task does.
- *expired*: an answer that came at the deadline or later is not terminal, or none could be had ``EXPIRY_GRACE`` seconds
  past it.
- *removed*: by hand, elsewhere.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, assert_never

from notifier import http
from notifier.clock import iso
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
from notifier.model import EVENT_OF_OUTCOME, Event, EventType, Observation, Watch, WatchState, check_transition
from notifier.polling.schedule import next_due, stagger
from notifier.polling.settings import PollingSettings

# Past its deadline a watch that could not be asked is tried for this long, in seconds, …
EXPIRY_GRACE = 60.0

# … each time after so many seconds.
EXPIRY_STEP = 5.0

# A start further ahead of our clock than this, in seconds, is no start. Believed, it would be "just now" at every poll
# and hold the schedule at its shortest interval.
FUTURE_TOLERANCE = 60.0

# A ``Date`` header counts whole seconds, so a corrected time trembles by one. Less than this, in seconds, is no news.
SKEW_TREMOR = 2.0

LONGEST_PROBLEM = 300


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be recorded; what the account is to heed is ``gate.py``'s."""

    watch: Watch  # as it is now to be
    event: Event | None = None  # owed when the watch ends
    changed: bool = False  # state, status or kind of problem: worth a line in the log
    status_unknown: bool = False  # the status became a word nobody knows


def decide(watch: Watch, answer: Answer | http.Failure, *, now: float, settings: PollingSettings) -> Decision:
    """Tell what becomes of an active watch after a poll.

    :param now: when the answer came, in unix seconds.
    :raises TransitionError: when the watch ends that is not active.
    """
    polled = _polled(watch, answer, now)
    seen = answer.observation if isinstance(answer, Seen) else None
    polled, event = _conclude(polled, answer, now, settings)
    if event is None:
        polled = replace(polled, next_poll_at=_next_poll(polled, now, settings))
    return Decision(
        watch=polled,
        event=event,
        changed=_has_changed(watch, polled),
        status_unknown=seen is not None and not seen.recognised and seen.status != watch.status,
    )


def expire_unasked(watch: Watch, now: float) -> Decision:
    """Give up a watch whose account can't be asked (paused, rejected), once its deadline and the grace are over."""
    if now < watch.deadline_at + EXPIRY_GRACE:
        return Decision(watch)
    troubled = replace(watch, problem=watch.problem or "not_asked: the account could not be asked at the deadline")
    expired, event = _close(troubled, WatchState.EXPIRED, EventType.WATCH_EXPIRED, None, now)
    return Decision(expired, event, changed=True)


# -- what the answer tells -------------------------------------------------------------------------------------------


def _polled(watch: Watch, answer: Answer | http.Failure, now: float) -> Watch:
    """Note what the answer tells of the watch."""
    correlation_id = None if isinstance(answer, http.Failure) else answer.correlation_id
    count, since = _unknown_row(watch, answer, now)
    return replace(
        watch,
        polls=watch.polls + 1,
        polled_at=now,
        status=answer.observation.status if isinstance(answer, Seen) else watch.status,
        anchor_at=_anchor(watch, answer, now) if isinstance(answer, Seen) else watch.anchor_at,
        problem=problem_of(answer),
        correlation_id=correlation_id or watch.correlation_id,
        unknown_count=count,
        unknown_since=since,
    )


def _unknown_row(watch: Watch, answer: Answer | http.Failure, now: float) -> tuple[int, float | None]:
    """Count "no such task" in a row, and tell since when."""
    match answer:
        case Seen() | Running():
            return 0, None
        case UnknownTask():
            return watch.unknown_count + 1, now if watch.unknown_since is None else watch.unknown_since
    return watch.unknown_count, watch.unknown_since


def _anchor(watch: Watch, seen: Seen, now: float) -> float | None:
    """Tell when the task began, on our clock: to run when it runs, else to wait."""
    observation = seen.observation
    running = observation.started_at if observation.status == "PROCESSING" else None
    told = observation.requested_at if running is None else running
    if told is None or told + seen.skew > now + FUTURE_TOLERANCE:
        return watch.anchor_at
    if seen.skew and watch.anchor_at is not None and abs(told + seen.skew - watch.anchor_at) < SKEW_TREMOR:
        return watch.anchor_at
    return min(told + seen.skew, now)


def problem_of(answer: Answer | http.Failure) -> str | None:
    """Say what was wrong: ``word`` or ``word: detail``; ``None`` when nothing was."""
    told = _word_and_detail(answer)
    if told is None:
        return None
    word, details = told
    detail = " ".join(str(detail) for detail in details if detail)
    return (f"{word}: {detail}" if detail else word)[:LONGEST_PROBLEM]


def _word_and_detail(answer: Answer | http.Failure) -> tuple[str, tuple[object, ...]] | None:  # noqa: PLR0911  # a table
    match answer:
        case Seen() | Running():
            return None
        case Unreadable(reason=reason, detail=detail):
            return reason, (detail,)
        case UnknownTask(status=status, message=message):
            return "unknown_task", (status, message)
        case Refused(status=status, category=category, message=message):
            return "refused", (status, category, message)
        case Forbidden(message=message):
            return "forbidden", (403, message)
        case Throttled(seconds=seconds, policy=policy):
            return "throttled", (policy, f"for {seconds:g} s")
        case Busy(status=status, seconds=seconds):
            return "busy", (status, f"for {seconds:g} s")
        case Odd(status=status):
            return "odd_status", (status,)
        case http.Failure(reason=reason, detail=detail):
            return reason, (detail,)
    assert_never(answer)


def _has_changed(old: Watch, new: Watch) -> bool:
    return (old.state, old.status, _word(old.problem)) != (new.state, new.status, _word(new.problem))


def _word(problem: str | None) -> str | None:
    return None if problem is None else problem.split(":", 1)[0]


# -- how it goes on --------------------------------------------------------------------------------------------------


def _next_poll(watch: Watch, now: float, settings: PollingSettings) -> float:
    """Tell when to ask again: at the next square, at the deadline at the latest; past that in short steps."""
    if now >= watch.deadline_at:
        return min(now + EXPIRY_STEP, watch.deadline_at + EXPIRY_GRACE)
    due = next_due(
        now=now,
        anchor=watch.began_at if watch.anchor_at is None else watch.anchor_at,
        cost=settings.request_cost,
        v=stagger(watch.key),
        first_k=2 if watch.polls == 1 else 1,
    )
    # Woken by a sibling before its time, it keeps the poll it was due for.
    kept = watch.next_poll_at if watch.next_poll_at > now else math.inf
    return min(due, kept, watch.deadline_at)


# -- how it ends -----------------------------------------------------------------------------------------------------


def _conclude(
    watch: Watch, answer: Answer | http.Failure, now: float, settings: PollingSettings
) -> tuple[Watch, Event | None]:
    """Close the watch when this answer ends it."""
    seen = answer.observation if isinstance(answer, Seen) else None
    if isinstance(answer, Seen) and answer.observation.outcome:
        ended, event = _close(watch, WatchState.ENDED, EVENT_OF_OUTCOME[answer.observation.outcome], seen, now)
        return replace(ended, outcome=answer.observation.outcome, ended_at=_ended_at(answer, now)), event
    if isinstance(answer, UnknownTask) and _is_lost(watch, now, settings):
        return _close(watch, WatchState.LOST, EventType.WATCH_LOST, seen, now)
    if now >= watch.deadline_at + (EXPIRY_GRACE if _has_failed(answer) else 0.0):
        return _close(watch, WatchState.EXPIRED, EventType.WATCH_EXPIRED, seen, now)
    return watch, None


def _ended_at(seen: Seen, now: float) -> float:
    """Tell when the task ended, on our clock."""
    completed = seen.observation.completed_at
    return now if completed is None else min(completed + seen.skew, now)


def _is_lost(watch: Watch, now: float, settings: PollingSettings) -> bool:
    since = now if watch.unknown_since is None else watch.unknown_since
    return watch.unknown_count >= settings.lost_after_answers and now - since >= settings.lost_after


def _has_failed(answer: Answer | http.Failure) -> bool:
    """Tell whether the question was not answered at all, so that asking again may tell more."""
    return isinstance(answer, http.Failure | Throttled | Busy | Refused)


def _close(
    watch: Watch, state: WatchState, event_type: EventType, seen: Observation | None, now: float
) -> tuple[Watch, Event]:
    check_transition(watch.state, state)
    payload = _payload(watch, seen, now)
    if state is not WatchState.ENDED:
        payload["problem"] = watch.problem
    event = Event(
        event_id=watch.event_id(event_type),
        type=event_type,
        occurred_at=now if seen is None or seen.completed_at is None else seen.completed_at,
        data=payload,
        watch_id=watch.watch_id,
    )
    return replace(watch, state=state, ended_at=now), event


_BLIND = Observation(status="", recognised=False)


def _payload(watch: Watch, seen: Observation | None, now: float) -> dict[str, Any]:
    """Make the payload's ``data``; null is what nobody knows. The task's times are told as HubSpot's clock has them."""
    look = seen or _BLIND
    return {
        "account": watch.key.account,
        "kind": watch.key.kind,
        "task_id": watch.key.task_id,
        "label": watch.label,
        "outcome": look.outcome and look.outcome.value,
        "status": watch.status,
        "requested_at": iso(look.requested_at),
        "started_at": iso(look.started_at),
        "completed_at": iso(look.completed_at),
        "observed_at": iso(now),
        "duration_seconds": _duration(look),
        "num_errors": look.num_errors,
        "errors": list(look.errors),
        "result": look.result,
        "response": look.response,
    }


def _duration(seen: Observation) -> float | None:
    """Tell how long the task ran, waiting included where nobody knows when it started."""
    began = seen.requested_at if seen.started_at is None else seen.started_at
    if began is None or seen.completed_at is None or seen.completed_at < began:
        return None
    return round(seen.completed_at - began, 3)
