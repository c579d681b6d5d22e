"""TLS to real servers: who is believed, who we are, and what is told when it fails."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from certificates import Authority, encrypted
from peers import OK, Behave, Visit, answers, peer

from notifier.http import Address, Failure, Http, Request, Response
from notifier.http.tls import UnusableTls
from notifier.transport import Tls, Transport


def anywhere(_address: Address) -> None:
    """The judge that refuses nothing."""


async def loopback(_host: str, _port: int) -> Sequence[str]:
    """The resolver to which every name is this machine."""
    return ["127.0.0.1"]


async def exchange(url: str, tls: Tls, *, deadline: float = 5.0) -> Response | Failure:
    it = Http(max_connections=1, judge=anywhere, transport=Transport(tls), resolve=loopback)
    try:
        request = Request("POST", url + "/canary-path", {"x-key": "canary-header"}, b"{}")
        return await it.exchange(request, deadline=deadline, max_bytes=65536)
    finally:
        await it.aclose()


def failed(result: Response | Failure) -> tuple[str, str]:
    assert isinstance(result, Failure), result
    assert "canary" not in result.detail
    return str(result.reach), str(result.reason)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_a_private_authority(authority: Authority) -> None:
    """Named in ca_file, it is believed; the connection is kept and used again."""
    async with peer(answers(OK, then="keep"), tls=authority.serves()) as it:
        client = Http(max_connections=1, judge=anywhere, transport=Transport(Tls(ca_file=authority.file)))
        for _ in range(3):
            answer = await client.exchange(Request("POST", it.url, {}, b"{}"), deadline=5, max_bytes=100)
            assert isinstance(answer, Response)
        await client.aclose()
    assert (it.visits, len(it.requests)) == (1, 3)


async def test_host_and_sni_are_the_names(authority: Authority) -> None:
    """Although an address is connected to, the server learns the name, and its certificate must bear it."""
    asked: list[str | None] = []
    context = authority.serves("erp.test")
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    async with peer(answers(OK), tls=context) as it:
        url = f"https://erp.test:{it.port}"
        assert isinstance(await exchange(url, Tls(ca_file=authority.file)), Response)
    assert asked == ["erp.test"]
    assert f"host: erp.test:{it.port}\r\n".encode() in it.requests[0].lower()


@pytest.mark.parametrize(
    ("trouble", "words"),
    [("unknown authority", "local issuer"), ("expired", "expired"), ("wrong host", "not valid for '127.0.0.1'")],
)
async def test_certificates_that_are_not_believed(authority: Authority, trouble: str, words: str) -> None:
    """Nothing is sent to a server that can't show who it is."""
    context = authority.serves(
        "elsewhere.test" if trouble == "wrong host" else "127.0.0.1", expired=trouble == "expired"
    )
    tls = Tls() if trouble == "unknown authority" else Tls(ca_file=authority.file)
    async with peer(answers(OK), tls=context) as it:
        result = await exchange(it.url, tls)
    assert failed(result) == ("not_sent", "tls_error")
    assert isinstance(result, Failure)
    assert words in result.detail
    assert it.requests == []


async def test_a_self_signed_certificate_can_be_named_itself(authority: Authority, tmp_path: Path) -> None:
    """ca_file may hold a server's own certificate, whoever signed it; another server is not believed then."""
    context = authority.serves()
    async with peer(answers(OK), tls=context) as it:
        pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", it.port))
        (tmp_path / "own.pem").write_text(pem)
        pinned = Tls(ca_file=tmp_path / "own.pem")
        assert isinstance(await exchange(it.url, pinned), Response)
    async with peer(answers(OK), tls=authority.serves()) as other:
        assert failed(await exchange(other.url, pinned)) == ("not_sent", "tls_error")


async def test_unverified(authority: Authority) -> None:
    """verify: false believes everybody: an expired certificate, for another name, of an unknown authority."""
    async with peer(answers(OK), tls=authority.serves("elsewhere.test", expired=True)) as it:
        assert isinstance(await exchange(it.url, Tls(verify=False)), Response)


async def test_a_client_certificate(authority: Authority) -> None:
    """Who asks for one gets it; the pair may be in one file."""
    cert, key = authority.client()
    both = cert.with_name("both.pem")
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    shown: list[object] = []

    async def behave(visit: Visit) -> None:
        await visit.request()
        shown.append(visit.writer.get_extra_info("peercert")["subjectAltName"])
        await visit.send(OK)

    trusting = Tls(ca_file=authority.file)
    async with peer(behave, tls=authority.serves(asks=True)) as it:
        assert isinstance(await exchange(it.url, replace(trusting, cert_file=cert, key_file=key)), Response)
        assert isinstance(await exchange(it.url, replace(trusting, cert_file=both)), Response)
    assert shown == [(("email", "client@example.com"),)] * 2


@contextmanager
def strict_server(context: ssl.SSLContext) -> Iterator[str]:
    """A server with OpenSSL's own manners: refused, a client is told why (asyncio's servers cut the connection)."""

    def serve() -> None:
        connection, _ = listener.accept()
        with suppress(OSError), connection, context.wrap_socket(connection, server_side=True):
            pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


@pytest.mark.parametrize(("newest", "reach"), [(False, "not_sent"), (True, "unknown")], ids=["1.2", "1.3"])
async def test_a_client_certificate_that_is_missing(authority: Authority, newest: bool, reach: str) -> None:
    """TLS 1.2 refuses in the handshake. With 1.3 the request is on its way when the refusal comes: that is told, too.

    There the request may meet a socket that is closed, and the reset that answers it overtakes the refusal.
    """
    with strict_server(authority.serves(asks=True, newest=newest)) as url:
        result = await exchange(url, Tls(ca_file=authority.file))
    assert failed(result) in {(reach, "tls_error"), *([(reach, "connection_reset")] if newest else [])}


async def reset(visit: Visit) -> None:
    await visit.reader.read(1)
    visit.reset()


async def hang_up(visit: Visit) -> None:
    await visit.reader.read(65536)


async def keep_silent(visit: Visit) -> None:
    await visit.wait_until_left()


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (answers(OK), "tls_error"),
        (reset, "connection_reset"),
        (hang_up, "connection_reset"),
        (keep_silent, "timeout_connect"),
    ],
    ids=["speaks http", "resets", "hangs up", "silent"],
)
async def test_handshakes_that_fail(behave: Behave, reason: str) -> None:
    """Whatever happens before the handshake is done, the request was not sent."""

    async def speaks(visit: Visit) -> None:
        await visit.reader.read(1)
        await visit.send(b"HTTP/1.1 400 Bad Request\r\n\r\ncanary")
        await visit.wait_until_left()

    async with peer(speaks if reason == "tls_error" else behave) as it:
        result = await exchange(it.url.replace("http:", "https:"), Tls(), deadline=0.5)
    assert failed(result) == ("not_sent", reason)


async def test_a_close_without_farewell_cuts_the_body(authority: Authority) -> None:
    """A body that ends with the connection is whole only as far as TCP can tell; the status counts either way."""

    async def behave(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        visit.reset()

    async with peer(behave, tls=authority.serves()) as it:
        answer = await exchange(it.url, Tls(ca_file=authority.file))
    assert isinstance(answer, Response)
    assert (answer.status, answer.truncated) == (200, True)


async def test_what_follows_an_answer_under_tls(authority: Authority) -> None:
    """Bytes that wait inside TLS, where no socket shows them, are found before the connection is used again."""

    async def behave(visit: Visit) -> None:
        while await visit.request():
            await visit.send(b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 500 Forged\r\nContent-Length: 0\r\n\r\n")

    client = Http(max_connections=1, judge=anywhere, transport=Transport(Tls(ca_file=authority.file)))
    async with peer(behave, tls=authority.serves()) as it:
        for _ in range(4):
            answer = await client.exchange(Request("POST", it.url, {}, b"{}"), deadline=5, max_bytes=100)
            assert isinstance(answer, Response)
            assert answer.status == 204
        await client.aclose()


def test_files_that_can_not_be_used(authority: Authority, tmp_path: Path) -> None:
    """Missing, no PEM, no key, somebody else's key, a key with a password: each says which setting and why."""
    cert, key = authority.client()
    _, other = authority.client("other")
    empty = tmp_path / "empty"
    empty.write_text("canary")
    locked = encrypted(key, b"canary")
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n")
    gone = tmp_path / "gone"
    wrong: list[tuple[Tls, str, str]] = [
        (Tls(ca_file=gone), "ca_file", "No such file"),
        (Tls(ca_file=tmp_path), "ca_file", "Is a directory"),
        (Tls(ca_file=Path("a\0b")), "ca_file", "not a file name"),
        (Tls(ca_file=empty), "ca_file", "holds no certificate"),
        (Tls(ca_file=broken), "ca_file", "holds no certificate"),
        (Tls(ca_file=key), "ca_file", "holds no certificate"),
        (Tls(cert_file=gone, key_file=key), "cert_file", "No such file"),
        (Tls(cert_file=key, key_file=key), "cert_file", "holds no certificate"),
        (Tls(cert_file=cert, key_file=gone), "key_file", "No such file"),
        (Tls(cert_file=cert, key_file=cert), "key_file", "holds no private key"),
        (Tls(cert_file=cert), "cert_file", "holds no private key"),
        (Tls(cert_file=cert, key_file=other), "key_file", "not the certificate's"),
        (Tls(cert_file=cert, key_file=locked), "key_file", "has a password"),
        (Tls(cert_file=broken, key_file=key), "key_file", "can't be read"),
    ]
    for tls, at, words in wrong:
        with pytest.raises(UnusableTls, match=words) as caught:
            Http(max_connections=1, judge=anywhere, transport=Transport(tls))
        assert caught.value.key == at
        assert "canary" not in str(caught.value)
