"""What becomes of a delivery after an attempt."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from notifier.delivery.formats import FORMATS, Remedy, Ruling
from notifier.delivery.settings import DEFAULT_SCHEDULE, Callback, OnUnknown
from notifier.delivery.verdict import (
    LONGEST_OWN_PAUSE,
    LONGEST_RETRY_AFTER,
    SLOW_RETRY,
    Case,
    Dead,
    Delivered,
    DisableCallback,
    Hold,
    PauseCallback,
    RetryAt,
    Verdict,
    decide,
)
from notifier.http import Failure, Reach, Response
from notifier.model import Body, Claim, Delivery, DeliveryState, EventType
from notifier.secret import Secret

NOW = 1_800_000_000.0
MIDDLE = 0.5  # of the jitter: the schedule as it stands

statuses = st.integers(200, 999)
chances = st.floats(0, 1, exclude_max=True)
exchanges = st.one_of(
    statuses.map(lambda status: Response(status, {}, b"")),
    st.builds(Failure, st.sampled_from(Reach), st.sampled_from(["timeout_read", "dns_error"])),
)


def callback(**changes: object) -> Callback:
    """Give a callback with the defaults."""
    return replace(Callback("erp", Secret("https://erp.example/hook")), **changes)  # type: ignore[arg-type]  # by name


def case(
    *, failures: int = 0, number: int | None = None, plain: bool = False, u: float = MIDDLE, **settings: object
) -> Case:
    """Give a delivery that failed so many times."""
    delivery = Delivery("dlv_1", "evt_1", EventType.TASK_SUCCEEDED, "erp", DeliveryState.PENDING, NOW, NOW)
    delivery = replace(delivery, failures=failures, plain=plain)
    claim = Claim(delivery, number or failures + 1, Body(b"{}", "application/json"))
    return Case(claim, callback(**settings), NOW, u)


def answer(status: int, retry_after: str | None = None) -> Response:
    """Give an answer without a word."""
    return Response(status, {} if retry_after is None else {"retry-after": retry_after}, b"")


def general(status: int) -> Verdict:
    """Say what the first answer of this status asks for, straight from the written table."""
    reason = f"status_{status}"
    if status < 300:
        return Delivered()
    if status == 410:
        return DisableCallback("gone")
    if status == 429:
        return PauseCallback(NOW + 5, reason)
    if status in (401, 403, 404, 407):
        return RetryAt(NOW + 330, reason, "rejected", loud=True)  # 5 min, jittered upward
    return RetryAt(NOW + 5, reason, "rejected")


@pytest.mark.parametrize("format_name", ["webhook", "slack"])
@pytest.mark.parametrize("status", range(200, 600))
def test_every_status(format_name: str, status: int) -> None:
    """One table for every status, first try, for every format; Slack's 2xx needs its "ok"."""
    body = b"ok"
    ruling = FORMATS[format_name].judge(status, body)
    assert decide(case(), Response(status, {}, body), ruling) == general(status)


@pytest.mark.parametrize("status", range(200, 600))
def test_every_status_at_the_third_try(status: int) -> None:
    """A rejection that is nobody's to mend is final at the third try; nothing else is."""
    verdict = decide(case(failures=2), answer(status))
    final = 400 <= status < 500 and status not in (401, 403, 404, 407, 408, 410, 425, 429)
    assert (verdict == Dead("rejected", "rejected")) == final
    assert isinstance(verdict, Dead) == final


@pytest.mark.parametrize("status", [400, 405, 413, 415, 422, 499])
def test_three_tries(status: int) -> None:
    """Two tries more, on the schedule."""
    assert decide(case(failures=0), answer(status)) == RetryAt(NOW + 5, f"status_{status}", "rejected")
    assert decide(case(failures=1), answer(status)) == RetryAt(NOW + 300, f"status_{status}", "rejected")


def test_fewer_tries_when_fewer_are_configured() -> None:
    """A rejection names itself even when one try is all there is."""
    assert decide(case(max_attempts=1), answer(400)) == Dead("rejected", "rejected")


@pytest.mark.parametrize("status", [600, 999, 101])
def test_odd_statuses_are_retried(status: int) -> None:
    """A status no table knows is taken for a passing fault."""
    assert decide(case(), answer(status)) == RetryAt(NOW + 5, f"status_{status}", "rejected")


@pytest.mark.parametrize(("failures", "delay"), list(enumerate([*DEFAULT_SCHEDULE[1:], 86_400.0, 86_400.0])))
def test_schedule(failures: int, delay: float) -> None:
    """The delays are the schedule's, and the last one repeats."""
    verdict = decide(case(failures=failures, max_attempts=99), answer(503))
    assert isinstance(verdict, RetryAt)
    assert verdict.at == pytest.approx(NOW + delay)


def test_schedule_sums_to_75_hours() -> None:
    """Ten tries take about 75 hours, as the table in the docstring says."""
    assert sum(DEFAULT_SCHEDULE) == 75 * 3600 + 35 * 60 + 5


def test_exhausted() -> None:
    """The try that makes max_attempts is the last one."""
    assert isinstance(decide(case(failures=8), answer(503)), RetryAt)
    assert decide(case(failures=9), answer(503)) == Dead("exhausted", "rejected")
    assert decide(case(failures=9), answer(401)) == Dead("exhausted", "rejected")
    assert decide(case(failures=9), Failure(Reach.NOT_SENT, "dns_error")) == Dead("exhausted", "not_sent")


@pytest.mark.parametrize("reach", Reach)
def test_no_answer_is_retried(reach: Reach) -> None:
    """The verdict says how far the request got, and why it failed."""
    assert decide(case(), Failure(reach, "timeout_read")) == RetryAt(NOW + 5, "timeout_read", str(reach))


def test_on_unknown_hold() -> None:
    """With ``hold``, what may have arrived waits for a person, even at the last try; what can't have is retried."""
    for failures in (0, 9):
        held = case(failures=failures, on_unknown=OnUnknown.HOLD)
        assert decide(held, Failure(Reach.UNKNOWN, "timeout_read")) == Hold("timeout_read")
    unsent = decide(case(on_unknown=OnUnknown.HOLD), Failure(Reach.NOT_SENT, "connection_refused"))
    assert unsent == RetryAt(NOW + 5, "connection_refused", "not_sent")
    assert isinstance(decide(case(on_unknown=OnUnknown.HOLD), answer(504)), RetryAt)


def test_mendable_refusals_keep_to_a_longer_schedule() -> None:
    """SLOW_RETRY is a floor, not a ceiling."""
    verdict = decide(case(failures=3), answer(403))
    assert verdict == RetryAt(NOW + 7200, "status_403", "rejected", loud=True)
    told_to_wait = decide(case(), answer(403, "3600"))
    assert told_to_wait == RetryAt(NOW + 3600 * 1.1, "status_403", "rejected", loud=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("1.5", 5),
        ("0", 5),
        ("21600", 21_600),
        ("86400", 21_600),
        ("9" * 5000, 21_600),
        ("-3", 5),
        ("soon", 5),
        ("", 5),
        ("1e9", 5),
        ("١٢٠", 5),
        ("nan", 5),
        ("Mon, 99 Foo 2026 00:00:00 GMT", 5),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 21_600),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 21_600),
        ("Fri, 31 Dec 2026 23:59:59 +99999999999999999999", 5),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 5),
        (format_datetime(datetime.fromtimestamp(NOW, UTC) + timedelta(minutes=10), usegmt=True), 600),
        (format_datetime(datetime.fromtimestamp(NOW, UTC).replace(tzinfo=None) + timedelta(minutes=10)), 600),
        (format_datetime(datetime.fromtimestamp(NOW, UTC) - timedelta(minutes=10), usegmt=True), 5),
    ],
)
def test_retry_after(text: str, seconds: float) -> None:
    """Seconds and dates are obeyed up to six hours, garbage is not there; 5 s is the backoff."""
    jittered = [decide(case(u=u), answer(status, text)) for u in (0.0, MIDDLE, 0.999) for status in (429, 503)]
    for verdict in jittered:
        assert isinstance(verdict, PauseCallback | RetryAt)
        wait = (verdict.until if isinstance(verdict, PauseCallback) else verdict.at) - NOW
        least = seconds if seconds > 5 else 4
        assert least <= wait + 1e-6 <= min(seconds * 1.2, LONGEST_RETRY_AFTER) + 2e-6


@given(text=st.text(max_size=40), status=st.sampled_from([429, 503, 401, 400, 301]))
def test_retry_after_takes_anything(text: str, status: int) -> None:
    """No header breaks the verdict or asks for more than six hours."""
    verdict = decide(case(), answer(status, text))
    assert isinstance(verdict, PauseCallback | RetryAt)
    at = verdict.until if isinstance(verdict, PauseCallback) else verdict.at
    assert NOW < at <= NOW + LONGEST_RETRY_AFTER


@given(number=st.integers(1, 2000), failures=st.integers(0, 9), u=chances)
def test_429_never_kills(number: int, failures: int, u: float) -> None:
    """However often the bucket is full, the delivery waits, a little longer each time up to five minutes."""
    assume(failures < number)
    verdict = decide(case(failures=failures, number=number, u=u, max_attempts=1), answer(429))
    assert isinstance(verdict, PauseCallback)
    assert NOW + 4 <= verdict.until <= NOW + LONGEST_OWN_PAUSE * 1.2


def test_pause_doubles() -> None:
    """Each earlier try that cost nothing doubles the pause."""
    waits = [decide(case(number=number), answer(429)) for number in (1, 2, 3, 7, 8)]
    assert waits == [PauseCallback(NOW + wait, "status_429") for wait in (5, 10, 20, 300, 300)]
    assert decide(case(failures=4), answer(429)) == PauseCallback(NOW + 5, "status_429")


@given(exchange=exchanges, failures=st.integers(0, 12), u=chances, max_attempts=st.integers(1, 15))
def test_never_before_now(exchange: Response | Failure, failures: int, u: float, max_attempts: int) -> None:
    """Nothing is due in the past, and jitter stays within a fifth of the schedule."""
    verdict = decide(case(failures=failures, u=u, max_attempts=max_attempts), exchange)
    if isinstance(verdict, PauseCallback):
        assert verdict.until > NOW
    if isinstance(verdict, RetryAt):
        scheduled = DEFAULT_SCHEDULE[min(failures + 1, 9)]
        floor = SLOW_RETRY if verdict.loud else 0.0
        assert max(scheduled * 0.8, floor) <= verdict.at - NOW + 1e-5
        assert verdict.at - NOW <= max(scheduled, floor) * 1.2 + 1e-5


@given(max_attempts=st.integers(1, 12), tries=st.lists(exchanges, min_size=200, max_size=200), u=chances)
def test_failing_sequence_ends_dead_at_max_attempts(
    max_attempts: int, tries: list[Response | Failure], u: float
) -> None:
    """A delivery that only fails is dead after exactly max_attempts charged tries, or after fewer when rejected."""
    failures, verdict = 0, None
    for number, exchange in enumerate(tries, 1):
        verdict = decide(case(failures=failures, number=number, u=u, max_attempts=max_attempts), exchange)
        if isinstance(verdict, Dead | Delivered | DisableCallback):
            break
        failures += isinstance(verdict, RetryAt) and verdict.charged
        assert failures < max_attempts
    if isinstance(verdict, Dead):
        assert failures + 1 == max_attempts or (verdict.reason == "rejected" and failures >= 2)


def test_ten_tries_and_no_more() -> None:
    """An hour-long outage is survived, a dead receiver gets ten tries."""
    verdicts = [decide(case(failures=failures), answer(500)) for failures in range(10)]
    assert [type(verdict) for verdict in verdicts] == [RetryAt] * 9 + [Dead]


def test_plain_once_then_dead() -> None:
    """A body that could not be read goes out once more as plain text, at no cost, and no third time."""
    ruling = Ruling(Remedy.PLAIN, "invalid_blocks")
    again = decide(case(failures=9), answer(400), ruling)
    assert again == RetryAt(NOW, "invalid_blocks", "rejected", charged=False, plain=True)
    assert decide(case(plain=True), answer(400), ruling) == Dead("invalid_blocks", "rejected")


def test_ruling_outranks_the_status() -> None:
    """The format's word counts, under whatever status it came."""
    for status in (200, 404, 410, 500):
        assert decide(case(), answer(status), Ruling(Remedy.NONE, "no_service")) == Dead("no_service", "rejected")
    retried = decide(case(), answer(200, "60"), Ruling(Remedy.RETRY, "unexpected_answer"))
    assert retried == RetryAt(NOW + 66, "unexpected_answer", "rejected")
    assert decide(case(failures=9), answer(200), Ruling(Remedy.RETRY, "rollup_error")) == Dead("exhausted", "rejected")


def test_429_outranks_the_ruling() -> None:
    """A full bucket is a full bucket, whatever the body says."""
    assert isinstance(decide(case(), answer(429), Ruling(Remedy.NONE, "no_service")), PauseCallback)
