"""The seam around httpx: nothing outside this file knows which client sends the bytes.

One ``Http`` holds the connections to one origin (an account's API, a callback's receiver), so that a slow one never
takes a connection from another. Failures are values that say how far the request got; nothing of the outside world
raises. Redirects are never followed, compressed answers are not asked for, answers are read up to a bound.
"""

import errno
import functools
import logging
import socket
import ssl
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import anyio
import httpx

# httpx logs each request's whole URL at INFO, and a Slack URL is a secret.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)


class Reach(StrEnum):
    """How far a request got that brought no answer."""

    NOT_SENT = "not_sent"  # the receiver can't have acted on it
    UNKNOWN = "unknown"  # bytes went out; nobody can tell


@dataclass(frozen=True, slots=True)
class Request:
    """One request; ``body`` is sent as it is."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; header names are lower-case. ``truncated``: the body went on past the bound or did not unpack."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer. ``reason`` is a short fixed word (it labels metrics), ``detail`` is for people."""

    reach: Reach
    reason: str
    detail: str = ""


@functools.cache
def shared_ssl_context() -> ssl.SSLContext:
    """Give the one TLS context of the process: each costs ~100 ms to make."""
    return httpx.create_ssl_context()


class Http:
    """Keep-alive connections to one origin."""

    def __init__(self, *, max_connections: int) -> None:
        limits = httpx.Limits(
            max_connections=max_connections, max_keepalive_connections=max_connections, keepalive_expiry=30
        )
        # The caller's deadline bounds the whole exchange, so httpx's own time-outs are off.
        self._client = httpx.AsyncClient(
            limits=limits, timeout=httpx.Timeout(None), verify=shared_ssl_context(), follow_redirects=False
        )
        # httpx's defaults would tell a callback our library's version and ask for compressed answers.
        self._client.headers = httpx.Headers({"accept": "*/*", "accept-encoding": "identity"})

    async def exchange(self, request: Request, *, deadline: float, max_bytes: int) -> Response | Failure:
        """Send ``request`` and read the answer, all within ``deadline`` seconds and ``max_bytes`` of body."""
        trail = _Trail()
        try:
            with anyio.fail_after(deadline):
                return await self._exchange(request, max_bytes, trail)
        except TimeoutError:
            return trail.timed_out(deadline)
        except httpx.InvalidURL as error:
            return Failure(Reach.NOT_SENT, "invalid_url", str(error))
        except (httpx.HTTPError, OSError, ValueError) as error:
            return trail.failed(error)

    async def _exchange(self, request: Request, max_bytes: int, trail: "_Trail") -> Response:
        prepared = self._client.build_request(
            request.method,
            request.url,
            headers=dict(request.headers),
            content=request.body,
            extensions={"trace": trail},
        )
        answer = await self._client.send(prepared, stream=True)
        try:
            raw = bytearray()
            async for chunk in answer.aiter_raw():
                raw += chunk
                if len(raw) > max_bytes:
                    break
        finally:
            # Cancelled or cut short, the connection is closed without waiting for the rest of the body.
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await answer.aclose()
        headers = {name.lower(): value for name, value in answer.headers.items()}
        body, truncated = _unpack(bytes(raw), headers.get("content-encoding", ""), max_bytes)
        return Response(answer.status_code, headers, body, truncated)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()


def _unpack(raw: bytes, encoding: str, max_bytes: int) -> tuple[bytes, bool]:
    """Undo a compression nobody asked for, never growing past ``max_bytes`` (a bomb of 64 KiB unpacks to 64 MiB)."""
    if encoding.strip().lower() in {"", "identity"}:
        return raw[:max_bytes], len(raw) > max_bytes
    if encoding.strip().lower() not in {"gzip", "x-gzip", "deflate"}:
        return b"", True
    unpacker = zlib.decompressobj(wbits=47)  # 32 + 15: gzip or zlib, told by the header
    try:
        body = unpacker.decompress(raw, max_bytes)
    except zlib.error:
        return b"", True
    return body, not unpacker.eof


class _Trail:
    """Follows one request through httpcore's trace events, so that a failure can say how far it got."""

    def __init__(self) -> None:
        self.connected = False
        self.sending = False
        self.sent = False

    async def __call__(self, event: str, _details: Any) -> None:
        if event.endswith("send_request_headers.started"):
            self.connected = self.sending = True
        elif event.endswith("send_request_body.complete"):
            self.sent = True

    def timed_out(self, deadline: float) -> Failure:
        if not self.sending:
            return Failure(Reach.NOT_SENT, "timeout_connect", f"no connection within {deadline:g} s")
        if not self.sent:
            return Failure(Reach.UNKNOWN, "timeout_write", f"the request was not taken within {deadline:g} s")
        return Failure(Reach.UNKNOWN, "timeout_read", f"no complete answer within {deadline:g} s")

    def failed(self, error: Exception) -> Failure:
        reach = Reach.UNKNOWN if self.sending else Reach.NOT_SENT
        return Failure(reach, _reason(error, sending=self.sending), _innermost(error))


def _reason(error: Exception, *, sending: bool) -> str:
    """Name the failure; a fixed, small vocabulary."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return "dns_error"
        if isinstance(cause, ssl.SSLError):
            return "tls_error"
        if isinstance(cause, ConnectionRefusedError) or getattr(cause, "errno", None) == errno.ECONNREFUSED:
            return "connection_refused"
    if not sending:
        return "invalid_url" if isinstance(error, httpx.UnsupportedProtocol) else "connect_error"
    if isinstance(error, httpx.ProtocolError) and "disconnected" not in str(error):
        return "protocol_error"
    return "connection_reset"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk an exception's causes, into groups too (anyio reports one error per address tried)."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        cause = todo.pop()
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        todo += [cause.__cause__, cause.__context__]
        if isinstance(cause, BaseExceptionGroup):
            todo += cause.exceptions


def _innermost(error: Exception) -> str:
    """Give the text of the last cause that has one: the operating system's word, not three layers of wrapping."""
    texts = [str(cause) for cause in _causes(error) if str(cause)]
    return texts[-1] if texts else type(error).__name__
