"""The server under the simulator, byte by byte over real sockets."""

import asyncio
import contextlib
import tracemalloc
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from anyio.abc import SocketStream

from notifier.simulator.actions import (
    CLOSE,
    HANG,
    RESET,
    Action,
    Answer,
    Delayed,
    Endless,
    Gate,
    Held,
    Raw,
    Request,
    Trickle,
    truncated,
)
from notifier.simulator.wire import MAX_REQUEST_BODY, serve

GET = b"GET /a%20b?c=d HTTP/1.1\r\nHost: x\r\nX-Name: Value\r\n\r\n"


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[SocketStream]:
    """Connect a raw socket."""
    host, port = url.removeprefix("http://").split(":")
    async with await anyio.connect_tcp(host, int(port)) as stream:
        yield stream


async def read_all(stream: SocketStream) -> bytes:
    """Read to the orderly end of the connection."""
    got = b""
    with anyio.fail_after(5), contextlib.suppress(anyio.EndOfStream):
        while True:
            got += await stream.receive()
    return got


async def read_until(stream: SocketStream, end: bytes) -> bytes:
    """Read until what came ends so."""
    got = b""
    with anyio.fail_after(5):
        while not got.endswith(end):
            got += await stream.receive()
    return got


def always(action: Action) -> Callable[[Request], Action]:
    """Respond the same to everything."""
    return lambda _: action


async def test_request_as_sent() -> None:
    """The responder sees method, target, headers and body as they were sent."""
    seen: list[Request] = []

    def respond(request: Request) -> Action:
        seen.append(request)
        return Answer(201, {"X-Answer": "yes"}, b"body")

    async with serve(respond) as url, httpx.AsyncClient() as client:
        answer = await client.post(f"{url}/a%2Fb?c=d", content=b"x" * 100_000, headers={"X-Name": "Value"})
    assert (answer.status_code, answer.headers["x-answer"], answer.content) == (201, "yes", b"body")
    [request] = seen
    assert (request.method, request.target, request.path, request.headers["x-name"]) == (
        "POST",
        "/a%2Fb?c=d",
        "/a%2Fb",
        "Value",
    )
    assert request.body == b"x" * 100_000


async def test_keep_alive_and_pipelining() -> None:
    """Requests of one connection are answered in order, even those sent before the first answer."""
    numbers = iter(range(10))
    async with serve(lambda _: Answer(200, {}, b"<%d>" % next(numbers))) as url, connected(url) as stream:
        await stream.send(GET * 2)
        both = await read_until(stream, b"<1>")
        await stream.send(GET)
        third = await read_until(stream, b"<2>")
    assert both.count(b"HTTP/1.1 200") == 2
    assert both.index(b"<0>") < both.index(b"<1>")
    assert third.endswith(b"<2>")


async def test_connection_close_is_honoured() -> None:
    """A client that asks for the connection's end gets it after the answer."""
    async with serve(always(Answer(200, {}, b"bye"))) as url, connected(url) as stream:
        await stream.send(GET.replace(b"X-Name: Value", b"Connection: close"))
        assert (await read_all(stream)).endswith(b"bye")


async def test_head_and_204_have_no_body() -> None:
    """HEAD and 204 are framed as HTTP wants it, and the connection lives on."""
    answers = iter([Answer(200, {}, b"body"), Answer(204), Answer(200, {}, b"end")])
    async with serve(lambda _: next(answers)) as url, httpx.AsyncClient() as client:
        assert (await client.head(url)).headers["content-length"] == "4"
        assert (await client.get(url)).status_code == 204
        assert (await client.get(url)).content == b"end"


async def test_expect_continue() -> None:
    """A client that waits to be invited is."""
    async with serve(lambda request: Answer(200, {}, request.body)) as url, connected(url) as stream:
        await stream.send(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        assert (await read_until(stream, b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        await stream.send(b"echo")
        assert (await read_until(stream, b"echo")).startswith(b"HTTP/1.1 200")


async def test_bodies_are_bounded() -> None:
    """One byte too many is refused, and never shown to the responder; the bound itself is not."""
    seen: list[int] = []

    def respond(request: Request) -> Action:
        seen.append(len(request.body))
        return Answer()

    async with serve(respond) as url, httpx.AsyncClient() as client:
        assert (await client.post(url, content=b"x" * (MAX_REQUEST_BODY + 1))).status_code == 413
        assert (await client.post(url, content=b"x" * MAX_REQUEST_BODY)).status_code == 200
    assert seen == [MAX_REQUEST_BODY]


async def test_nonsense_gets_400() -> None:
    """Bytes that are not HTTP get 400 and the connection's end."""
    async with serve(always(Answer())) as url, connected(url) as stream:
        await stream.send(b"\x00\x01 nonsense\r\n\r\n")
        assert (await read_all(stream)).startswith(b"HTTP/1.1 400")


async def test_close() -> None:
    """CLOSE is an orderly end without a byte."""
    async with serve(always(CLOSE)) as url, connected(url) as stream:
        await stream.send(GET)
        assert await read_all(stream) == b""


async def test_reset() -> None:
    """RESET is a TCP reset: an error on the client's socket, not an end of stream."""
    async with serve(always(RESET)) as url, connected(url) as stream:
        await stream.send(GET)
        with anyio.fail_after(5), pytest.raises(anyio.BrokenResourceError) as caught:
            await stream.receive()
    assert isinstance(caught.value.__cause__, ConnectionResetError)


async def test_raw_and_truncated() -> None:
    """Raw bytes go out as they are; a truncated answer promises more than it sends."""
    actions = iter([Raw(b"\x00garbage"), truncated(Answer(200, {}, b"12345"), missing=3)])
    async with serve(lambda _: next(actions)) as url:
        async with connected(url) as stream:
            await stream.send(GET)
            assert await read_all(stream) == b"\x00garbage"
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
                await client.get(url)


async def test_trickle() -> None:
    """Each byte of a trickled body comes alone, and all of them come."""
    async with (
        serve(always(Trickle(Answer(200, {}, b"abc"), interval=0.01))) as url,
        httpx.AsyncClient() as client,
        client.stream("GET", url) as answer,
    ):
        assert answer.headers["content-length"] == "3"
        assert [chunk async for chunk in answer.aiter_raw()] == [b"a", b"b", b"c"]


def by_path(request: Request) -> Action:
    """Pour at ``/endless``, answer elsewhere."""
    return Endless(Answer(200, {}, b"x" * 65_536)) if request.path == "/endless" else Answer()


async def test_endless_starves_nobody() -> None:
    """An endless body flows as long as it is read, beside the others' answers."""
    async with serve(by_path) as url, httpx.AsyncClient() as client, client.stream("GET", f"{url}/endless") as answer:
        got = 0
        async for chunk in answer.aiter_raw():
            got += len(chunk)
            if got > 8 << 20:
                break
        assert got > 8 << 20
        assert (await client.get(url)).status_code == 200


async def test_endless_waits_for_the_client() -> None:
    """While its client doesn't read, an endless body takes no memory; when it reads on, it flows on."""
    async with serve(by_path) as url, connected(url) as stream:
        tracemalloc.start()
        try:
            await stream.send(GET.replace(b"/a%20b?c=d", b"/endless"))
            for _ in range(2000):  # turns of the loop; each could write 64 KiB
                await anyio.lowlevel.checkpoint()
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        got = 0
        with anyio.fail_after(5):
            while got < 32 << 20:
                got += len(await stream.receive())
    assert held < 16 << 20


async def test_gate() -> None:
    """A held answer comes when its gate opens, and what was sent meanwhile is answered after it."""
    gate = Gate()
    actions = iter([Held(gate, Answer(200, {}, b"<first>")), Answer(200, {}, b"<second>")])
    arrived = anyio.Event()

    def respond(_: Request) -> Action:
        arrived.set()
        return next(actions)

    async with serve(respond) as url, connected(url) as stream:
        await stream.send(GET * 2)
        await arrived.wait()
        with anyio.move_on_after(0.05) as waiting:
            await stream.receive()
        assert waiting.cancelled_caught
        gate.open()
        assert (await read_until(stream, b"<second>")).index(b"<first>") > 0


async def test_delayed() -> None:
    """A delayed answer takes its time."""
    async with serve(always(Delayed(0.1, Answer(200, {}, b"late")))) as url, httpx.AsyncClient() as client:
        began = anyio.current_time()
        assert (await client.get(url)).content == b"late"
        assert anyio.current_time() - began >= 0.1


@pytest.mark.parametrize(
    "action",
    [
        HANG,
        Trickle(Answer(200, {}, b"x" * 100), 10.0),
        Endless(Answer(200, {}, b"x" * 65_536)),
        Held(Gate()),
        Delayed(60),
    ],
)
async def test_leaving_ends_every_connection(action: Action) -> None:
    """Whatever a connection is in the middle of, leaving ends it at once, and the port is free."""
    arrived = anyio.Event()

    def respond(_: Request) -> Action:
        arrived.set()
        return action

    async with contextlib.AsyncExitStack() as stack:
        async with serve(respond) as url:
            stream = await stack.enter_async_context(connected(url))
            await stream.send(GET)
            with anyio.fail_after(5):
                await arrived.wait()
            began = anyio.current_time()
        assert anyio.current_time() - began < 1
        with contextlib.suppress(anyio.BrokenResourceError):
            await read_all(stream)
        port = int(url.rpartition(":")[2])
        async with serve(respond, port=port):
            pass


async def test_clients_may_leave() -> None:
    """A client that leaves in the middle of anything disturbs nobody."""
    actions: dict[str, Action] = {
        "/held": Held(gate := Gate()),
        "/delayed": Delayed(0.01),
        "/trickle": Trickle(Answer(200, {}, b"x" * 50), 0.005),
        "/hang": HANG,
        "/later": Delayed(0.1),
    }
    async with serve(lambda request: actions.get(request.path, Answer())) as url, httpx.AsyncClient() as client:
        for path in set(actions) - {"/later"}:
            async with connected(url) as stream:
                await stream.send(GET.replace(b"/a%20b?c=d", path.encode()))
        gate.open()
        assert (
            await client.get(f"{url}/later")
        ).status_code == 200  # by then the delayed and the trickling one came due


async def test_own_failures_are_loud() -> None:
    """A responder that raises gives the client a 500 and its owner the exception."""

    def respond(_: Request) -> Action:
        raise KeyError("bug")

    with pytest.raises(RuntimeError) as caught:
        async with serve(respond) as url, httpx.AsyncClient() as client:
            assert (await client.get(url)).status_code == 500
    assert isinstance(caught.value.__cause__, KeyError)


async def test_taken_port() -> None:
    """A port that is taken raises at once."""
    async with serve(always(Answer())) as url:
        with pytest.raises(OSError, match="in use"):
            async with serve(always(Answer()), port=int(url.rpartition(":")[2])):
                pass


async def test_ipv6_url() -> None:
    """An IPv6 address stands in brackets in the URL."""
    async with serve(always(Answer()), host="::1") as url, httpx.AsyncClient() as client:
        assert url.startswith("http://[::1]:")
        assert (await client.get(url)).status_code == 200


async def test_many_at_once() -> None:
    """A hundred connections are served side by side."""
    async with serve(lambda request: Answer(200, {}, request.path.encode())) as url:

        async def one(number: int) -> bytes:
            async with connected(url) as stream:
                await stream.send(b"GET /%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % number)
                return await read_all(stream)

        answers: list[Any] = await asyncio.gather(*map(one, range(100)))
    assert all(answer.endswith(b"/%d" % number) for number, answer in enumerate(answers))
