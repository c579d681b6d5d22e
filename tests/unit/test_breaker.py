"""The breaker: when a receiver is left alone, for how long, and what ends it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.delivery.breaker import THRESHOLD, Breaker, BreakerState, is_ill
from notifier.http import Failure, Reach, Response

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


def failed(breaker: Breaker, times: int = 1, *, now: float = 0.0, u: float = 1.0) -> Breaker:
    """Let attempts of this era fail."""
    for _ in range(times):
        breaker = breaker.ended(breaker.era, now, u, ill=True)
    return breaker


def probed(breaker: Breaker, now: float, *, ill: bool, u: float = 1.0) -> Breaker:
    """Let the probe go out and come back."""
    assert breaker.room(4, now) == 1
    return breaker.began(breaker.era).ended(breaker.era, now, u, ill=ill)


@pytest.mark.parametrize(
    ("exchange", "ill"),
    [
        *((Failure(Reach.NOT_SENT, reason), True) for reason in ("dns_error", "connection_refused", "tls_error")),
        *((Failure(Reach.UNKNOWN, reason), True) for reason in ("timeout_read", "connection_reset")),
        *((Response(status, {}, b""), True) for status in (500, 502, 503, 504, 599, 408, 425)),
        *((Response(status, {}, b""), False) for status in (200, 204, 302, 400, 401, 403, 404, 410, 413, 422, 429)),
    ],
    ids=lambda value: getattr(value, "reason", None) or str(getattr(value, "status", value)),
)
def test_what_speaks_of_the_receiver(exchange: Response | Failure, ill: bool) -> None:
    """No connection, no answer, 5xx, 408, 425; never a 4xx about one body, nor a 429, which has its own pause."""
    assert is_ill(exchange) is ill


def test_it_opens_after_failures_in_a_row() -> None:
    """Five, not four; one sign of life begins the count anew."""
    assert THRESHOLD == 5
    assert failed(Breaker(), 4).state(0.0) is CLOSED
    alive = failed(Breaker(), 4).ended(0, 0.0, 0.5, ill=False)
    assert failed(alive, 4).state(0.0) is CLOSED
    assert failed(alive, 5).state(0.0) is OPEN


def test_rests_double_up_to_ten_minutes() -> None:
    """30 s, 1, 2, 4, 8, 10, 10 … minutes, however long it goes on; jitter shortens them by a fifth at most."""
    now, breaker, rests = 0.0, failed(Breaker(), THRESHOLD), []
    for _ in range(2000):
        rests.append(breaker.rest(now))
        now += breaker.rest(now)
        breaker = probed(breaker, now, ill=True)
    assert rests[:7] == [30.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0]
    assert set(rests[5:]) == {600.0}
    assert failed(Breaker(), THRESHOLD, u=0.0).rest(0.0) == 24.0


def test_open_lets_nothing_through_and_half_open_one() -> None:
    """Until its time is over no room; then one probe, and no other beside it."""
    breaker = failed(Breaker(), THRESHOLD)
    assert [breaker.room(4, at) for at in (0.0, 29.9, 30.0)] == [0, 0, 1]
    assert breaker.state(30.0) is HALF_OPEN
    assert breaker.room(0, 30.0) == 0
    probing = breaker.began(breaker.era)
    assert probing.room(4, 9999.0) == 0


def test_an_answered_probe_closes_it_and_forgets() -> None:
    """Everything may go again at once, and the next time begins with the shortest rest."""
    breaker = probed(failed(Breaker(), THRESHOLD), 30.0, ill=False)
    assert (breaker.state(30.0), breaker.room(4, 30.0), breaker.failures) == (CLOSED, 4, 0)
    assert failed(breaker, THRESHOLD, now=31.0).rest(31.0) == 30.0


def test_a_failed_probe_opens_it_again() -> None:
    """For twice as long; one failure is enough now, and it counts from the first opening since when it is down."""
    breaker = probed(failed(Breaker(), THRESHOLD, now=5.0), 40.0, ill=True)
    assert (breaker.state(40.0), breaker.rest(40.0), breaker.openings, breaker.opened_at) == (OPEN, 60.0, 2, 5.0)


def test_failures_from_before_it_opened_are_old_news() -> None:
    """What was in flight when it opened neither lengthens the rest, nor counts as the probe, nor opens it again later."""
    breaker = failed(Breaker(), THRESHOLD)
    assert breaker.ended(0, 1.0, 0.5, ill=True) == breaker
    probing = breaker.began(breaker.era)
    assert probing.ended(0, 31.0, 0.5, ill=True) == probing
    closed = probing.ended(1, 31.0, 0.5, ill=False)
    assert closed.ended(0, 32.0, 0.5, ill=True) == closed


def test_a_late_answer_closes_it_too() -> None:
    """An attempt from before the opening that is answered after all shows that the receiver lives."""
    assert failed(Breaker(), THRESHOLD).ended(0, 3.0, 0.5, ill=False).state(3.0) is CLOSED


def test_claimed_while_it_opened_is_no_probe() -> None:
    """An attempt that belongs to the time before does not take the probe's place."""
    breaker = failed(Breaker(), THRESHOLD)
    assert breaker.began(0).room(4, 30.0) == 1


steps = st.lists(st.tuples(st.floats(0, 400), st.booleans(), st.floats(0, 0.999)), max_size=60)


@given(steps, st.integers(1, 6))
def test_whatever_happens(course: list[tuple[float, bool, float]], concurrency: int) -> None:
    """Never more than the concurrency, one at most while not closed, never a rest beyond ten minutes, never stuck."""
    breaker, now, out = Breaker(), 0.0, []
    for passed, ill, u in course:
        now += passed
        room = breaker.room(concurrency - len(out), now)
        assert 0 <= room <= max(0, concurrency - len(out))
        if breaker.state(now) is not CLOSED:
            assert room <= 1
            assert sum(era == breaker.era for era in out) + room <= 1
        for _ in range(room):
            breaker = breaker.began(breaker.era)
            out.append(breaker.era)
        if out:
            breaker = breaker.ended(out.pop(int(u * len(out))), now, u, ill=ill)
        assert 0 <= breaker.rest(now) <= 600.0
        if not ill and not out:
            assert breaker.room(concurrency, now + 600.0) >= 1
