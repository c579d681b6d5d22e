"""Notifications by the real Apprise, to a real receiver on this machine."""

import json
import logging
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import pytest

from notifier.delivery.formats import FORMATS
from notifier.delivery.formats.apprise import TYPES, Threads, _why
from notifier.delivery.samples import CHECKED_AT, sample_event
from notifier.delivery.settings import Callback, OnUnknown
from notifier.delivery.verdict import Case, Delivered, Hold, RetryAt, decide
from notifier.http import Failure, Reach, Request, Response
from notifier.model import Body, Claim, Delivery, DeliveryState, Event, EventType
from notifier.secret import Secret
from notifier.simulator.receiver import Receiver

APPRISE = FORMATS["apprise"]
CANARY = "canary-of-the-path-0123456789"
PASSWORD = "canary%2Dpassword"


def event(event_type: EventType = EventType.TASK_FAILED) -> Event:
    """Give the sample of this type."""
    return sample_event(event_type, CHECKED_AT, "evt_" + "a" * 52)


@asynccontextmanager
async def receiving() -> AsyncIterator[tuple[Receiver, str]]:
    """Serve a receiver; gives the Apprise URL that leads to it, too."""
    receiver = Receiver()
    async with receiver.serve() as url:
        yield receiver, url.replace("http://", f"json://user:{PASSWORD}@") + f"/{CANARY}"


async def notify(
    url: str, body: Body | None = None, *, deadline: float = 10.0, threads: Threads | None = None
) -> Response | Failure:
    """Send one notification."""
    body = body or APPRISE.render(event())
    return await (threads or Threads(1)).exchange(
        Request("POST", url, {}, body.content), deadline=deadline, max_bytes=1000
    )


def shown(exchange: Response | Failure) -> str:
    """Give everything that is told of an exchange."""
    return repr(exchange)


@pytest.mark.parametrize("event_type", EventType)
def test_the_body(event_type: EventType) -> None:
    """Title, text and a type that Apprise knows; the short event id tells a repetition."""
    notice = json.loads(APPRISE.render(event(event_type)).content)
    assert {*notice} == {"title", "body", "type"}
    assert notice["type"] == TYPES[event_type]
    assert notice["body"].splitlines()[-1] == f"{event_type} · evt_aaaaaaaaaaaa"
    assert {*TYPES} == {*EventType}


async def test_one_notification_an_attempt() -> None:
    """Apprise sends it once, and its yes is a delivery."""
    async with receiving() as (receiver, url):
        exchange = await notify(url)
        assert exchange == Response(200, {}, b"")
        [arrival] = receiver.arrivals
        told = json.loads(arrival.body)
    assert arrival.path == f"/{CANARY}"
    assert told["title"] == "Import “A test from notifier” failed: 1 error"
    assert "This error is made up." in told["message"]
    assert told["type"] == "failure"


@pytest.mark.parametrize("options", ["", "?retry=3&wait=0.1", "?optional=yes"])
async def test_a_refusal_is_a_failure_that_is_not_repeated(options: str) -> None:
    """Trying again is the schedule's, whatever the URL asks of Apprise; no failure counts as success."""
    async with receiving() as (receiver, url):
        receiver.script(500, 500, 500, 500)
        exchange = await notify(url + options)
        assert len(receiver.arrivals) == 1
    assert isinstance(exchange, Failure)
    assert (exchange.reach, exchange.reason) == (Reach.UNKNOWN, "apprise_failed")
    assert "500" in exchange.detail


async def test_nobody_there() -> None:
    """The reason is the same: Apprise does not say how far it got."""
    exchange = await notify(f"json://user:{PASSWORD}@127.0.0.1:1/{CANARY}")
    assert isinstance(exchange, Failure)
    assert (exchange.reach, exchange.reason) == (Reach.UNKNOWN, "apprise_failed")


async def test_a_url_that_apprise_no_longer_knows() -> None:
    """A failure as any other: another version of Apprise may be installed tomorrow."""
    exchange = await notify(f"nonsense://{CANARY}")
    assert exchange == Failure(Reach.UNKNOWN, "apprise_failed", "Apprise does not understand the URL")


async def test_a_hanging_service_is_left_alone() -> None:
    """The attempt ends as unknown when its time is up; the event loop never waits, and the place stays taken."""
    threads = Threads(1)
    async with receiving() as (receiver, url):
        receiver.script("hang")
        ticks = 0
        ended: list[Response | Failure] = []

        async def attempt() -> None:
            ended.append(await notify(url + "?rto=30", deadline=0.5, threads=threads))

        async with anyio.create_task_group() as group:
            group.start_soon(attempt)
            while not ended:
                ticks += 1
                await anyio.sleep(0.01)
        assert ended == [Failure(Reach.UNKNOWN, "apprise_timeout", "Apprise had not finished after 0.5 s")]
        assert ticks > 10
        busy = await notify(url, threads=threads)
        assert isinstance(busy, Failure)
        assert (busy.reach, busy.reason) == (Reach.NOT_SENT, "apprise_busy")


async def test_a_place_is_given_back() -> None:
    """When the service lets go, the next notification may use its thread's place."""
    threads = Threads(1)
    async with receiving() as (_, url):
        for _ in range(3):
            assert isinstance(await notify(url, threads=threads), Response)
        assert isinstance(await notify(f"json://127.0.0.1:1/{CANARY}", threads=threads), Failure)
        assert isinstance(await notify(url, threads=threads), Response)


async def test_cancelled_while_it_hangs() -> None:
    """A daemon that stops does not wait for Apprise."""
    async with receiving() as (receiver, url):
        receiver.script("hang")
        with anyio.move_on_after(0.3) as scope, anyio.fail_after(5):
            await notify(url + "?rto=30", deadline=30)
        assert scope.cancelled_caught


def test_a_hanging_service_does_not_keep_the_program_from_ending() -> None:
    """Neither our threads nor Apprise's are waited for at the end."""
    program = textwrap.dedent(
        """
        import socket, sys, time, anyio
        from notifier.delivery.formats.apprise import Threads
        from notifier.http import Request
        url = sys.argv[1]
        request = Request("POST", url, {}, b'{"title": "a", "body": "b", "type": "info"}')
        print(anyio.run(lambda: Threads(1).exchange(request, deadline=0.5, max_bytes=1)).reason)
        """
    )
    silent = (
        "import socket,time;s=socket.create_server(('127.0.0.1',0));print(s.getsockname()[1],flush=True);time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", silent], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"json://127.0.0.1:{server.stdout.readline().strip()}/?rto=50"
            ran = subprocess.run(
                [sys.executable, "-c", program, url], capture_output=True, text=True, check=False, timeout=20
            )
        finally:
            server.kill()
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "apprise_timeout\n", "")


async def test_nothing_of_the_url_is_told(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """Not in what an attempt records, not in the log at its most talkative, not on the terminal."""
    caplog.set_level(1)
    logging.getLogger().setLevel(1)
    async with receiving() as (receiver, url):
        receiver.script(403, "reset", "close", "hang")
        exchanges = [await notify(url, deadline=1.0) for _ in range(4)]
        exchanges.append(await notify(url))
    assert isinstance(exchanges[-1], Response)
    out, err = capfd.readouterr()
    for text in (*map(shown, exchanges), out, err, caplog.text):
        assert not [word for word in (CANARY, "canary", PASSWORD) if word in text]


def test_what_apprise_says_is_masked() -> None:
    """Whole, in parts, as it is written and as it is meant: a plugin may quote any of it."""
    url = "slack://bot%2Dname@T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#channel?key=0123456789"
    said = [
        f"POST {url}",
        "bot-name got invalid_auth for TIiajkdnlazkcOXrIdevi7FQ",
        "at https://other.example/0123456789",
    ]
    assert _why(url, said) == "POST **** **** got invalid_auth for **** at ****"
    assert _why(url, []) == "Apprise did not succeed and does not say why"


@pytest.mark.parametrize(
    ("content", "title", "text"),
    [
        (FORMATS["webhook"].render(event()).content, "Import “A test from notifier” failed: 1 error", "This error is made up."),
        (b'{"text":"hello"}', "", '{"text":"hello"}'),
        (b"\xff[", "", "\ufffd["),
        (b'{"title":"a","body":"b","type":"odd"}', "", '"odd"'),
    ],
)  # fmt: skip
async def test_bodies_of_other_formats_are_told_too(content: bytes, title: str, text: str) -> None:
    """What waited while the callback was absent or of another format is put in words, or shown as it is."""
    async with receiving() as (receiver, url):
        assert isinstance(await notify(url, Body(content, "application/json")), Response)
        told = json.loads(receiver.arrivals[0].body)
    assert told["title"] == title
    assert text in told["message"]


def test_what_follows_of_it() -> None:
    """Yes is delivered; no and silence are tried again by the schedule, or held where the callback wants that."""
    delivery = Delivery("dlv_1", "evt_1", EventType.TASK_FAILED, "chat", DeliveryState.PENDING, 0.0, 0.0)
    claim = Claim(delivery, 1, APPRISE.render(event()))
    callback = Callback("chat", Secret("json://x"), format="apprise")
    assert decide(Case(claim, callback, 0.0, 0.5), Response(200, {}, b"")) == Delivered()
    for reason in ("apprise_failed", "apprise_timeout"):
        failure = Failure(Reach.UNKNOWN, reason)
        verdict = decide(Case(claim, callback, 0.0, 0.5), failure)
        assert isinstance(verdict, RetryAt)
        assert (verdict.reason, verdict.at) == (reason, 5.0)
        held = decide(Case(claim, Callback("chat", Secret(""), on_unknown=OnUnknown.HOLD), 0.0, 0.5), failure)
        assert held == Hold(reason)


async def test_hanging_notifications_take_no_thread_from_anybody_else() -> None:
    """Fifty of them, more than anyio's forty common threads: the store and all others still get theirs."""
    threads = Threads(50)
    async with receiving() as (receiver, url), anyio.create_task_group() as group:
        receiver.script(*["hang"] * 50)
        for _ in range(50):
            group.start_soon(lambda: notify(url, threads=threads))
        await receiver.wait_for(50)
        with anyio.fail_after(2):
            assert await anyio.to_thread.run_sync(lambda: "done") == "done"
        group.cancel_scope.cancel()
