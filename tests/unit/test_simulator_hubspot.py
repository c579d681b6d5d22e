"""The simulated HubSpot's contract, over real sockets."""

import re
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from notifier.clock import ManualClock
from notifier.errors import UnknownName
from notifier.model import RateLimit
from notifier.simulator.hubspot import API_VERSIONS, Served, SimulatedHubSpot

ASYNC = "/files/v3/files/import-from-url/async"
START = 1_763_752_083.0


def status_path(task_id: str, version: str = "v3") -> str:
    """Where the status of a task is asked for."""
    return f"/files/{version}/files/import-from-url/async/tasks/{task_id}/status"


@pytest.fixture
def clock() -> ManualClock:
    """The simulator's time."""
    return ManualClock(wall=START)


@pytest.fixture
def served() -> list[Served]:
    """What the simulator reported."""
    return []


@pytest.fixture
def sim(clock: ManualClock, served: list[Served]) -> SimulatedHubSpot:
    """A HubSpot that takes three requests in ten seconds."""
    return SimulatedHubSpot(clock=clock.clock, rate_limit=RateLimit(3, 10.0), daily_limit=1000, report=served.append)


@pytest.fixture
async def client(sim: SimulatedHubSpot) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it, with a token."""
    async with sim.serve() as url, httpx.AsyncClient(base_url=url, headers={"Authorization": "Bearer t"}) as client:
        yield client


async def test_every_version_answers_the_same(
    sim: SimulatedHubSpot, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    """The dated paths are twins of v3; other versions are unknown paths."""
    sim.add_task("a")
    bodies = []
    for version in API_VERSIONS:
        bodies.append({**(await client.get(status_path("a", version))).json(), "links": None})
        clock.advance(10)
        sim.add_task("a")
    assert [body["status"] for body in bodies] == ["PENDING"] * 4
    assert len({tuple(body) for body in bodies}) == 1
    answer = await client.get(status_path("a", "v4"))
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html;charset=utf-8")
    assert sim.statistics.per_path == {status_path("a", "v4"): 1}


async def test_headers(sim: SimulatedHubSpot, client: httpx.AsyncClient) -> None:
    """Each answer tells the time of HubSpot's clock, a correlation id of its own and what is left of the quota."""
    sim.add_task("a")
    first, second = [(await client.get(status_path("a"))).headers for _ in range(2)]
    assert parsedate_to_datetime(first["date"]).timestamp() == START
    assert first["x-hubspot-correlation-id"] != second["x-hubspot-correlation-id"]
    limits = {name: value for name, value in second.items() if "ratelimit" in name}
    assert limits == {
        "x-hubspot-ratelimit-max": "3",
        "x-hubspot-ratelimit-remaining": "1",
        "x-hubspot-ratelimit-interval-milliseconds": "10000",
        "x-hubspot-ratelimit-daily": "1000",
        "x-hubspot-ratelimit-daily-remaining": "998",
    }


async def test_links_lead_elsewhere(sim: SimulatedHubSpot, client: httpx.AsyncClient) -> None:
    """The status link names another host: a client that sends its token there does wrong."""
    sim.add_task("a")
    assert httpx.URL((await client.get(status_path("a"))).json()["links"]["status"]).host == "api-na1.hubspot.invalid"


async def test_unknown_ids(sim: SimulatedHubSpot, client: httpx.AsyncClient) -> None:
    """An id never added is 404 with JSON, unless ids are created when asked for."""
    answer = await client.get(status_path("a"))
    assert (answer.status_code, answer.json()["category"]) == (404, "OBJECT_NOT_FOUND")
    sim.create_unknown = True
    assert (await client.get(status_path("a"))).json()["status"] == "PENDING"


async def test_scripted_ids(sim: SimulatedHubSpot, client: httpx.AsyncClient, clock: ManualClock) -> None:
    """A script begins when its id is first asked for."""
    sim.create_unknown = True
    path = status_path("errors-10s-b")
    assert (await client.get(path)).json()["status"] == "PENDING"
    clock.advance(2)
    assert (await client.get(path)).json()["status"] == "PROCESSING"
    clock.advance(8)
    assert (await client.get(path)).json()["numErrors"] == 1


async def test_lost_ids(sim: SimulatedHubSpot, client: httpx.AsyncClient, clock: ManualClock) -> None:
    """A task that HubSpot forgets answers first, and 404 then."""
    sim.create_unknown = True
    assert (await client.get(status_path("lost-5s"))).status_code == 200
    clock.advance(5)
    assert (await client.get(status_path("lost-5s"))).status_code == 404


async def test_a_task_can_be_ended_by_hand(
    sim: SimulatedHubSpot, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    """``end_task`` ends a task that would run for ever, at this instant."""
    sim.add_task("a", pending=100, ends="never")
    clock.advance(7.7)
    sim.end_task("a", "canceled")
    body = (await client.get(status_path("a"))).json()
    assert (body["status"], body["startedAt"], body["completedAt"]) == (
        "CANCELED",
        body["completedAt"],
        "2025-11-21T19:08:10.700Z",
    )
    with pytest.raises(UnknownName):
        sim.end_task("b")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic dDp0", "t"])
async def test_a_bearer_token_is_needed(sim: SimulatedHubSpot, client: httpx.AsyncClient, header: str | None) -> None:
    """Even where any token will do, there must be one."""
    sim.add_task("a")
    del client.headers["Authorization"]
    answer = await client.get(status_path("a"), headers={} if header is None else {"Authorization": header})
    assert (answer.status_code, answer.json()["category"]) == (401, "INVALID_AUTHENTICATION")
    assert sim.statistics.unauthorized == 1


async def test_tokens_change(sim: SimulatedHubSpot, client: httpx.AsyncClient) -> None:
    """Tokens can be taken back and given while it runs; they are shown nowhere."""
    sim.add_task("a")
    sim.accept_tokens(["new-token"])
    assert (await client.get(status_path("a"))).status_code == 401
    assert (await client.get(status_path("a"), headers={"Authorization": "bearer new-token"})).status_code == 200
    assert "new-token" not in repr(vars(sim))


async def test_quota(sim: SimulatedHubSpot, client: httpx.AsyncClient, clock: ManualClock) -> None:
    """The request past the limit is refused and counted, and costs nothing."""
    sim.add_task("a")
    assert [(await client.get(status_path("a"))).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    assert (sim.statistics.limited, sim.statistics.peak, sim.statistics.requests) == (2, 5, 5)
    clock.advance(10)
    assert (await client.get(status_path("a"))).status_code == 200
    assert (sim.statistics.peak, sim.statistics.times["a"]) == (5, [START] * 5 + [START + 10])


async def test_quota_with_retry_after(sim: SimulatedHubSpot, client: httpx.AsyncClient, clock: ManualClock) -> None:
    """When asked to, the refusal says when to come back, and it is true."""
    sim.add_task("a")
    sim.tell_retry_after = True
    for _ in range(3):
        await client.get(status_path("a"))
    clock.advance(2.5)
    refused = await client.get(status_path("a"))
    assert (refused.headers["retry-after"], refused.json()["policyName"]) == ("8", "TEN_SECONDLY_ROLLING")
    clock.advance(8)
    assert (await client.get(status_path("a"))).status_code == 200


async def test_wrong_method(client: httpx.AsyncClient) -> None:
    """Only GET asks and only POST begins."""
    assert (await client.post(status_path("a"))).status_code == 405
    assert (await client.get(ASYNC)).status_code == 405


_WANTED = {"url": "https://example.com/a.png", "access": "PRIVATE", "folderId": "1"}


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"url": None}, ["url"]),
        ({"url": ""}, ["url"]),
        ({"access": "EVERYBODY"}, ["access"]),
        ({"folderId": None}, ["folderPath"]),
        ({"url": 1, "access": None, "folderId": ""}, ["url", "access", "folderPath"]),
    ],
)
async def test_imports_are_checked(client: httpx.AsyncClient, change: dict[str, Any], fields: list[str]) -> None:
    """An import with a field missing or wrong is refused, all of them named."""
    answer = await client.post(ASYNC, json=_WANTED | change)
    assert (answer.status_code, [error["in"] for error in answer.json()["errors"]]) == (400, fields)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"a"', b"\xff"])
async def test_imports_without_json(client: httpx.AsyncClient, body: bytes) -> None:
    """A body that is no JSON object is refused too."""
    assert (await client.post(ASYNC, content=body)).status_code == 400


async def test_imports_can_be_scripted(client: httpx.AsyncClient, clock: ManualClock, sim: SimulatedHubSpot) -> None:
    """The file's name in the URL may be a script; each import gets an id of its own."""
    answers = [
        (await client.post(ASYNC, json=_WANTED | {"url": "https://example.com/canceled-10s.png?v=1"})).json()
        for _ in range(2)
    ]
    assert all(re.fullmatch(r"AAAA[0-9A-F]{7}", answer["id"]) for answer in answers)
    assert answers[0]["id"] != answers[1]["id"]
    clock.advance(10)
    assert (await client.get(status_path(answers[0]["id"]))).json()["status"] == "CANCELED"


async def test_reports(sim: SimulatedHubSpot, client: httpx.AsyncClient, served: list[Served]) -> None:
    """Each request is reported with what it was given, and with what was true behind a fault."""
    sim.add_task("a")
    sim.faults.set("hang", count=1)
    with pytest.raises(httpx.ReadTimeout):
        await client.get(status_path("a"), timeout=0.05)
    await client.get(status_path("a"))
    await client.get("/nothing?x=1")
    assert served == [
        Served(START, "GET", status_path("a"), "a", None, "PENDING", "hang"),
        Served(START, "GET", status_path("a"), "a", 200, "PENDING", None),
        Served(START, "GET", "/nothing", None, 404, None, None),
    ]


async def test_same_seed_same_durations() -> None:
    """Two simulators with one seed invent the same task; another seed another."""
    tasks = []
    for seed in (1, 1, 2):
        sim = SimulatedHubSpot(clock=ManualClock().clock, create_unknown=True, seed=seed)
        async with sim.serve() as url, httpx.AsyncClient(headers={"Authorization": "Bearer t"}) as client:
            await client.get(url + status_path("a"))
        tasks.append(sim.tasks["a"])
    assert tasks[0] == tasks[1] != tasks[2]
