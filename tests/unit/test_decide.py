"""What answers make of a watch that goes on."""

from dataclasses import replace

import pytest
from decisions import BEGAN, FAILURE, NOT_TERMINAL, WATCH, after, seen

from notifier.http import Failure, Reach
from notifier.hubspot.answers import (
    Answer,
    Busy,
    Forbidden,
    Odd,
    Refused,
    Running,
    Throttled,
    UnknownTask,
    Unreadable,
)
from notifier.model import Outcome, WatchState
from notifier.polling.schedule import next_due, stagger

by_name = pytest.mark.parametrize("answer", NOT_TERMINAL.values(), ids=NOT_TERMINAL)


@by_name
def test_it_goes_on(answer: Answer | Failure) -> None:
    """No answer before the deadline but a terminal one ends a watch; the squares go on."""
    decision = after(answer, replace(WATCH, polls=3))
    assert decision.event is None
    assert decision.watch.state is WatchState.ACTIVE
    assert (decision.watch.polls, decision.watch.polled_at) == (4, BEGAN + 10)
    assert decision.watch.next_poll_at == next_due(now=BEGAN + 10, anchor=BEGAN, cost=1.0, v=stagger(WATCH.key))


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (seen(), None),
        (Running(), None),
        (Unreadable("html", "an HTML page"), "html: an HTML page"),
        (UnknownTask(404, "no such task"), "unknown_task: 404 no such task"),
        (UnknownTask(400), "unknown_task: 400"),
        (Refused(403, "MISSING_SCOPES", "files"), "refused: 403 MISSING_SCOPES files"),
        (Refused(401), "refused: 401"),
        (Forbidden("not yours"), "forbidden: 403 not yours"),
        (Throttled(900.0, "DAILY"), "throttled: DAILY for 900 s"),
        (Throttled(10.0), "throttled: for 10 s"),
        (Busy(2.5, 503), "busy: 503 for 2.5 s"),
        (Odd(302), "odd_status: 302"),
        (FAILURE, "timeout_read: no complete answer within 15 s"),
        (Failure(Reach.NOT_SENT, "dns_error"), "dns_error"),
    ],
)
def test_problem(answer: Answer | Failure, problem: str | None) -> None:
    """What was wrong is a word and a detail; a good answer clears it."""
    assert after(answer, replace(WATCH, problem="busy: 502")).watch.problem == problem


def test_problem_is_short() -> None:
    """A problem has at most 300 characters."""
    assert len(after(Failure(Reach.UNKNOWN, "protocol_error", "x" * 1_000)).watch.problem or "") == 300


def test_first_look_is_spent() -> None:
    """The first look stands in for the first square, which may still be to come; the second poll is the second square."""
    late = replace(WATCH, key=replace(WATCH.key, task_id="AAAAEZ6whGE"))
    v = stagger(late.key)
    assert v > 0.3
    assert after(seen(), late, at=1.0).watch.next_poll_at - BEGAN == pytest.approx((2 + v) ** 2, abs=1e-5)
    assert after(seen(), replace(late, polls=1), at=1.0).watch.next_poll_at - BEGAN == pytest.approx(
        (1 + v) ** 2, abs=1e-5
    )


def test_woken_early_keeps_its_poll() -> None:
    """A poll out of turn never puts off the one that was due."""
    woken = replace(WATCH, polls=5, next_poll_at=BEGAN + 20.2)
    assert after(seen(), woken, at=20.0).watch.next_poll_at == BEGAN + 20.2
    assert after(seen(), replace(woken, next_poll_at=BEGAN + 9_000), at=20.0).watch.next_poll_at < BEGAN + 40


@pytest.mark.parametrize(
    ("answer", "anchor"),
    [
        (seen("PENDING", requested_at=BEGAN - 100, started_at=BEGAN - 50), BEGAN - 100),
        (seen("PROCESSING", requested_at=BEGAN - 100, started_at=BEGAN - 50), BEGAN - 50),
        (seen("PROCESSING", requested_at=BEGAN - 100), BEGAN - 100),
        (seen("PROCESSING"), BEGAN - 7),
        (Running(), BEGAN - 7),
        (FAILURE, BEGAN - 7),
        (seen("PROCESSING", started_at=BEGAN - 50, skew=30.0), BEGAN - 20),
        (seen("PROCESSING", started_at=BEGAN - 50, skew=-30.0), BEGAN - 80),
        (seen("PROCESSING", started_at=BEGAN - 38, skew=30.0), BEGAN - 7),
        (seen("PROCESSING", started_at=BEGAN + 11), BEGAN + 10),
        (seen("PROCESSING", started_at=BEGAN + 100), BEGAN - 7),
    ],
)
def test_anchor(answer: Answer | Failure, anchor: float) -> None:
    """Age counts from the start of the run, else from the request, on our clock; a start far ahead is no start."""
    decision = after(answer, replace(WATCH, anchor_at=BEGAN - 7, polls=2))
    assert decision.watch.anchor_at == anchor
    assert decision.watch.next_poll_at == next_due(now=BEGAN + 10, anchor=anchor, cost=1.0, v=stagger(WATCH.key))


def test_correlation_id_is_kept() -> None:
    """The last one known is what support will ask for."""
    known = replace(WATCH, correlation_id="abc")
    assert after(Running(correlation_id="def"), known).watch.correlation_id == "def"
    assert after(Running(), known).watch.correlation_id == "abc"
    assert after(FAILURE, known).watch.correlation_id == "abc"


# -- what is worth a line ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "problem", "answer", "changed"),
    [
        (None, None, seen("PENDING"), True),
        ("PENDING", None, seen("PENDING"), False),
        ("PENDING", None, seen("PROCESSING"), True),
        ("PENDING", None, Running(), False),
        ("PENDING", None, Busy(3.0, 503), True),
        ("PENDING", "busy: 503 for 3 s", Busy(6.0, 502), False),
        ("PENDING", "busy: 503 for 3 s", FAILURE, True),
        ("PENDING", "busy: 503 for 3 s", seen("PENDING"), True),
        ("PROCESSING", None, seen("COMPLETE", outcome=Outcome.SUCCEEDED), True),
    ],
)
def test_changed(status: str | None, problem: str | None, answer: Answer | Failure, changed: bool) -> None:
    """Another status, another kind of problem and the end are worth a line; the rest is repetition."""
    assert after(answer, replace(WATCH, status=status, problem=problem)).changed is changed


def test_unknown_status_is_told_once() -> None:
    """A word nobody knows is news when the status becomes it, and it ends nothing."""
    first = after(seen("PAUSED", recognised=False))
    assert first.status_unknown
    assert first.watch.status == "PAUSED"
    assert first.watch.state is WatchState.ACTIVE
    assert not after(seen("PAUSED", recognised=False), first.watch, at=20.0).status_unknown
    assert not after(seen("PROCESSING"), first.watch, at=20.0).status_unknown
