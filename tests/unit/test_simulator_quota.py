"""The simulated limits, counted strictly."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from notifier.model import RateLimit
from notifier.simulator.quota import DAILY, TEN_SECONDLY, Quota

_GAPS = st.lists(st.sampled_from([0.0, 0.1, 1.0, 2.5, 5.0, 9.9, 10.0, 30.0]) | st.floats(0, 12), max_size=60)


@given(_GAPS, st.integers(1, 8))
def test_rolling_window_against_brute_force(gaps: list[float], limit: int) -> None:
    """A request is refused exactly when the window that ends with it already holds the limit."""
    quota = Quota(RateLimit(limit, 10.0), None)
    taken: list[float] = []
    for now in accumulate(gaps):
        held = sum(1 for at in taken if at > now - 10.0)
        assert quota.headers(now, 0.0)["X-HubSpot-RateLimit-Remaining"] == str(limit - held)
        refused_by = quota.spend(now, 0.0)
        assert refused_by == (TEN_SECONDLY if held >= limit else None)
        if refused_by is None:
            taken.append(now)


@given(_GAPS, st.integers(1, 8))
def test_no_window_holds_more(gaps: list[float], limit: int) -> None:
    """In no window of ten seconds, wherever it lies, is more let through than the limit."""
    quota = Quota(RateLimit(limit, 10.0), None)
    taken = [now for now in accumulate(gaps) if quota.spend(now, 0.0) is None]
    assert all(sum(1 for at in taken if end - 10.0 < at <= end) <= limit for end in taken)


def test_wait_is_exact() -> None:
    """After the wait that is told, and not before, the next request passes."""
    quota = Quota(RateLimit(2, 10.0), None)
    assert [quota.spend(now, 0.0) for now in (0.0, 4.0, 5.0)] == [None, None, TEN_SECONDLY]
    assert quota.wait(5.0, 0.0, TEN_SECONDLY) == 5.0
    assert quota.spend(9.999, 0.0) == TEN_SECONDLY
    assert quota.spend(10.0, 0.0) is None


def test_daily_limit_ends_with_the_day() -> None:
    """The daily limit refuses until midnight, UTC, and then counts anew."""
    quota = Quota(None, 2)
    noon = 86_400.0 * 20_000 + 43_200
    assert [quota.spend(0.0, noon) for _ in range(3)] == [None, None, DAILY]
    assert quota.wait(0.0, noon, DAILY) == 43_200
    assert quota.headers(0.0, noon)["X-HubSpot-RateLimit-Daily-Remaining"] == "0"
    assert quota.spend(0.0, noon + 43_199) == DAILY
    assert quota.spend(0.0, noon + 43_200) is None


def test_no_limits() -> None:
    """Without limits nothing is refused, and no header speaks of them."""
    quota = Quota(None, None)
    assert {quota.spend(0.0, 0.0) for _ in range(1000)} == {None}
    assert quota.headers(0.0, 0.0) == {}
