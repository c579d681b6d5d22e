"""The only ways a watch ends: ended, lost, expired."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from decisions import ANSWERED, BEGAN, DEADLINE, FAILURE, NOT_TERMINAL, SETTINGS, UNANSWERED, WATCH, after, seen
from hypothesis import given
from hypothesis import strategies as st

from notifier.errors import TransitionError
from notifier.http import Failure, Response
from notifier.hubspot.answers import (
    Answer,
    Busy,
    Odd,
    Refused,
    Running,
    Seen,
    Throttled,
    UnknownTask,
    Unreadable,
    read_answer,
)
from notifier.hubspot.kinds import KINDS
from notifier.model import EVENT_OF_OUTCOME, EventType, Observation, Outcome, Watch, WatchState
from notifier.polling.decide import EXPIRY_GRACE, EXPIRY_STEP, Decision, decide, expire_unasked

by_name = pytest.mark.parametrize("answer", NOT_TERMINAL.values(), ids=NOT_TERMINAL)
by_answered = pytest.mark.parametrize("answer", ANSWERED.values(), ids=ANSWERED)
by_unanswered = pytest.mark.parametrize("answer", UNANSWERED.values(), ids=UNANSWERED)


# -- ended -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [10.0, 7_200.0, 90_000.0])
@pytest.mark.parametrize("outcome", Outcome)
def test_ended(outcome: Outcome, at: float) -> None:
    """A terminal observation ends the watch, however late, with the event of its outcome."""
    decision = after(seen("COMPLETE", outcome=outcome, completed_at=BEGAN + 5), replace(WATCH, problem="busy"), at=at)
    assert decision.watch.state is WatchState.ENDED
    assert (decision.watch.outcome, decision.watch.ended_at) == (outcome, BEGAN + 5)
    assert decision.event is not None
    assert decision.event.type is EVENT_OF_OUTCOME[outcome]
    assert decision.event.event_id == WATCH.key.event_id(EVENT_OF_OUTCOME[outcome])
    assert decision.event.watch_id == WATCH.watch_id


def test_payload() -> None:
    """The payload says all that is known, with times as HubSpot tells them."""
    errors = [{"message": "Unsupported file type"}]
    answer = seen(
        "COMPLETE",
        skew=100.0,
        outcome=Outcome.FAILED,
        requested_at=BEGAN - 10,
        started_at=BEGAN - 8,
        completed_at=BEGAN + 4.4,
        num_errors=1,
        errors=tuple(errors),
        result={"id": "7"},
    )
    event = after(answer, at=200.0).event
    assert event is not None
    assert event.occurred_at == BEGAN + 4.4
    assert list(event.data.items()) == [
        ("account", "main"),
        ("kind", "hubspot.file_import"),
        ("task_id", "AAAAEZ6whGI"),
        ("label", "Spring catalogue"),
        ("outcome", "failed"),
        ("status", "COMPLETE"),
        ("requested_at", "2027-01-15T07:59:50.000Z"),
        ("started_at", "2027-01-15T07:59:52.000Z"),
        ("completed_at", "2027-01-15T08:00:04.400Z"),
        ("observed_at", "2027-01-15T08:03:20.000Z"),
        ("duration_seconds", 12.4),
        ("num_errors", 1),
        ("errors", errors),
        ("result", {"id": "7"}),
        ("response", {"status": "COMPLETE"}),
    ]
    assert json.loads(json.dumps(event.data)) == event.data


def test_payload_of_next_to_nothing() -> None:
    """What HubSpot does not tell is null, and what it leaves us to know is our own clock."""
    decision = after(seen("COMPLETE", outcome=Outcome.SUCCEEDED))
    assert decision.event is not None
    assert (decision.event.occurred_at, decision.watch.ended_at) == (BEGAN + 10, BEGAN + 10)
    unknown = {name for name, value in decision.event.data.items() if value is None}
    assert unknown == {"requested_at", "started_at", "completed_at", "duration_seconds", "num_errors", "result"}


@pytest.mark.parametrize(
    ("times", "duration"),
    [
        ({"requested_at": BEGAN, "completed_at": BEGAN + 3.25}, 3.25),
        ({"requested_at": BEGAN, "started_at": BEGAN + 1, "completed_at": BEGAN + 3.25}, 2.25),
        ({"started_at": BEGAN + 9, "completed_at": BEGAN}, None),
        ({"started_at": BEGAN}, None),
        ({"completed_at": BEGAN}, None),
    ],
)
def test_duration(times: dict[str, float], duration: float | None) -> None:
    """A task's duration is told when both ends of it are known and in order."""
    event = after(seen("COMPLETE", outcome=Outcome.SUCCEEDED, **times)).event
    assert event is not None
    assert event.data["duration_seconds"] == duration


@pytest.mark.parametrize(("skew", "ended_at"), [(3.0, BEGAN + 8), (-3.0, BEGAN + 2), (30.0, BEGAN + 10)])
def test_ended_at_is_on_our_clock(skew: float, ended_at: float) -> None:
    """The watch remembers the end on our clock and never in the future."""
    answer = seen("COMPLETE", outcome=Outcome.SUCCEEDED, completed_at=BEGAN + 5, skew=skew)
    assert after(answer).watch.ended_at == ended_at


def test_an_ended_watch_is_final() -> None:
    """What ended can't end again."""
    answer = seen("COMPLETE", outcome=Outcome.SUCCEEDED)
    with pytest.raises(TransitionError):
        after(answer, after(answer).watch)


# -- lost --------------------------------------------------------------------------------------------------------------

UNKNOWN = UnknownTask(404, "no such task")


def follow(*steps: tuple[float, Answer | Failure], watch: Watch = WATCH) -> Decision:
    """Take in answers one after another, each with its seconds after the watch began; the last decides."""
    decision = Decision(watch)
    for at, answer in steps:
        assert decision.event is None
        decision = after(answer, decision.watch, at=at)
    return decision


def test_lost() -> None:
    """Five times in a row over five minutes is believed."""
    decision = follow((1, UNKNOWN), (4, UNKNOWN), (9, UNKNOWN), (16, UNKNOWN), (301, UNKNOWN))
    assert decision.watch.state is WatchState.LOST
    assert decision.watch.ended_at == BEGAN + 301
    assert decision.changed
    assert decision.event is not None
    assert (decision.event.type, decision.event.occurred_at) == (EventType.WATCH_LOST, BEGAN + 301)
    assert decision.event.event_id == WATCH.event_id(EventType.WATCH_LOST)
    assert decision.event.data["problem"] == "unknown_task: 404 no such task"
    assert decision.event.data["outcome"] is None


@pytest.mark.parametrize(
    "steps",
    [
        [(1, UNKNOWN), (4, UNKNOWN), (9, UNKNOWN), (400, UNKNOWN)],
        [(1, UNKNOWN), (4, UNKNOWN), (9, UNKNOWN), (16, UNKNOWN), (300.9, UNKNOWN)],
        [(1, UNKNOWN), (4, UNKNOWN), (9, UNKNOWN), (16, UNKNOWN), (301, FAILURE)],
        [(1, UNKNOWN), (4, UNKNOWN), (9, UNKNOWN), (16, UNKNOWN), (200, Running()), (400, UNKNOWN)],
        [(1, UNKNOWN), (4, UNKNOWN), (9, UNKNOWN), (16, UNKNOWN), (200, seen()), (400, UNKNOWN)],
    ],
)
def test_not_lost(steps: Sequence[tuple[float, Answer | Failure]]) -> None:
    """Fewer answers, less time, another kind of answer or one that knows the task: not lost."""
    assert follow(*steps).watch.state is WatchState.ACTIVE


@pytest.mark.parametrize(
    "between", [FAILURE, Busy(3.0, 503), Throttled(9.0), Refused(401), Unreadable("html"), Odd(302)]
)
def test_failures_do_not_break_the_row(between: Answer | Failure) -> None:
    """What says nothing of the task neither counts nor breaks the row."""
    decision = follow((1, UNKNOWN), (4, UNKNOWN), (9, UNKNOWN), (16, UNKNOWN), (200, between), (301, UNKNOWN))
    assert decision.watch.state is WatchState.LOST


def test_lost_in_good_time() -> None:
    """Left to the schedule, a task nobody knows is told of within six minutes."""
    watch, now = WATCH, WATCH.next_poll_at
    while watch.state is WatchState.ACTIVE:
        watch = decide(watch, UNKNOWN, now=now, settings=SETTINGS).watch
        now = watch.next_poll_at
    assert watch.state is WatchState.LOST
    assert SETTINGS.lost_after <= (watch.ended_at or 0) - BEGAN < 360


# -- expired -----------------------------------------------------------------------------------------------------------


@by_name
def test_last_poll_at_the_deadline(answer: Answer | Failure) -> None:
    """The next poll is never past the deadline."""
    assert after(answer, at=7_199.0).watch.next_poll_at == DEADLINE


@by_answered
def test_expired(answer: Answer) -> None:
    """An answer at the deadline that is not terminal is the last."""
    decision = after(answer, replace(WATCH, status="PROCESSING"), at=7_200.0)
    assert decision.watch.state is WatchState.EXPIRED
    assert decision.watch.ended_at == DEADLINE
    assert decision.changed
    assert decision.event is not None
    assert (decision.event.type, decision.event.occurred_at) == (EventType.WATCH_EXPIRED, DEADLINE)
    assert decision.event.data["status"] == "PROCESSING"
    assert decision.event.data["problem"] == decision.watch.problem
    assert decision.event.data["outcome"] is None


def test_expired_tells_what_was_last_seen() -> None:
    """The last look's body is told, and what it knew of the task."""
    event = after(seen("PENDING", requested_at=BEGAN), at=7_200.0).event
    assert event is not None
    assert event.data["response"] == {"status": "PENDING"}
    assert event.data["requested_at"] == "2027-01-15T08:00:00.000Z"


@by_unanswered
def test_a_failed_last_poll_is_repeated(answer: Answer | Failure) -> None:
    """A last look that failed is tried again for a minute, in short steps, then given up with the problem."""
    decision, times = after(answer, at=7_200.0), []
    while decision.event is None:
        times.append(decision.watch.next_poll_at - DEADLINE)
        decision = decide(decision.watch, answer, now=decision.watch.next_poll_at, settings=SETTINGS)
    assert times == [EXPIRY_STEP * n for n in range(1, 13)]
    assert decision.watch.state is WatchState.EXPIRED
    assert decision.event.data["problem"] == decision.watch.problem
    assert decision.watch.problem is not None


def test_a_failed_last_poll_may_still_tell_the_end() -> None:
    """Better late: the repeated look counts."""
    decision = follow((7_200, FAILURE), (7_205, seen("COMPLETE", outcome=Outcome.SUCCEEDED)))
    assert decision.watch.state is WatchState.ENDED


def test_lost_rather_than_expired() -> None:
    """At the deadline a task that is known to be unknown is lost."""
    row = replace(WATCH, unknown_count=4, unknown_since=DEADLINE - 300)
    assert after(UNKNOWN, row, at=7_200.0).watch.state is WatchState.LOST


def test_expire_unasked() -> None:
    """A watch whose account can't be asked expires once the grace is over, and no sooner."""
    last = DEADLINE + EXPIRY_GRACE
    assert expire_unasked(WATCH, last - 0.1) == Decision(WATCH)
    decision = expire_unasked(replace(WATCH, status="PENDING"), last)
    assert decision.watch.state is WatchState.EXPIRED
    assert decision.event is not None
    assert decision.event.event_id == WATCH.event_id(EventType.WATCH_EXPIRED)
    assert decision.event.data["status"] == "PENDING"
    assert decision.event.data["problem"] == "not_asked: the account could not be asked at the deadline"
    assert expire_unasked(replace(WATCH, problem="refused: 401"), last).watch.problem == "refused: 401"


# -- anything ----------------------------------------------------------------------------------------------------------

times = st.none() | st.floats(BEGAN - 1e9, BEGAN + 1e9)
skews = st.just(0.0) | st.floats(-86_400, 86_400)
observations = st.builds(
    lambda status, outcome, **about: Observation(status, True, outcome=outcome, **about),
    st.sampled_from(["PENDING", "PROCESSING", "COMPLETE"]),
    st.sampled_from([None] * 12 + list(Outcome)),
    requested_at=times,
    started_at=times,
    completed_at=times,
)
any_answer = st.one_of(
    st.sampled_from(list(NOT_TERMINAL.values())),
    st.builds(Seen, observations, skew=skews),
    st.builds(UnknownTask, st.just(404)),
    st.builds(UnknownTask, st.just(404)),
)


@given(
    answers=st.lists(st.tuples(any_answer, st.floats(0, 600)), max_size=60),
    lateness=st.floats(0, 100),
    cost=st.sampled_from([0.05, 1.0, 30.0]),
    length=st.sampled_from([0.0, 5.0, 300.0, 7_200.0]),
)
def test_a_watch_ends_only_by_its_rules(
    answers: Sequence[tuple[Answer | Failure, float]], lateness: float, cost: float, length: float
) -> None:
    """Whatever comes in whatever order: an end has its reason, one event, and until then there is a next poll."""
    settings = replace(SETTINGS, request_cost=cost)
    watch = replace(WATCH, deadline_at=BEGAN + length)
    now, unknown = BEGAN, []
    for answer, pause in answers:
        now += pause
        decision = decide(watch, answer, now=now, settings=settings)
        terminal = isinstance(answer, Seen) and answer.observation.outcome is not None
        unknown = (
            [*unknown, now]
            if isinstance(answer, UnknownTask)
            else []
            if isinstance(answer, Seen | Running)
            else unknown
        )
        lost = isinstance(answer, UnknownTask) and len(unknown) >= 5 and now - unknown[0] >= 300
        grace = EXPIRY_GRACE if any(answer is failed for failed in UNANSWERED.values()) else 0.0
        late = now >= watch.deadline_at + grace
        watch = decision.watch
        assert (watch.state is WatchState.ENDED) is terminal
        assert (watch.state is WatchState.LOST) is (lost and not terminal)
        assert (watch.state is WatchState.EXPIRED) is (late and not terminal and not lost)
        assert (decision.event is None) is (watch.state is WatchState.ACTIVE)
        if decision.event is not None:
            assert math.isfinite(watch.ended_at or math.inf)
            json.dumps(decision.event.data)
            return
        assert now < watch.next_poll_at <= watch.deadline_at + (0.0 if now < watch.deadline_at else EXPIRY_GRACE)
        now = max(now, watch.next_poll_at - lateness)


@given(
    status=st.sampled_from([200, 202, 204, 302, 400, 401, 403, 404, 423, 429, 500]),
    body=st.binary()
    | st.recursive(
        st.none() | st.integers() | st.floats() | st.text() | st.sampled_from(["COMPLETE", "9999-12-31T23:59:59Z"]),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["status", "errors", "requestedAt", "startedAt", "completedAt"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode()),
    date=st.sampled_from(["", "Fri, 15 Jan 2027 18:00:00 GMT", "Thu, 14 Jan 2027 12:00:00 GMT"]),
    at=st.floats(0, 10_000),
)
def test_any_bytes(status: int, body: bytes, date: str, at: float) -> None:
    """From the bytes on the wire to the decision nothing raises, and only HubSpot's own word ends a task."""
    response = Response(status, {"date": date}, body)
    decision = after(read_answer(KINDS["hubspot.file_import"], response, now=BEGAN + at), at=at)
    if decision.watch.state is WatchState.ENDED:
        assert status in {200, 202, 204}
        assert json.loads(body)["status"] in {"COMPLETE", "CANCELED"}
    (decision.watch.problem or "").encode()
    (decision.watch.status or "").encode()
    json.dumps(decision.event.data if decision.event else None)
