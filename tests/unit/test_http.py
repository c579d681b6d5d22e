"""The seam to the network against peers on real sockets: every way an exchange can end is a value, told truly, bounded."""

import asyncio
import gzip
import logging
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peers import OK, Behave, Peer, Visit, answers, floods, free_port, peer

from notifier.http import Address, Failure, Http, Reach, Reason, Request, Response

PATH = "/services/canary-path?key=canary-query"
MOST = 64 * 1024


def anywhere(_address: Address) -> None:
    """The judge that refuses nothing."""


@asynccontextmanager
async def http(**options: object) -> AsyncIterator[Http]:
    async with aclosing(Http(**({"max_connections": 2, "judge": anywhere} | options))) as it:
        yield it


async def exchange(url: str, *, deadline: float = 5.0, body: bytes = b"{}", **options: object) -> Response | Failure:
    """Make one exchange."""
    async with http(**options) as it:
        return await post(it, url, deadline=deadline, body=body)


async def post(it: Http, url: str, *, deadline: float = 5.0, body: bytes = b"{}") -> Response | Failure:
    request = Request("POST", url + PATH, {"x-key": "canary-header"}, body)
    return await it.exchange(request, deadline=deadline, max_bytes=MOST)


async def met(behave: Behave, *, deadline: float = 5.0, body: bytes = b"{}") -> Response | Failure:
    """Make one exchange with a peer that behaves like this."""
    async with peer(behave) as it:
        return await exchange(it.url, deadline=deadline, body=body)


def failed(result: Response | Failure) -> tuple[str, str]:
    """Give reach and reason of a failure whose words give nothing away."""
    assert isinstance(result, Failure), result
    assert "canary" not in result.detail
    assert result.detail
    assert result.reason in set(Reason)
    return str(result.reach), str(result.reason)


# -- what is sent ----------------------------------------------------------------------------------------------------
async def test_a_request_is_sent_as_it_is() -> None:
    """Method, path with query, host, length, own headers and body; nothing of our library, no wish for compression."""
    async with peer(answers(OK)) as it:
        answer = await exchange(it.url)
    assert answer == Response(200, {"content-length": "2"}, b"ok")
    head, _, body = it.requests[0].partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    assert first == f"POST {PATH} HTTP/1.1"
    assert body == b"{}"
    assert {line.lower() for line in headers} == {
        f"host: 127.0.0.1:{it.port}",
        "accept: */*",
        "accept-encoding: identity",
        "content-length: 2",
        "x-key: canary-header",
    }


async def test_connections_are_kept_and_cookies_are_not() -> None:
    """Ten exchanges on one connection; what a receiver wants remembered is not."""
    cookie = OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\n\r\n")
    async with peer(answers(cookie, then="keep")) as it, http() as client:
        for _ in range(10):
            assert isinstance(await post(client, it.url), Response)
    assert (it.visits, len(it.requests)) == (1, 10)
    assert b"cookie" not in b"".join(it.requests).lower()


async def test_libraries_log_no_url(caplog: pytest.LogCaptureFixture) -> None:
    """Not even where somebody asks for everything that is logged."""
    caplog.set_level(logging.DEBUG)
    async with peer(answers(OK)) as it:
        assert isinstance(await exchange(it.url), Response)
    assert "canary" not in caplog.text


async def test_at_most_so_many_connections() -> None:
    """Twelve exchanges at once go over three connections, and all arrive."""
    async with (
        peer(answers(OK, then="keep")) as it,
        http(max_connections=3) as client,
        anyio.create_task_group() as group,
    ):
        for _ in range(12):
            group.start_soon(post, client, it.url)
    assert len(it.requests) == 12
    assert it.visits <= 3


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_a_connection_that_ended_while_idle_is_not_used_again(end: str) -> None:
    """The other side may close what it promised to keep: the next exchange makes a new one, and fails nowhere."""
    left = asyncio.Event()

    async def behave(visit: Visit) -> None:
        await visit.request()
        await visit.send(OK)
        if end == "reset":
            visit.reset()
        visit.writer.close()
        left.set()

    async with peer(behave) as it, http() as client:
        for _ in range(3):
            left.clear()
            assert isinstance(await post(client, it.url), Response)
            await left.wait()
            await anyio.sleep(0.02)  # the kernel tells on loopback at once; this is for a busy machine
    assert it.visits == 3


@pytest.mark.parametrize("gap", [0.0, 0.05])
async def test_what_follows_an_answer_is_not_taken_for_the_next(gap: float) -> None:
    """A body after a 204, or an answer nobody asked for: with the answer or after it, that connection is done."""

    async def behave(visit: Visit) -> None:
        while await visit.request():
            await visit.send(b"HTTP/1.1 204 No Content\r\n\r\n")
            await asyncio.sleep(gap)
            await visit.send(b"HTTP/1.1 500 Forged\r\nContent-Length: 0\r\n\r\n")

    async with peer(behave) as it, http() as client:
        for _ in range(3):
            answer = await post(client, it.url)
            assert isinstance(answer, Response)
            assert (answer.status, answer.body) == (204, b"")
            await anyio.sleep(2 * gap + 0.02)  # until what follows is there
    assert it.visits == 3


async def test_a_cancelled_exchange_leaves_nothing_behind() -> None:
    """Cancelled in the middle, its connection is closed and its slot is free."""
    async with peer(answers(then="hang")) as it, http(max_connections=1) as client:
        for _ in range(3):
            assert failed(await post(client, it.url, deadline=0.1)) == ("unknown", "timeout_read")
        with anyio.move_on_after(0.1):
            await post(client, it.url)
        with anyio.fail_after(2):
            while it._open:
                await anyio.sleep(0.01)
    assert len(it.requests) == 4


# -- before a byte was sent: not_sent ----------------------------------------------------------------------------------
async def test_no_such_name() -> None:
    """The operating system's resolver knows nothing below .invalid (RFC 6761)."""
    assert failed(await exchange("http://no-such-host.invalid", deadline=20)) == ("not_sent", "dns_error")


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".invalid", "%"])
async def test_no_name_at_all(host: str) -> None:
    """What can't be a name is no exception either."""
    reach, reason = failed(await exchange(f"http://{host}", deadline=20))
    assert (reach, reason in {"dns_error", "invalid_url"}) == ("not_sent", True)


async def test_a_name_server_that_hangs() -> None:
    """The deadline holds while the name is looked up."""

    async def hang(_host: str, _port: int) -> Sequence[str]:
        await anyio.sleep_forever()
        raise AssertionError

    result = await exchange("http://slow.test", deadline=0.2, resolve=hang)
    assert failed(result) == ("not_sent", "timeout_connect")
    assert "name" in result.detail


async def test_nobody_listens() -> None:
    """Refused."""
    assert failed(await exchange(f"http://127.0.0.1:{free_port()}")) == ("not_sent", "connection_refused")


async def test_a_black_hole() -> None:
    """A full backlog drops what knocks: bounded by the deadline, and told as not sent."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        knocks = [socket.socket() for _ in range(4)]
        for knock in knocks:
            knock.setblocking(False)
            knock.connect_ex(("127.0.0.1", port))
        began = time.monotonic()
        result = await exchange(f"http://127.0.0.1:{port}", deadline=0.5)
        for knock in knocks:
            knock.close()
    assert failed(result) == ("not_sent", "timeout_connect")
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "/path",
        "ftp://127.0.0.1/",
        "http://",
        "http://[::1",
        "http://a:port/",
        "http://a\x00b/",
        "http://a:0x/",
        "http://0251.0376.0251.0376/",
    ],
)
async def test_no_url(url: str) -> None:
    """Whatever stands in the place of a URL; it is not quoted."""
    assert failed(await exchange(url)) == ("not_sent", "invalid_url")


@pytest.mark.parametrize(
    "headers", [{"x": "canary\r\nInjected: 1"}, {"canary x": "1"}, {"x": "canary ü"}, {"x": "canary\x00"}]
)
async def test_a_header_that_can_not_be_sent(headers: dict[str, str]) -> None:
    """It would break or smuggle a header: nothing is sent, and the value is not quoted."""
    async with peer(answers(OK)) as it, http() as client:
        result = await client.exchange(Request("POST", it.url, headers), deadline=2, max_bytes=MOST)
    assert failed(result) == ("not_sent", "invalid_request")
    assert it.requests == []


# -- after: unknown ----------------------------------------------------------------------------------------------------
async def half_close(visit: Visit) -> None:
    await visit.request()
    visit.writer.write_eof()
    await visit.wait_until_left()


async def deaf(visit: Visit) -> None:
    visit.reader._transport.pause_reading()
    await asyncio.sleep(30)


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

# what the peer does, the reason: all of them happen after the request went out
BROKEN: dict[str, tuple[Behave, str]] = {
    "reset": (answers(then="reset"), "connection_reset"),
    "closed": (answers(), "connection_reset"),
    "half closed": (half_close, "connection_reset"),
    "silence": (answers(then="hang"), "timeout_read"),
    "interim and silence": (answers(CONTINUE, then="hang"), "timeout_read"),
    "half a head": (answers(b"HTTP/1.1 200 OK\r\nContent-Le", then="hang"), "timeout_read"),
    "half a head, closed": (answers(b"HTTP/1.1 200 OK\r\nContent-Le"), "protocol_error"),
    "half a head, reset": (answers(b"HTTP/1.1 200 OK\r\nContent-Le", then="reset"), "connection_reset"),
    "garbage": (answers(b"canary \x00\xff garbage\r\n\r\n"), "protocol_error"),
    "garbage on one line": (answers(b"canary"), "protocol_error"),
    "HTTP/0.9": (answers(b"<html>canary</html>\n"), "protocol_error"),
    "HTTP/2": (answers(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18), "protocol_error"),
    "another protocol": (answers(b"SSH-2.0-OpenSSH_9.6 canary\r\n"), "protocol_error"),
    "no such status": (answers(b"HTTP/1.1 9999 canary\r\n\r\n"), "protocol_error"),
    "switching protocols": (answers(b"HTTP/1.1 101 Go\r\nUpgrade: canary\r\n\r\n", then="hang"), "protocol_error"),
    "a header without a colon": (answers(b"HTTP/1.1 200 OK\r\ncanary canary\r\n\r\n"), "protocol_error"),
    "a header with a null": (answers(b"HTTP/1.1 200 OK\r\nX: can\x00ary\r\n\r\n"), "protocol_error"),
    "two lengths": (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), "protocol_error"),
    "no length": (answers(b"HTTP/1.1 200 OK\r\nContent-Length: canary\r\n\r\n"), "protocol_error"),
    "one huge header": (answers(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000_000), "protocol_error"),
    "many headers": (answers(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500_000 + b"\r\n"), "protocol_error"),
    "endless headers": (floods(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000), "protocol_error"),
    "an endless line": (floods(b"", b"x" * 8000), "protocol_error"),
    "endless interim answers": (floods(b"", CONTINUE * 100), "protocol_error"),
    "endless empty lines": (floods(b"", b"\r\n" * 1000), "protocol_error"),
    "a header a second": (floods(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", pause=0.1), "timeout_read"),
}  # fmt: skip


@pytest.mark.parametrize(("behave", "reason"), BROKEN.values(), ids=BROKEN)
async def test_no_answer(behave: Behave, reason: str) -> None:
    """Told as unknown, with the word for it, within the deadline and a little memory, quoting nothing that was sent."""
    tracemalloc.start()
    began = time.monotonic()
    result = await met(behave, deadline=0.6 if reason.startswith("timeout") else 10)
    seconds, (_, peak) = time.monotonic() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert failed(result) == ("unknown", reason)
    assert seconds < 8
    assert peak < 40_000_000  # the peers' own bytes included


async def test_a_receiver_that_does_not_read() -> None:
    """The request is not taken: that it is in part is unknown."""
    result = await met(deaf, deadline=0.5, body=bytes(32_000_000))
    assert failed(result) == ("unknown", "timeout_write")


async def test_an_answer_before_the_request_is_through() -> None:
    """Refused after its head, with a close: the answer is read all the same."""

    async def behave(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        await visit.send(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        visit.writer.write_eof()
        await visit.wait_until_left()

    answer = await met(behave, body=bytes(3_000_000))
    assert isinstance(answer, Response)
    assert answer.status == 413


# -- an answer whose body is bad: it counts, cut -----------------------------------------------------------------------
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BOMB = gzip.compress(bytes(50_000_000))

# what the peer does, the most of the body that may come of it
CUT: dict[str, tuple[Behave, int]] = {
    "too short": (answers(HEAD + b"Content-Length: 10\r\n\r\nabc"), 3),
    "too short, reset": (answers(HEAD + b"Content-Length: 10\r\n\r\nabc", then="reset"), 3),
    "too short, hanging": (answers(HEAD + b"Content-Length: 10\r\n\r\nabc", then="hang"), 3),
    "no chunk size": (answers(CHUNKED + b"canary\r\n"), 0),
    "a negative chunk": (answers(CHUNKED + b"-1\r\n"), 0),
    "a chunk that lies": (answers(CHUNKED + b"3\r\nabcdef\r\n0\r\n\r\n"), 3),
    "a chunk of 2^64": (answers(CHUNKED + b"ffffffffffffffff\r\nabc"), 3),
    "an endless chunk extension": (floods(CHUNKED, b"1;" + b"x" * 8000), 0),
    "endless tiny chunks": (floods(CHUNKED, b"1\r\na\r\n" * 500), MOST),
    "endless trailers": (floods(CHUNKED + b"0\r\n", b"X: y\r\n" * 1000), 0),
    "an endless body": (floods(HEAD + b"\r\n", b"x" * 60_000), MOST),
    "an endless chunked body": (floods(CHUNKED, b"fa00\r\n" + b"x" * 64_000 + b"\r\n"), MOST),
    "a body of 10 GB": (floods(HEAD + b"Content-Length: 10000000000\r\n\r\n", b"x" * 60_000), MOST),
    "a byte a second": (floods(HEAD + b"Content-Length: 1000\r\n\r\n", b"x", pause=0.1), 30),
    "a gzip bomb": (answers(HEAD + b"Content-Encoding: gzip\r\n\r\n" + BOMB), MOST),
    "gzip that is none": (answers(HEAD + b"Content-Encoding: gzip\r\n\r\ncanary"), 0),
    "half of gzip": (answers(HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"x" * 99)[:-9]), 99),
    "unknown packing": (answers(HEAD + b"Content-Encoding: br\r\n\r\ncanary"), 0),
}  # fmt: skip


@pytest.mark.parametrize(("behave", "most"), CUT.values(), ids=CUT)
async def test_an_answer_counts_from_its_head_on(behave: Behave, most: int) -> None:
    """The receiver has said 200: what is wrong with the body after it makes it truncated, within time and memory."""
    tracemalloc.start()
    began = time.monotonic()
    answer = await met(behave, deadline=1.0)
    seconds, (_, peak) = time.monotonic() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(answer, Response), answer
    assert (answer.status, answer.truncated) == (200, True)
    assert len(answer.body) <= most
    assert seconds < 4
    assert peak < 10_000_000


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (HEAD + b"Content-Length: 3\r\n\r\nabcdef", b"abc"),
        (HEAD + b"\r\nuntil it closes", b"until it closes"),
        (b"HTTP/1.0 200 OK\r\n\r\nold", b"old"),
        (CHUNKED + b"3;ext=1\r\nabc\r\n3\r\ndef\r\n0\r\nTrailer: x\r\n\r\n", b"abcdef"),
        (CONTINUE * 5 + b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + HEAD + b"Content-Length: 1\r\n\r\na", b"a"),
        (HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"packed unasked"), b"packed unasked"),
        (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", b"a"),
        (b"HTTP/1.1 200 OK\nContent-Length: 1\n\na", b"a"),
        (b"HTTP/1.1 204 No Content\r\n\r\ncanary", b""),
    ],
    ids=["longer than promised", "closed", "1.0", "chunked", "interim", "gzip", "no phrase", "bare newlines", "204"],
)
async def test_an_odd_answer_is_one_still(answer: bytes, body: bytes) -> None:
    """What real servers do, within the rules or nearly."""
    result = await met(answers(answer))
    assert isinstance(result, Response)
    assert (result.body, result.truncated) == (body, False)


@pytest.mark.parametrize(("size", "fits"), [(60_000, True), (90_000, False)])
async def test_how_long_a_head_may_be(size: int, fits: bool) -> None:
    """64 KiB and what is read at once; the body does not count."""
    result = await met(answers(HEAD + b"X: " + b"x" * size + b"\r\nContent-Length: 60000\r\n\r\n" + bytes(60_000)))
    assert isinstance(result, Response) == fits
    assert fits or failed(result) == ("unknown", "protocol_error")


async def test_headers_are_joined_and_lower() -> None:
    """Names in lower case; several of a name are one; Latin-1 is no exception."""
    result = await met(answers(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nY: \xe9\r\nContent-Length: 0\r\n\r\n"))
    assert isinstance(result, Response)
    assert result.headers == {"x-a": "1, 2", "y": "é", "content-length": "0"}


_PIECES = st.sampled_from(
    [HEAD, CHUNKED, CONTINUE, b"\r\n", b"\n", b"0\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
     b"Content-Encoding: gzip\r\n", b"Connection: close\r\n", b"HTTP/1.1 ", b"204 \r\n", b"\x00", b"abc", b"ffffffff\r\n"]
)  # fmt: skip


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(_PIECES, st.binary(max_size=30)), max_size=12), st.sampled_from(["close", "reset"]))
def test_nothing_that_is_sent_raises(pieces: list[bytes], then: str) -> None:
    """Whatever bytes come back, in whatever pieces, an exchange gives an answer or a failure from the list."""
    result = asyncio.run(met(answers(*pieces, then=then)))
    if isinstance(result, Failure):
        assert (result.reach, result.reason in set(Reason)) == (Reach.UNKNOWN, True)


@pytest.mark.parametrize("behave", [floods(b"", CONTINUE * 2000), floods(CHUNKED, b"1\r\na\r\n" * 20_000)])
async def test_the_loop_stays_free_during_a_flood(behave: Behave) -> None:
    """While one peer floods, others get their turn: no more is parsed in one go than takes some milliseconds of CPU."""
    longest = 0.0

    async def measure() -> None:
        nonlocal longest
        while True:
            began = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - began)

    async with anyio.create_task_group() as group:
        group.start_soon(measure)
        await met(behave)
        group.cancel_scope.cancel()
    assert longest < 0.05  # it was 0.12 with reads of 256 KiB, and 0.013 with those of 16


def test_peers_are_told_apart() -> None:
    """The tests above mean something: an honest peer gives a whole answer."""

    async def run() -> tuple[Response | Failure, Peer]:
        async with peer(answers(OK)) as it:
            return await exchange(it.url), it

    result, it = asyncio.run(run())
    assert (result, it.visits) == (Response(200, {"content-length": "2"}, b"ok"), 1)
