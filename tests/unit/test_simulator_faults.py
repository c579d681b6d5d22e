"""Every fault mode, as a client sees it over a real socket."""

import contextlib
import json
import zlib
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime

import anyio
import httpx
import pytest

from notifier.clock import ManualClock, iso, parse_iso
from notifier.errors import UnknownName
from notifier.simulator.faults import Faults
from notifier.simulator.hubspot import Served, SimulatedHubSpot
from notifier.simulator.modes import BOMB, HUGE, MODES, SKEW

PATH = "/files/v3/files/import-from-url/async/tasks/a/status"
START = 1_763_752_083.0


@pytest.fixture
def sim() -> SimulatedHubSpot:
    """A HubSpot with one task, complete."""
    manual = ManualClock(wall=START)
    sim = SimulatedHubSpot(clock=manual.clock)
    sim.add_task("a", pending=1, processing=1)
    manual.advance(2)
    return sim


@pytest.fixture
async def client(sim: SimulatedHubSpot) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it, with a token."""
    async with (
        sim.serve() as url,
        httpx.AsyncClient(base_url=url, headers={"Authorization": "Bearer t"}, timeout=5) as client,
    ):
        yield client


# name: (status, headers that must be there, what the body must hold)
_ANSWERS: dict[str, tuple[int, dict[str, str], str]] = {
    "http_500": (500, {}, "INTERNAL_ERROR"),
    "http_502": (502, {"content-type": "text/html;charset=utf-8"}, "<html>"),
    "http_503_retry_after": (503, {"retry-after": "7"}, "SERVICE_UNAVAILABLE"),
    "rate_limit": (429, {}, '"policyName":"TEN_SECONDLY_ROLLING"'),
    "rate_limit_retry_after": (429, {"retry-after": "7"}, '"errorType":"RATE_LIMIT"'),
    "daily_limit": (429, {}, '"policyName":"DAILY"'),
    "locked_423": (423, {}, "LOCKED"),
    "moving_477": (477, {"retry-after": "7"}, "MIGRATION"),
    "unauthorized": (401, {}, "INVALID_AUTHENTICATION"),
    "expired": (401, {}, "EXPIRED_AUTHENTICATION"),
    "missing_scopes": (403, {}, '"requiredGranularScopes":["files","files.read"]'),
    "forbidden": (403, {}, "BANNED"),
    "not_found": (404, {}, '"status":"error"'),
    "bad_id_400": (400, {}, "could not be decoded"),
    "html_200": (200, {"content-type": "text/html;charset=utf-8"}, "<html>"),
    "html_404": (404, {"content-type": "text/html;charset=utf-8"}, "<html>"),
    "empty_200": (200, {"content-length": "0"}, ""),
    "empty_202": (202, {"content-length": "0"}, ""),
    "empty_204": (204, {}, ""),
    "empty_until_done": (200, {}, '"status":"COMPLETE"'),
    "invalid_json": (200, {"content-type": "application/json;charset=utf-8"}, "{status: COMPLETE,}"),
    "json_list": (200, {}, "[1,2]"),
    "wrong_types": (200, {}, '"numErrors":"two"'),
    "null_fields": (200, {}, '"result":null'),
    "no_dates": (200, {}, '"status":"COMPLETE"'),
    "no_status": (200, {}, '"taskId":"a"'),
    "unknown_status": (200, {}, '"status":"VALIDATING"'),
    "redirect": (307, {}, ""),
    "clock_skew": (200, {}, '"status":"COMPLETE"'),
    "truncated_json": (200, {}, '{"taskId":"a"'),
}


@pytest.mark.parametrize("name", _ANSWERS)
async def test_answers(sim: SimulatedHubSpot, client: httpx.AsyncClient, name: str) -> None:
    """A mode that answers gives its status, headers and body; each mode once, then honesty again."""
    status, headers, holds = _ANSWERS[name]
    sim.faults.set(name, count=1, retry_after=7)
    answer = await client.get(PATH)
    assert answer.status_code == status
    assert headers.items() <= dict(answer.headers).items()
    assert holds in answer.text
    assert ("retry-after" in answer.headers) == ("retry-after" in headers)
    assert answer.headers["x-hubspot-correlation-id"]
    assert (await client.get(PATH)).json()["result"]["name"] == "imported"


# name: what httpx makes of it
_BREAKS: dict[str, tuple[type[Exception], str | None]] = {
    "truncated_body": (httpx.RemoteProtocolError, "without sending complete message body"),
    "close": (httpx.RemoteProtocolError, "disconnected without sending"),
    "reset": (httpx.ReadError, None),
    "garbage": (httpx.RemoteProtocolError, "illegal status line"),
}


@pytest.mark.parametrize("name", _BREAKS)
async def test_broken_connections(sim: SimulatedHubSpot, client: httpx.AsyncClient, name: str) -> None:
    """A mode that breaks the connection is an error for the client, and the next request is served."""
    sim.faults.set(name, count=1)
    error, says = _BREAKS[name]
    with pytest.raises(error, match=says):
        await client.get(PATH)
    assert (await client.get(PATH)).status_code == 200


async def test_hang(sim: SimulatedHubSpot, client: httpx.AsyncClient) -> None:
    """``hang`` takes the request and never answers."""
    sim.faults.set("hang")
    with pytest.raises(httpx.ReadTimeout):
        await client.get(PATH, timeout=0.1)
    assert sim.statistics.per_task["a"] == 1


async def test_slow_trickle(sim: SimulatedHubSpot, client: httpx.AsyncClient) -> None:
    """``slow_trickle`` promises the whole body at once and gives a byte."""
    sim.faults.set("slow_trickle")
    async with client.stream("GET", PATH) as answer:
        assert int(answer.headers["content-length"]) > 500
        assert answer.headers["date"]
        assert len(await anext(answer.aiter_raw())) == 1


async def test_endless_body(sim: SimulatedHubSpot, client: httpx.AsyncClient) -> None:
    """``endless_body`` goes on after more than any other answer holds."""
    sim.faults.set("endless_body")
    got = 0
    async with client.stream("GET", PATH) as answer:
        async for chunk in answer.aiter_raw():
            got += len(chunk)
            if got > 2 * HUGE:
                break
    assert got > 2 * HUGE


async def test_huge_body(sim: SimulatedHubSpot, client: httpx.AsyncClient) -> None:
    """``huge_body`` is right, and far too long."""
    sim.faults.set("huge_body")
    answer = await client.get(PATH)
    assert len(answer.content) > HUGE
    assert answer.json()["status"] == "COMPLETE"


async def test_gzip_bomb(sim: SimulatedHubSpot, client: httpx.AsyncClient) -> None:
    """``gzip_bomb`` is small on the wire and large once unpacked, though nobody asked for gzip."""
    sim.faults.set("gzip_bomb")
    async with client.stream("GET", PATH, headers={"Accept-Encoding": "identity"}) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert len(raw) < 100_000
    assert len(zlib.decompress(raw, wbits=31)) > BOMB


def test_every_mode_is_observed() -> None:
    """No mode is left without a test above."""
    others = {"hang", "slow_trickle", "endless_body", "huge_body", "gzip_bomb"}
    assert set(MODES) == set(_ANSWERS) | set(_BREAKS) | others
    assert all(mode.description for mode in MODES.values())


async def test_empty_until_done_while_running(sim: SimulatedHubSpot, client: httpx.AsyncClient) -> None:
    """While the task runs, ``empty_until_done`` says 202 and nothing more."""
    sim.add_task("a", pending=1, processing=1)
    sim.faults.set("empty_until_done")
    answer = await client.get(PATH)
    assert (answer.status_code, answer.content) == (202, b"")


async def test_what_edits_change(sim: SimulatedHubSpot, client: httpx.AsyncClient) -> None:
    """The modes that spoil fields spoil all they say, and keep the status word."""
    honest = (await client.get(PATH)).json()
    sim.faults.set("null_fields", count=1)
    nulled = (await client.get(PATH)).json()
    assert nulled == dict.fromkeys(honest) | {"status": "COMPLETE"}
    sim.faults.set("no_dates", count=1)
    assert set(honest) - set((await client.get(PATH)).json()) == {"requestedAt", "startedAt", "completedAt"}
    sim.faults.set("wrong_types", count=1)
    wrong = (await client.get(PATH)).json()
    assert wrong["status"] == "COMPLETE"
    assert {name for name in honest if type(wrong[name]) is type(honest[name])} == {"status", "completedAt"}
    assert parse_iso(wrong["completedAt"]) is None
    sim.faults.set("truncated_json", count=1)
    with pytest.raises(json.JSONDecodeError):
        (await client.get(PATH)).json()


async def test_clock_skew(sim: SimulatedHubSpot, client: httpx.AsyncClient) -> None:
    """``clock_skew`` moves the Date header and the task's times alike."""
    sim.faults.set("clock_skew")
    answer = await client.get(PATH)
    assert parsedate_to_datetime(answer.headers["date"]).timestamp() == START + 2 + SKEW
    assert answer.json()["completedAt"] == iso(START + 2 + SKEW)


async def test_redirect_leads_to_a_trap(sim: SimulatedHubSpot, client: httpx.AsyncClient) -> None:
    """Whoever follows the redirect is seen by the simulator."""
    sim.faults.set("redirect", count=1)
    await client.get(PATH)
    assert not sim.statistics.per_path
    sim.faults.set("redirect", count=1)
    await client.get(PATH, follow_redirects=True)
    assert sim.statistics.per_path == {"/redirected": 1}


async def test_faults_of_one_task(sim: SimulatedHubSpot, client: httpx.AsyncClient) -> None:
    """A fault of one task leaves the others alone, and goes before one of all."""
    sim.add_task("b")
    sim.faults.set("http_500")
    sim.faults.set("not_found", task_id="a")
    assert (await client.get(PATH)).status_code == 404
    assert (await client.get(PATH.replace("/a/", "/b/"))).status_code == 500
    sim.faults.clear("http_500")
    assert (await client.get(PATH.replace("/a/", "/b/"))).status_code == 200
    sim.faults.clear()
    assert (await client.get(PATH)).status_code == 200


def test_probability() -> None:
    """A fault strikes when the draw lies below its probability."""
    draws = iter([0.0, 0.29, 0.3, 0.99])
    faults = Faults(lambda: next(draws))
    faults.set("hang", probability=0.3)
    assert [faults.pick(None) is not None for _ in range(4)] == [True, True, False, False]


def test_unknown_mode() -> None:
    """A misspelt mode is refused with the nearest name."""
    with pytest.raises(UnknownName, match="did you mean http_500"):
        Faults().set("http500")


async def test_leaving_while_faults_are_on() -> None:
    """Leaving the simulator cuts what still hangs or trickles."""
    served: list[str] = []
    both = anyio.Event()

    def report(request: Served) -> None:
        served.append(request.task_id or "")
        if len(served) == 2:
            both.set()

    sim = SimulatedHubSpot(create_unknown=True, report=report)
    with anyio.fail_after(5):
        # The simulator is left before the client, so it is the one that cuts.
        async with httpx.AsyncClient(timeout=None) as client, anyio.create_task_group() as group, sim.serve() as url:
            for name in ("hang", "slow_trickle"):
                sim.faults.set(name, task_id=name)
                group.start_soon(_expect_cut, client, url + PATH.replace("/a/", f"/{name}/"))
            await both.wait()


async def _expect_cut(client: httpx.AsyncClient, url: str) -> None:
    with contextlib.suppress(httpx.TransportError):
        await client.get(url, headers={"Authorization": "Bearer t"})
        raise AssertionError("an answer came")
