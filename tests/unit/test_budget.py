"""The token bucket never lets HubSpot count more than the limit."""

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from notifier.hubspot.budget import ARRIVAL_JITTER, Bucket, burst_of, rate_of
from notifier.model import RateLimit

limits = st.builds(RateLimit, st.integers(1, 250), st.sampled_from([1.0, 2.0, 10.0, 60.0]))


def sent(bucket: Bucket, wishes: Iterable[float], start: float = 0.0) -> Iterator[float]:
    """Send one request per wish (seconds after the last one was sent), each as soon as the bucket lets it."""
    now = start
    for pause in wishes:
        now += pause
        while (wait := bucket.take(now)) > 0:
            now += wait
        yield now


def fullest_window(arrivals: Iterable[float], seconds: float) -> int:
    """The most arrivals in any ``[t, t + seconds)``."""
    ordered = sorted(arrivals)
    most = first = 0
    for last, at in enumerate(ordered):
        while ordered[first] <= at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


@given(
    limit=limits,
    start=st.sampled_from([0.0, 1e6]),
    wishes=st.lists(st.one_of(st.just(0.0), st.floats(0, 3), st.floats(0, 100)), max_size=300),
    jitter=st.lists(st.floats(0, ARRIVAL_JITTER), min_size=300, max_size=300),
)
@settings(deadline=None)
def test_never_over_the_limit(limit: RateLimit, start: float, wishes: list[float], jitter: list[float]) -> None:
    """Whatever is wished for and however late it arrives, no window at the server's holds more than the limit."""
    departures = sent(Bucket(limit), wishes, start)
    assert fullest_window(map(sum, zip(departures, jitter, strict=False)), limit.seconds) <= limit.requests


@pytest.mark.parametrize("limit", [RateLimit(n, 10.0) for n in (1, 2, 3, 8, 19, 20, 100, 190, 250)], ids=str)
@pytest.mark.parametrize("silence", [0.0, 30.0])
def test_worst_case(limit: RateLimit, silence: float) -> None:
    """A full bucket emptied without end, the first half of a window late and the second prompt: still within the limit."""
    departures = list(sent(Bucket(limit), [silence] + [0.0] * 3 * limit.requests, start=1.0))
    for turn in departures:
        arrivals = [at + (ARRIVAL_JITTER if at <= turn else 0.0) for at in departures]
        assert fullest_window(arrivals, limit.seconds) <= limit.requests


@given(limit=limits, killed_after=st.floats(0, 30), down=st.floats(0, 5))
@example(limit=RateLimit(100, 10.0), killed_after=20.0, down=0.0)
@settings(deadline=None)
def test_killed_and_started_again(limit: RateLimit, killed_after: float, down: float) -> None:
    """Two processes one after the other keep the limit together, though neither knows of the other."""
    wishes = [killed_after] + [0.0] * (2 * limit.requests)
    one = [at for at in sent(Bucket(limit), wishes) if at <= killed_after + limit.seconds / 2]
    other = list(sent(Bucket(limit), wishes[1:], start=killed_after + limit.seconds / 2 + down))
    assert fullest_window(one + other, limit.seconds) <= limit.requests


@given(limit=limits, seconds=st.floats(1, 1000))
@settings(deadline=None)
def test_long_run(limit: RateLimit, seconds: float) -> None:
    """Under constant demand requests go at the full rate, and each wait is long enough."""
    count = min(500, int(seconds * rate_of(limit)))
    departures = list(sent(Bucket(limit), [0.0] * (count + 1)))
    assert departures[-1] == pytest.approx(count / rate_of(limit) + departures[0], rel=1e-3, abs=1e-3)


def test_sizes() -> None:
    """The table in the module's text."""
    for limit, burst, rate in [
        (RateLimit(100, 10), 10, 8.57),
        (RateLimit(190, 10), 19, 16.29),
        (RateLimit(8, 2), 1, 2.8),
    ]:
        assert (burst_of(limit), round(rate_of(limit), 2)) == (burst, rate)
    assert rate_of(RateLimit(1, 10)) == pytest.approx(0.0951, abs=1e-4)


@given(limit=limits)
def test_size_rule(limit: RateLimit) -> None:
    """Burst and refill over a window and its jitter come to no whole request more than the limit."""
    assert int(burst_of(limit) + rate_of(limit) * (limit.seconds + ARRIVAL_JITTER) - 1e-9) <= limit.requests


def test_begins_empty() -> None:
    """The first request of a process waits for one token, for nobody knows what the last process sent."""
    bucket = Bucket(RateLimit(100, 10.0))
    assert bucket.take(50.0) == pytest.approx(1 / rate_of(bucket.limit))
    assert bucket.take(50.2) == 0.0


def test_burst() -> None:
    """After a rest a tenth of the limit goes at once, and no more however long the rest."""
    bucket = Bucket(RateLimit(100, 10.0))
    bucket.take(0.0)
    assert [bucket.take(1_000.0) for _ in range(10)] == [0.0] * 10
    assert bucket.take(1_000.0) > 0


def test_asking_costs_nothing() -> None:
    """A token that could not be had is not owed."""
    bucket = Bucket(RateLimit(100, 10.0))
    waits = {bucket.take(0.0) for _ in range(10)}
    assert len(waits) == 1
    assert bucket.take(waits.pop()) == 0.0


def test_pause() -> None:
    """Nothing goes before the end of a pause; a shorter one does not shorten it."""
    bucket = Bucket(RateLimit(100, 10.0))
    bucket.take(0.0)
    bucket.pause_until(30.0)
    bucket.pause_until(20.0)
    assert bucket.take(10.0) == 20.0
    assert bucket.take(29.0) == 1.0
    assert bucket.take(30.0) == 0.0


def test_clock_that_stands_still_or_goes_back() -> None:
    """A clock that breaks its promise gives no tokens."""
    bucket = Bucket(RateLimit(100, 10.0))
    bucket.take(100.0)
    assert bucket.take(50.0) > 0
    assert bucket.take(50.0) > 0
