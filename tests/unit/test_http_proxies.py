"""Proxies, configured and from the environment: what they are asked, what they are not told, what their failures are."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from certificates import Authority
from peers import OK, Behave, Peer, Visit, answers, free_port, peer

from notifier.http import Address, Failure, Http, Request, Response, tls
from notifier.http.messages import Trouble
from notifier.http.proxies import read_proxy
from notifier.secret import Secret
from notifier.transport import Tls, Transport

CREDENTIALS = "canary-user:canary%2Fpassword"
AUTHORIZATION = "Basic " + base64.b64encode(b"canary-user:canary/password").decode()


def anywhere(_address: Address) -> None:
    """The judge that refuses nothing."""


async def nowhere(host: str, _port: int) -> Sequence[str]:
    """The resolver that fails the test: names are the proxy's to resolve."""
    raise AssertionError(f"{host} was looked up")


async def tunnels(visit: Visit) -> None:
    """Connect whoever asks with the right password to this machine, whatever host it names."""
    head = await visit.reader.readuntil(b"\r\n\r\n")
    visit.peer.requests.append(head)
    if AUTHORIZATION.encode() not in head:
        await visit.send(b"HTTP/1.1 407 Proxy Authentication Required canary\r\nContent-Length: 0\r\n\r\n")
        return
    port = int(head.split(b" ")[1].rpartition(b":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await visit.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
    try:
        await asyncio.gather(_pump(visit.reader, writer), _pump(reader, visit.writer))
    finally:
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


def by_way_of(it: Peer, credentials: str = CREDENTIALS) -> Secret:
    return Secret(it.url.replace("://", f"://{credentials}@"))


async def exchange(
    url: str, proxy: Secret | None, ca: Path | None = None, *, times: int = 1, deadline: float = 5.0
) -> list[Response | Failure]:
    transport = Transport(Tls(ca_file=ca), proxy)
    client = Http(max_connections=1, judge=anywhere, transport=transport, resolve=nowhere)
    request = Request("POST", url + "/canary-path", {"x-key": "canary-header"}, b"{}")
    try:
        return [await client.exchange(request, deadline=deadline, max_bytes=65536) for _ in range(times)]
    finally:
        await client.aclose()


def failed(result: Response | Failure) -> tuple[str, str]:
    assert isinstance(result, Failure), result
    assert "canary" not in result.detail
    assert result.detail
    return str(result.reach), str(result.reason)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def receiver_and_proxy(authority: Authority, *names: str) -> AsyncIterator[tuple[Peer, Peer]]:
    async with peer(answers(OK, then="keep"), tls=authority.serves(*names)) as it, peer(tunnels) as proxy:
        yield it, proxy


async def test_plain_http_is_forwarded() -> None:
    """The proxy is asked for the whole URL, with its password; the receiver's name is not looked up here."""
    async with peer(answers(OK, then="keep")) as proxy:
        [answer, again] = await exchange("http://erp.test", by_way_of(proxy), times=2)
    assert isinstance(answer, Response)
    assert isinstance(again, Response)
    head = proxy.requests[0].decode().lower()
    assert head.startswith("post http://erp.test/canary-path http/1.1\r\nhost: erp.test\r\n")
    assert f"proxy-authorization: {AUTHORIZATION.lower()}\r\n" in head
    assert proxy.visits == 1


async def test_https_goes_through_a_tunnel(authority: Authority) -> None:
    """The proxy learns host and port alone, the receiver nothing of the proxy's password; the tunnel is used again."""
    async with receiver_and_proxy(authority, "erp.test") as (it, proxy):
        results = await exchange(f"https://erp.test:{it.port}", by_way_of(proxy), authority.file, times=3)
    assert all(isinstance(result, Response) for result in results)
    [asked] = proxy.requests
    assert asked.lower().startswith(f"connect erp.test:{it.port} http/1.1\r\nhost: erp.test:{it.port}\r\n".encode())
    assert b"canary-path" not in asked
    assert b"canary-header" not in asked
    assert len(it.requests) == 3
    assert b"proxy-authorization" not in b"".join(it.requests).lower()


async def test_a_proxy_that_speaks_tls(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS within TLS; and plain http goes through a tunnel there, too. The proxy's certificate is always verified."""
    public = ssl.create_default_context(cafile=str(authority.file))
    async with (
        peer(answers(OK), tls=authority.serves("erp.test")) as it,
        peer(answers(OK)) as plain,
        peer(tunnels, tls=authority.serves()) as proxy,
    ):
        [refused] = await exchange(f"https://erp.test:{it.port}", by_way_of(proxy), authority.file)
        monkeypatch.setattr("notifier.http.dialing.public_context", lambda: public)
        [answer] = await exchange(f"https://erp.test:{it.port}", by_way_of(proxy), authority.file)
        [other] = await exchange(f"http://erp.test:{plain.port}", by_way_of(proxy))
    assert failed(refused) == ("not_sent", "proxy_error")
    assert isinstance(answer, Response)
    assert isinstance(other, Response)
    assert tls.public_context() is not public


async def test_a_receiver_behind_a_proxy_is_verified(authority: Authority, tmp_path: Path) -> None:
    """A wrong certificate is refused there as well, and costs no connection for good."""
    async with receiver_and_proxy(authority, "elsewhere.test") as (it, proxy):
        results = await exchange(f"https://erp.test:{it.port}", by_way_of(proxy), authority.file, times=4)
    assert [failed(result) for result in results] == [("not_sent", "tls_error")] * 4
    assert it.requests == []


async def hang_up(visit: Visit) -> None:
    await visit.reader.readuntil(b"\r\n\r\n")


async def reset(visit: Visit) -> None:
    await visit.reader.readuntil(b"\r\n\r\n")
    visit.reset()


def says(answer: bytes) -> Behave:
    async def behave(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        while not visit.writer.is_closing():
            await visit.send(answer)
            await asyncio.sleep(0)

    return behave


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (hang_up, "hung up"),
        (reset, "hung up"),
        (says(b"HTTP/1.1 403 canary\r\n\r\n"), "403"),
        (says(b"HTTP/1.1 502 canary\r\n\r\n"), "502"),
        (says(b"canary\r\n\r\n"), "does not speak HTTP"),
        (says(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 9000), "does not speak HTTP"),
        (says(b"HTTP/1.1 100 Continue\r\n\r\n" * 99), "does not speak HTTP"),
        (says(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), "more than its answer"),
    ],
    ids=["hangs up", "resets", "forbids", "fails", "garbage", "endless head", "endless interim", "forges"],
)
async def test_no_tunnel(behave: Behave, words: str) -> None:
    """Whatever goes wrong before the tunnel is there is the proxy's error, and nothing was sent."""
    async with peer(behave) as proxy:
        [result] = await exchange("https://erp.test", by_way_of(proxy))
    assert failed(result) == ("not_sent", "proxy_error")
    assert isinstance(result, Failure)
    assert words in result.detail


async def test_a_wrong_password() -> None:
    """407 says it."""
    async with peer(tunnels) as proxy:
        [result] = await exchange("https://erp.test", by_way_of(proxy, "canary:canary"))
    assert failed(result) == ("not_sent", "proxy_error")
    assert isinstance(result, Failure)
    assert "407" in result.detail


async def test_a_silent_proxy() -> None:
    """The deadline holds while the tunnel is opened."""

    async def silent(visit: Visit) -> None:
        await visit.wait_until_left()

    async with peer(silent) as proxy:
        [result] = await exchange("https://erp.test", by_way_of(proxy), deadline=0.3)
    assert failed(result) == ("not_sent", "timeout_connect")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_proxy_is_there(scheme: str) -> None:
    """Refused at the proxy: it is not the receiver that refused."""
    [result] = await exchange(f"{scheme}://erp.test", Secret(f"http://canary:canary@127.0.0.1:{free_port()}"))
    assert failed(result) == ("not_sent", "proxy_error")
    assert isinstance(result, Failure)
    assert result.detail == "Connection refused, at the proxy"


async def test_it_is_the_proxys_address_that_is_judged() -> None:
    """A proxy at an address that is refused is not connected to."""
    async with peer(answers(OK)) as proxy:
        client = Http(max_connections=1, judge=lambda _: "off limits", transport=Transport(proxy=by_way_of(proxy)))
        result = await client.exchange(Request("POST", "http://erp.test/"), deadline=5, max_bytes=1)
    assert failed(result) == ("not_sent", "address_refused")
    assert proxy.visits == 0


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
async def test_the_environments_proxy(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What every other program on the machine goes by, unless NO_PROXY names the receiver or the callback has its own."""
    async with peer(answers(OK)) as proxy, peer(answers(OK)) as own:
        monkeypatch.setenv(variable, f"127.0.0.1:{proxy.port}")
        [answer] = await exchange("http://erp.test", None)
        assert isinstance(answer, Response)
        [answer] = await exchange("http://erp.test", by_way_of(own))
        assert isinstance(answer, Response)
        assert (proxy.visits, own.visits) == (1, 1)
        monkeypatch.setenv("NO_PROXY", "example.com, 127.0.0.1")
        [answer] = await exchange(own.url, None)
        assert isinstance(answer, Response)
        assert (proxy.visits, own.visits) == (1, 2)


@pytest.mark.parametrize("url", ["socks5://canary:canary@127.0.0.1:1080", "http://", "http://[canary", "canary:port"])
async def test_no_proxy_at_all(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that can't be used is told, and not passed over: the request must not go out without the proxy."""
    monkeypatch.setenv("ALL_PROXY", url)
    [result] = await exchange("http://erp.test", None)
    assert failed(result) == ("not_sent", "proxy_error")
    with pytest.raises(Trouble):
        read_proxy(url)
