"""Which address is connected to: the one that was checked, the next one when it does not answer, never a refused one."""

import socket
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
import pytest
from peers import OK, answers, free_port, peer

from notifier.delivery.egress import CONFIGURED
from notifier.http import Address, Failure, Http, Request, Resolve, Response
from notifier.http.dialing import resolve

REFUSED = "127.0.0.2"


def judge(address: Address) -> str | None:
    """Refuse one address of this machine."""
    return "off limits" if str(address) == REFUSED else None


class Names:
    """A resolver that gives one answer after another, and counts."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = answers
        self.asked = 0

    async def __call__(self, _host: str, _port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


@asynccontextmanager
async def asking(names: Resolve) -> AsyncIterator[Http]:
    it = Http(max_connections=1, judge=judge, resolve=names)
    yield it
    await it.aclose()


async def post(it: Http, port: int, *, deadline: float = 5.0) -> Response | Failure:
    return await it.exchange(Request("POST", f"http://name.test:{port}/", {}, b"{}"), deadline=deadline, max_bytes=100)


async def test_a_name_that_resolves_differently_the_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: one look-up a connection, its answer is what is connected to, and the next answer is checked anew."""

    def no_second_look(*_arguments: object, **_options: object) -> None:
        raise AssertionError("looked up again behind our back")

    async with peer(answers(OK)) as good, peer(answers(OK), host=REFUSED, port=good.port) as bad:
        names = Names(["127.0.0.1"], [REFUSED])
        monkeypatch.setattr(socket, "getaddrinfo", no_second_look)
        async with asking(names) as it:
            assert isinstance(await post(it, good.port), Response)
            assert names.asked == 1
            second = await post(it, good.port)
    assert isinstance(second, Failure)
    assert (second.reach, second.reason) == ("not_sent", "address_refused")
    assert second.detail == "127.0.0.2 is off limits"
    assert (good.visits, bad.visits, names.asked) == (1, 0, 2)
    assert good.requests[0].startswith(b"POST / HTTP/1.1\r\nhost: name.test:")


async def test_a_refused_address_among_others_is_left_out() -> None:
    """The others are tried; the refused one is not, not even when they fail."""
    async with peer(answers(OK)) as good, peer(answers(OK), host=REFUSED, port=good.port) as bad:
        async with asking(Names([REFUSED, "127.0.0.1"])) as it:
            assert isinstance(await post(it, good.port), Response)
        async with asking(Names(["127.0.0.3", REFUSED])) as it:
            failure = await post(it, good.port)
        assert isinstance(failure, Failure)
        assert failure.reason == "connection_refused"
    assert bad.visits == 0


@pytest.mark.parametrize("host", ["169.254.169.254", "2852039166", "0xa9fea9fe", "169.254.43518"])
async def test_every_spelling_of_an_address(host: str) -> None:
    """What the system's resolver makes of it is judged, not how it is written; here with the rules in force."""
    it = Http(max_connections=1, judge=CONFIGURED.refusal)
    failure = await it.exchange(Request("GET", f"http://{host}/latest/meta-data/"), deadline=5, max_bytes=100)
    await it.aclose()
    assert isinstance(failure, Failure)
    assert (failure.reach, failure.reason) == ("not_sent", "address_refused")
    assert failure.detail == "169.254.169.254 is link-local"


async def test_the_next_address_is_tried_when_one_refuses() -> None:
    """The first says no: the second is asked at once."""
    async with peer(answers(OK), host="127.0.0.3") as good, asking(Names(["127.0.0.1", "::1", "127.0.0.3"])) as it:
        began = time.monotonic()
        assert isinstance(await post(it, good.port), Response)
    assert time.monotonic() - began < 2


async def test_the_next_address_is_tried_when_one_hangs() -> None:
    """A black hole costs a quarter of a second, not the deadline."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.4", 0))
        hole.listen(0)
        port = hole.getsockname()[1]
        knocks = [socket.socket() for _ in range(4)]
        for knock in knocks:
            knock.setblocking(False)
            knock.connect_ex(("127.0.0.4", port))
        async with peer(answers(OK), port=port), asking(Names(["127.0.0.4", "127.0.0.1"])) as it:
            began = time.monotonic()
            answer = await post(it, port, deadline=10)
            seconds = time.monotonic() - began
        for knock in knocks:
            knock.close()
    assert isinstance(answer, Response)
    assert 0.2 < seconds < 5


async def test_no_address_answers() -> None:
    """Of several errors the telling one is told."""
    async with asking(Names(["127.0.0.1", "127.0.0.3"])) as it:
        failure = await post(it, free_port())
    assert isinstance(failure, Failure)
    assert (failure.reach, failure.reason) == ("not_sent", "connection_refused")


async def test_a_thousand_addresses_end_at_the_deadline() -> None:
    """However many there are, and however slowly they fail."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.4", 0))
        hole.listen(0)
        port = hole.getsockname()[1]
        knocks = [socket.socket() for _ in range(4)]
        for knock in knocks:
            knock.setblocking(False)
            knock.connect_ex(("127.0.0.4", port))
        async with asking(Names([*["127.0.0.4"], *(f"127.0.1.{n}" for n in range(250))])) as it:
            with anyio.fail_after(10):
                failure = await post(it, port, deadline=0.5)
        for knock in knocks:
            knock.close()
    assert isinstance(failure, Failure)
    assert failure.reach == "not_sent"


async def test_no_address_at_all() -> None:
    """A name without addresses."""
    async with asking(Names([])) as it:
        failure = await post(it, 1)
    assert isinstance(failure, Failure)
    assert (failure.reach, failure.reason) == ("not_sent", "dns_error")


async def test_a_name_server_that_hangs_takes_no_thread_from_anybody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty names that nobody answers for, more than anyio's forty common threads: others resolve as ever."""
    answered, asked = threading.Event(), threading.Semaphore(0)
    look_up = socket.getaddrinfo

    def hang(host: bytes, *arguments: Any, **options: Any) -> Any:
        if host.endswith(b".invalid"):
            asked.release()
            answered.wait(20)
            raise socket.gaierror("nobody answers")
        return look_up(host, *arguments, **options)

    monkeypatch.setattr("notifier.http.dialing.socket.getaddrinfo", hang)
    try:
        async with anyio.create_task_group() as group:
            for number in range(50):
                group.start_soon(resolve, f"n{number}.invalid", 443)
            hanging = 0
            with anyio.fail_after(5):
                while hanging < 50:
                    hanging += asked.acquire(blocking=False)
                    await anyio.sleep(0)
            with anyio.fail_after(2):
                assert await resolve("127.0.0.1", 443) == ["127.0.0.1"]
                assert await anyio.to_thread.run_sync(lambda: "done") == "done"
            group.cancel_scope.cancel()
    finally:
        answered.set()
