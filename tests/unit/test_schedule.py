"""The squares schedule: golden numbers, bounds, and the wake rule in simulated batches."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist, fmean

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from notifier.hubspot.budget import Bucket
from notifier.model import RateLimit, TaskKey, Watch, WatchState
from notifier.polling.schedule import MIN_GAP, first_look, next_due, stagger, wake_candidate

Quantile = Callable[[float], float]

LAWS: dict[str, Quantile] = {
    "exponential": lambda u: -60 * math.log1p(-u),
    "weibull k 3": lambda u: 30 * (-math.log1p(-u)) ** (1 / 3),
    "weibull k .6": lambda u: 120 * (-math.log1p(-u)) ** (1 / 0.6),
    "uniform": lambda u: 600 * u,
    "lognormal": lambda u: 60 * math.exp(1.5 * NormalDist().inv_cdf(u)),
}

# law, c: requests per task, mean delay, delay at the 95th percentile
GOLDEN = [
    ("exponential", 1, 7.3647, 7.1977, 18.882),
    ("exponential", 4, 3.9323, 15.0578, 39.503),
    ("weibull k 3", 1, 5.5813, 5.4146, 11.241),
    ("weibull k 3", 4, 3.0346, 11.3431, 25.840),
    ("weibull k .6", 1, 10.8075, 10.6403, 34.367),
    ("weibull k .6", 4, 5.6593, 21.9669, 69.995),
    ("uniform", 1, 16.8333, 16.8320, 38.997),
    ("uniform", 4, 8.6666, 34.1853, 81.997),
    ("lognormal", 1, 10.7616, 10.5909, 32.397),
    ("lognormal", 4, 5.6303, 21.8596, 66.031),
]


def durations(law: str, count: int) -> list[float]:
    return [LAWS[law]((i + 0.5) / count) for i in range(count)]


def noticed(duration: float, cost: float, v: float) -> float:
    """The schedule knows nothing of the past, so the poll after a duration is one call away."""
    return next_due(now=duration, anchor=0.0, cost=cost, v=v, min_gap=0.0)


def requests_until(noticed_at: float, cost: float, v: float) -> int:
    """Polls are numbered from 1."""
    return round(math.sqrt(noticed_at / cost) - v)


@pytest.mark.parametrize(("law", "cost", "requests", "mean_delay", "late"), GOLDEN)
def test_golden(law: str, cost: float, requests: float, mean_delay: float, late: float) -> None:
    """A hundred thousand durations of a law cost and are noticed as computed independently, to 0.5 %."""
    all_durations = durations(law, 100_000)
    all_noticed = [noticed(duration, cost, 0.0) for duration in all_durations]
    delays = sorted(end - duration for duration, end in zip(all_durations, all_noticed, strict=True))
    assert fmean(requests_until(end, cost, 0.0) for end in all_noticed) == pytest.approx(requests, rel=0.005)
    assert fmean(delays) == pytest.approx(mean_delay, rel=0.005)
    assert delays[95_000] == pytest.approx(late, rel=0.005)


def test_golden_phase_average() -> None:
    """Averaged over the phases, staggering changes neither the requests nor the delay."""
    phases = [-0.45 + step / 10 for step in range(10)]
    ends = [(t, noticed(t, 1.0, v), v) for v in phases for t in durations("exponential", 10_000)]
    assert fmean(requests_until(end, 1.0, v) for _, end, v in ends) == pytest.approx(7.365, rel=0.01)
    assert fmean(end - t for t, end, _ in ends) == pytest.approx(7.199, rel=0.01)


# -- bounds ------------------------------------------------------------------------------------------------------------

seconds = st.floats(0.001, 20_000)
costs = st.floats(0.25, 60)
phases = st.floats(-0.5, 0.5, exclude_max=True)
anchors = st.sampled_from([0.0, 1_800_000_000.0])


def polls(cost: float, v: float, anchor: float = 0.0) -> Iterator[float]:
    """Step through the polls as the daemon does: each from the one before."""
    now = first_look(anchor, cost, v) if cost * (1 + v) ** 2 <= 1 else anchor + cost * (1 + v) ** 2
    while True:
        yield now
        now = next_due(now=now, anchor=anchor, cost=cost, v=v)


@given(duration=seconds, cost=costs)
def test_bounds(duration: float, cost: float) -> None:
    """A task of duration T costs at most ⌈√(T/c)⌉ requests and is noticed less than 2√(cT) + c late."""
    asked = list(itertools.takewhile(lambda at: at < duration, polls(cost, 0.0)))
    noticed_at = next(at for at in polls(cost, 0.0) if at >= duration)
    assert len(asked) + 1 <= math.ceil(math.sqrt(duration / cost) + 1e-9)
    assert noticed_at - duration < 2 * math.sqrt(cost * duration) + cost + 1e-6


@given(cost=costs, v=phases, factor=st.floats(0.5, 20))
def test_scaling(cost: float, v: float, factor: float) -> None:
    """Seconds are only a unit: squares(c·f) of f·T is f times squares(c) of T."""
    for age in (0.3, 7.7, 123.4):
        one = next_due(now=age, anchor=0, cost=cost, v=v, min_gap=0)
        other = next_due(now=age * factor, anchor=0, cost=cost * factor, v=v, min_gap=0)
        assume(abs(math.sqrt(age / cost) - v - round(math.sqrt(age / cost) - v)) > 1e-6)
        assert other == pytest.approx(factor * one)


@given(cost=costs, v=phases, anchor=anchors, restart=st.floats(0, 5_000))
def test_restart_changes_nothing(cost: float, v: float, anchor: float, restart: float) -> None:
    """Whoever starts at whatever instant, the polls from then on are those of one who never stopped."""
    never_stopped = list(itertools.takewhile(lambda at: at < anchor + 9_000, polls(cost, v, anchor)))
    first = next_due(now=anchor + restart, anchor=anchor, cost=cost, v=v)
    restarted = [first]
    while restarted[-1] < anchor + 8_000:
        restarted.append(next_due(now=restarted[-1], anchor=anchor, cost=cost, v=v))
    # A poll less than the smallest gap away is left out, and squares closer than that are thinned from where one starts.
    assume(cost * (1 + 2 * v + 2 * 1) >= MIN_GAP)
    nearest = anchor + restart + MIN_GAP
    # A clock of 1.8e9 seconds counts in quarters of a microsecond: whether a poll on the edge is left out is chance.
    assume(all(abs(at - nearest) > 1e-5 for at in never_stopped))
    future = [at for at in never_stopped if at >= nearest]
    assert restarted[: len(future)] == pytest.approx(future[: len(restarted)], abs=1e-5)


@given(now=st.floats(0, 1e5), cost=st.floats(0.001, 3600), v=phases, anchor=st.floats(-1e5, 2e5), base=anchors)
def test_never_too_soon_never_skipping(now: float, cost: float, v: float, anchor: float, base: float) -> None:
    """The next poll is half a second away at least, and the first square that is."""
    now, anchor = base + now, base + anchor
    due = next_due(now=now, anchor=anchor, cost=cost, v=v)
    assert due >= now + MIN_GAP - 1e-6
    began = min(anchor, now)
    k = round(math.sqrt((due - began) / cost) - v)
    before = began + cost * max(0.0, k - 1 + v) ** 2
    assert k == 1 or before < now + MIN_GAP + 1e-6


def test_anchor_in_the_future_is_now() -> None:
    """A clock that was set back does not silence the polls."""
    assert next_due(now=100.0, anchor=5_000.0, cost=1, v=0.0) == 101.0


def test_missed_polls_are_not_caught_up_on() -> None:
    """After an hour of silence there is one poll, at the next square."""
    assert next_due(now=3_600.5, anchor=0.0, cost=1, v=0.0) == 61**2


def test_first_k() -> None:
    """Once the first look is spent, the next poll is the second square."""
    assert next_due(now=0.3, anchor=0.0, cost=1, v=0.0) == 1.0
    assert next_due(now=0.3, anchor=0.0, cost=1, v=0.0, first_k=2) == 4.0
    assert next_due(now=50.0, anchor=0.0, cost=1, v=0.0, first_k=2) == 64.0


@given(cost=st.floats(0.001, 3600), v=phases)
def test_first_look(cost: float, v: float) -> None:
    """A new watch is asked within a second whatever a request is worth, and never before it began."""
    assert 100.0 <= first_look(100.0, cost, v) <= 101.0


@given(st.text(), st.text())
def test_stagger_range(one: str, other: str) -> None:
    """The phase is in [-0.5, 0.5) and hangs on the whole key."""
    key = TaskKey("main", "hubspot.file_import", one)
    assert -0.5 <= stagger(key) < 0.5
    assert stagger(key) == stagger(replace(key))
    assert one == other or stagger(key) != stagger(replace(key, task_id=other))
    assert len({stagger(key), stagger(replace(key, account="other")), stagger(replace(key, kind="other"))}) == 3


def test_stagger_is_even() -> None:
    """Siblings with ids in a row spread over all phases."""
    phases = sorted(stagger(TaskKey("main", "hubspot.file_import", f"AAAAEZ6w{i}")) for i in range(1_000))
    assert max(abs(v - (i / 1_000 - 0.5)) for i, v in enumerate(phases)) < 0.06


# -- batches -----------------------------------------------------------------------------------------------------------

KIND = "hubspot.file_import"
WAKE_GAP = 0.05  # between two woken polls


def batch_watch(j: int, began: float = 0.0) -> Watch:
    return Watch(
        key=TaskKey("main", KIND, f"{j:04d}"),
        label=None,
        callbacks=None,
        origin="config",
        state=WatchState.ACTIVE,
        began_at=began,
        deadline_at=1e9,
        next_poll_at=0.0,
        anchor_at=began,
    )


@dataclass
class Batch:
    """Tasks that began together at 0, each with its duration and phase, polled until the last was seen to end."""

    durations: Sequence[float]
    wake: bool
    bucket: Bucket | None = None

    def run(self) -> "Batch":
        self.phases = [((j + 1) * 0.6180339887) % 1 - 0.5 for j in range(len(self.durations))]
        self.watches = [
            replace(batch_watch(j), next_poll_at=(1 + v) ** 2 if self.bucket is None else first_look(0, 1, v))
            for j, v in enumerate(self.phases)
        ]
        self.noticed: dict[int, float] = {}
        self.requests: list[float] = []
        self.wakes_owed: list[Watch] = []
        self.next_wake = math.inf
        self.now = 0.0
        while len(self.noticed) < len(self.durations):
            self.step()
        return self

    def step(self) -> None:
        j = min(self.active(), key=lambda j: self.watches[j].next_poll_at)
        if self.next_wake <= self.watches[j].next_poll_at:
            self.wake_one()
        else:
            self.poll(j, self.watches[j].next_poll_at)

    def active(self) -> list[int]:
        return [j for j in range(len(self.watches)) if j not in self.noticed]

    def wake_one(self) -> None:
        """Each end owes one wake; they go out one after another, and one that finds nobody is dropped."""
        now, ended = self.next_wake, self.wakes_owed.pop(0)
        self.next_wake = now + WAKE_GAP if self.wakes_owed else math.inf
        chosen = wake_candidate(ended, self.watches, now=now, cost=1)
        if chosen is not None:
            self.poll(int(chosen.key.task_id), now)

    def poll(self, j: int, wanted: float) -> None:
        now = self.sent_at(wanted)
        watch = self.watches[j]
        if self.durations[j] <= now:
            self.noticed[j] = now
            self.watches[j] = replace(watch, state=WatchState.ENDED)
            self.owe_wake(now, watch)
            return
        due = next_due(now=now, anchor=0, cost=1, v=self.phases[j])
        kept = watch.next_poll_at if watch.next_poll_at > now else math.inf
        self.watches[j] = replace(watch, next_poll_at=min(due, kept), polled_at=now)

    def owe_wake(self, now: float, ended: Watch) -> None:
        if self.wake:
            self.wakes_owed.append(ended)
            self.next_wake = min(self.next_wake, now + WAKE_GAP)

    def sent_at(self, wanted: float) -> float:
        self.now = max(self.now, wanted)
        if self.bucket is not None:
            while (wait := self.bucket.take(self.now)) > 0:
                self.now += wait
        self.requests.append(self.now)
        return self.now

    def mean_delay(self) -> float:
        return fmean(self.noticed[j] - duration for j, duration in enumerate(self.durations))


ONE_BY_ONE = [20.0 + 3 * j for j in range(1, 51)]
ALL_AT_ONCE = [77.7] * 50


@pytest.mark.parametrize(
    ("durations", "wake", "requests", "mean_delay"),
    [
        (ONE_BY_ONE, False, 503, 10.524),
        (ONE_BY_ONE, True, 523, 5.669),
        (ALL_AT_ONCE, False, 466, 9.243),
        (ALL_AT_ONCE, True, 466, 3.140),
    ],
)
def test_golden_batches(durations: Sequence[float], wake: bool, requests: float, mean_delay: float) -> None:
    """A batch of 50 costs and is noticed as computed independently, with and without wakes, to 3 %."""
    batch = Batch(durations, wake).run()
    assert len(batch.requests) == pytest.approx(requests, rel=0.03)
    assert batch.mean_delay() == pytest.approx(mean_delay, rel=0.03)


@example([1.1, 1.1, 1.592])  # woken at 1.35, the third ends before the poll it was due for at 1.83
@given(st.lists(st.floats(0.1, 300), min_size=1, max_size=15))
def test_wake_never_notices_later(durations: list[float]) -> None:
    """Waking can only help, and costs one request per end at most."""
    plain, woken = Batch(durations, wake=False).run(), Batch(durations, wake=True).run()
    assert all(woken.noticed[j] <= plain.noticed[j] for j in plain.noticed)
    assert len(woken.requests) <= len(plain.requests) + len(durations)


@pytest.mark.parametrize("wake", [False, True])
def test_requests_stay_within_the_limit(wake: bool) -> None:
    """However many tasks are due at once, no 10 s hold more requests than the limit; they only come later."""
    bucket = Bucket(RateLimit(100, 10))
    batch = Batch([30.0 + j % 40 for j in range(400)], wake, bucket).run()
    requests = batch.requests
    assert max(sum(1 for at in requests[i:] if at <= start + 10) for i, start in enumerate(requests)) <= 100
    assert len(requests) > 400


# -- the wake rule -----------------------------------------------------------------------------------------------------

ENDED = replace(batch_watch(0), state=WatchState.ENDED)


def wake_among(*siblings: Watch, now: float = 100.0) -> str | None:
    chosen = wake_candidate(ENDED, siblings, now=now, cost=1)
    return None if chosen is None else chosen.key.task_id


def test_wake_takes_the_oldest() -> None:
    """The sibling whose task began first is the likeliest to have ended too."""
    young, old = replace(batch_watch(1), anchor_at=20.0), replace(batch_watch(2), anchor_at=10.0)
    assert wake_among(young, old) == "0002"


def test_wake_spares_the_lately_asked() -> None:
    """Asked half a √(c·age) ago is long enough, less is not: here 5 s at age 100 s."""
    assert wake_among(replace(batch_watch(1), polled_at=95.1)) is None
    assert wake_among(replace(batch_watch(1), polled_at=95.0)) == "0001"


def test_wake_counts_age_from_the_watch_when_the_task_tells_none() -> None:
    """Until HubSpot tells when the task began, it is as old as the watch."""
    watch = replace(batch_watch(1, began=36.0), anchor_at=None)
    assert wake_among(replace(watch, polled_at=96.1)) is None
    assert wake_among(replace(watch, polled_at=95.9)) == "0001"


@pytest.mark.parametrize(
    "stranger",
    [
        ENDED,
        replace(batch_watch(1), state=WatchState.REMOVED),
        replace(batch_watch(1), key=TaskKey("other", KIND, "0001")),
        replace(batch_watch(1), key=TaskKey("main", "hubspot.crm_export", "0001")),
        batch_watch(1, began=60.5),
    ],
)
def test_wake_leaves_strangers(stranger: Watch) -> None:
    """Another account, kind or minute, and what is not active, are no siblings."""
    assert wake_among(stranger) is None
