"""What answers say of the whole account."""

import pytest

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
from notifier.model import Observation
from notifier.polling.gate import Gate

FAILURE = Failure(Reach.NOT_SENT, "connection_refused")
WELL = [Seen(Observation("PENDING", recognised=True)), Running(), UnknownTask(404), Forbidden()]


def pauses(*answers: Answer | Failure) -> list[float | None]:
    """The seconds each answer stops the account for, one after the other."""
    gate = Gate()
    notes = [gate.note(answer) for answer in answers]
    return [None if note is None else note.seconds for note in notes]


@pytest.mark.parametrize(
    "answer", [Throttled(10.0, "TEN_SECONDLY_ROLLING"), Busy(2.0, 423), Busy(3600.0, 477), Busy(7.0, 503, told=True)]
)
def test_what_is_about_the_account_pauses_it_as_told(answer: Throttled | Busy) -> None:
    """429, 423, 477 and a Retry-After count at once."""
    assert pauses(answer) == [answer.seconds]


@pytest.mark.parametrize("answer", [Busy(3.0, 500), FAILURE])
def test_failures_pause_from_the_third_in_a_row(answer: Busy | Failure) -> None:
    """One task that always fails never stops the others; an account that can't be reached is left alone."""
    assert pauses(*[answer] * 9) == [None, None, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert pauses(answer, answer, Running(), answer, answer) == [None] * 5


@pytest.mark.parametrize("answer", WELL)
def test_other_answers_show_that_the_account_is_well(answer: Answer) -> None:
    """Even a 404 says that HubSpot took the credentials and answers."""
    gate = Gate(rejected=True, strikes=3, failures=9)
    assert gate.note(answer) is None
    assert (gate.rejected, gate.strikes, gate.failures, gate.concurrency) == (False, 0, 0, None)


def test_a_rejected_account_is_probed_ever_more_seldom() -> None:
    """30 s, doubled up to 5 min, one poll at a time."""
    gate = Gate()
    assert [gate.note(Refused(401)).seconds for _ in range(6)] == [30.0, 60.0, 120.0, 240.0, 300.0, 300.0]
    assert gate.rejected
    assert gate.concurrency == 1


def test_strikes_grow_with_throttling_and_busy_answers() -> None:
    """They lengthen the waits that ``answers.py`` chooses."""
    gate = Gate()
    for answer in (Throttled(1.0), Busy(1.0, 423), Busy(1.0, 500)):
        gate.note(answer)
    assert gate.strikes == 3


def test_one_trouble_that_meets_many_polls_is_one() -> None:
    """Ten requests in flight that fail together pause the account for a second, not for half a minute."""
    gate = Gate()
    assert [gate.note(FAILURE) for _ in range(2)] == [None, None]
    assert gate.note(FAILURE).seconds == 1.0
    assert [gate.note(FAILURE, belated=True) for _ in range(7)] == [None] * 7
    assert gate.note(FAILURE).seconds == 2.0


def test_belated_refusals_and_throttles_make_nothing_longer() -> None:
    """The first probe is after 30 s, however many polls were refused at once; a 429 is heeded, but is no new strike."""
    gate = Gate()
    assert gate.note(Refused(401)).seconds == 30.0
    assert gate.note(Refused(401), belated=True) is None
    assert gate.note(Refused(401)).seconds == 60.0
    assert gate.note(Throttled(10.0)).seconds == 10.0
    assert [gate.note(answer, belated=True).seconds for answer in (Throttled(12.0), Busy(3.0, 423))] == [12.0, 3.0]
    assert gate.strikes == 1


@pytest.mark.parametrize("answer", [Unreadable("html"), Odd(302)])
def test_a_proxys_page_says_nothing_of_the_account(answer: Answer) -> None:
    """A rejected account stays so until HubSpot itself shows that it takes the credentials."""
    gate = Gate(rejected=True, strikes=3, failures=2)
    assert gate.note(answer) is None
    assert (gate.rejected, gate.strikes, gate.failures) == (True, 3, 2)


def test_a_told_wait_of_one_task_is_not_the_accounts_for_an_hour() -> None:
    """503 with Retry-After pauses the account for half a minute at most; 477 for as long as it says."""
    assert pauses(Busy(3600.0, 503, told=True)) == [30.0]
    assert pauses(Busy(3600.0, 477, told=True)) == [3600.0]
