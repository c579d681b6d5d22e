"""A simulated task over time, and ids that are scripts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.clock import iso
from notifier.simulator.tasks import Ending, Script, begin, invent, parse_duration, parse_script, status_at, status_body


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("5s", 5), ("1.5s", 1.5), ("1m30s", 90), ("2h", 7200), ("1d", 86_400), ("1s500ms", 1.5)],
)
def test_durations(text: str, seconds: float) -> None:
    """Durations are read with their units."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "5 s", "5x", "5s ", "1.2.3s"])
def test_not_durations(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("ok-5s", Script(Ending.COMPLETE, 1, 4)),
        ("complete-5s-spring-2", Script(Ending.COMPLETE, 1, 4)),
        ("errors-10s", Script(Ending.ERRORS, 2, 8)),
        ("canceled-500ms-x", Script(Ending.CANCELED, 0.1, 0.4)),
        ("forever-1", Script(Ending.NEVER)),
        ("errors", Script(Ending.ERRORS)),
        ("lost-10s", Script(Ending.LOST, 2, 8)),
        ("unknown-1", Script(Ending.LOST, 0, 0)),
        ("pending-2s-processing-4s-complete", Script(Ending.COMPLETE, 2, 4)),
        ("pending-2s-canceled-b", Script(Ending.CANCELED, 2, 0)),
        ("processing-1m-errors", Script(Ending.ERRORS, 0, 60)),
    ],
)
def test_scripts(name: str, script: Script) -> None:
    """An id written in the grammar tells what the task will do."""
    read = parse_script(name)
    assert read is not None
    assert (read.ends, read.pending, read.processing) == (
        script.ends,
        pytest.approx(script.pending) if script.pending is not None else None,
        pytest.approx(script.processing) if script.processing is not None else None,
    )


@pytest.mark.parametrize("name", ["AAAAEZ6whGI", "okay-5s", "ok5s", "OK-5s", "pending-2s", "", "7b0e6a5e-complete-5s"])
def test_no_scripts(name: str) -> None:
    """Any other id is none."""
    assert parse_script(name) is None


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        (Ending.COMPLETE, ["PENDING", "PROCESSING", "COMPLETE"]),
        (Ending.ERRORS, ["PENDING", "PROCESSING", "COMPLETE"]),
        (Ending.CANCELED, ["PENDING", "PROCESSING", "CANCELED"]),
        (Ending.NEVER, ["PENDING", "PROCESSING", "PROCESSING"]),
        (Ending.LOST, ["PENDING", "PROCESSING", None]),
    ],
)
def test_states_in_time(ends: Ending, words: list[str | None]) -> None:
    """A phase begins at its instant, not before."""
    task = begin("a", 100.0, 2.0, 3.0, ends)
    assert [status_at(task, now) for now in (101.999, 104.999, 105.0)] == words


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.sampled_from(Ending), st.lists(st.floats(0, 3e4), max_size=20))
def test_never_back(pending: float, processing: float, ends: Ending, ages: list[float]) -> None:
    """Whatever the durations, no task ever returns to an earlier state."""
    task = begin("a", 1e9, pending, processing, ends)
    ranks = {"PENDING": 0, "PROCESSING": 1, "COMPLETE": 2, "CANCELED": 2, None: 2}
    seen = [ranks[status_at(task, 1e9 + age)] for age in sorted(ages)]
    assert seen == sorted(seen)


def test_times_of_the_body() -> None:
    """The body holds the times that have come, and no others."""
    task = begin("a", 100.0, 2.0, 3.0, Ending.COMPLETE)
    pending, processing, complete = (status_body(task, now) or {} for now in (100, 102, 200))
    assert (pending.get("requestedAt"), pending.get("startedAt")) == (iso(100), None)
    assert (processing.get("startedAt"), processing.get("completedAt")) == (iso(102), None)
    assert (complete["startedAt"], complete["completedAt"], complete["numErrors"]) == (iso(102), iso(105), 0)


def test_no_result_with_errors() -> None:
    """A task that ends with errors has them counted, and no result."""
    body = status_body(begin("a", 0.0, 0.0, 0.0, Ending.ERRORS), 1.0) or {}
    assert (body["status"], body["numErrors"], len(body["errors"]), "result" in body) == ("COMPLETE", 1, 1, False)


def test_forever() -> None:
    """A task that never ends is still PROCESSING in a thousand years."""
    task = begin("a", 0.0, 1.0, 1.0, Ending.NEVER)
    assert task.ends_at == math.inf
    assert status_at(task, 3e10) == "PROCESSING"


@given(st.text(), st.integers(0, 100))
def test_invented_durations(task_id: str, seed: int) -> None:
    """An unscripted id gets a duration in the range, the same one each time."""
    first, second = (invent(task_id, None, now=0.0, durations=(2.0, 20.0), seed=seed) for _ in range(2))
    assert first == second
    assert 2.0 <= first.ends_at <= 20.0
