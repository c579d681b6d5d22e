"""Proxies: which one is asked, and how it opens a tunnel."""

import base64
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import anyio
import h11
from anyio.abc import ByteStream

from notifier.http.messages import Reason, Trouble
from notifier.http.targets import Origin, read_target
from notifier.transport import Transport

MOST_ANSWER = 16 * 1024  # bytes of a proxy's answer to CONNECT


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy."""

    origin: Origin
    authorization: str | None = None  # the value of Proxy-Authorization

    def forwards(self, origin: Origin) -> bool:
        """Tell whether it is asked for whole URLs instead of a tunnel.

        That is the custom for plain http, where many proxies open no tunnel; not where it would bare what TLS to the
        proxy hides.
        """
        return origin.scheme == "http" and self.origin.scheme == "http"


def read_proxy(url: str) -> Proxy:
    """Read a proxy's URL.

    :raises Trouble: when it is none that can be used. It quotes nothing: it may hold a password.
    """
    try:
        origin = read_target(url if "://" in url else f"http://{url}").origin
        parts = urlsplit(url if "://" in url else f"http://{url}")
    except (Trouble, ValueError):
        raise Trouble(Reason.PROXY_ERROR, "the proxy's URL is not one of an http:// or https:// proxy") from None
    if parts.username is None:
        return Proxy(origin)
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Proxy(origin, "Basic " + base64.b64encode(credentials.encode()).decode())


class Proxies:
    """Says which proxy is asked for an origin: the configured one, else what HTTPS_PROXY and its like say."""

    def __init__(self, transport: Transport) -> None:
        self._own = transport.proxy
        self._environment = {} if self._own else urllib.request.getproxies_environment()

    def of(self, origin: Origin) -> Proxy | None:
        """Give the proxy, or ``None``.

        :raises Trouble: when its URL can't be used.
        """
        if self._own is not None:
            return read_proxy(self._own.reveal())
        url = self._environment.get(origin.scheme) or self._environment.get("all")
        if not url or _is_excepted(origin, self._environment):
            return None
        return read_proxy(url)


def _is_excepted(origin: Origin, environment: dict[str, str]) -> bool:
    """Tell whether NO_PROXY names the origin."""
    bypass: Callable[[str, dict[str, str]], bool] = getattr(urllib.request, "proxy_bypass_environment")  # noqa: B009  # typeshed lacks it
    return bool(bypass(origin.authority, environment))


async def open_tunnel(stream: ByteStream, proxy: Proxy, origin: Origin) -> None:
    """Have ``proxy``, at the other end of ``stream``, connect it to ``origin``.

    :raises Trouble: ``proxy_error`` when it does not.
    """
    wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_ANSWER)
    headers = [("Host", origin.authority)]
    if proxy.authorization:
        headers.append(("Proxy-Authorization", proxy.authorization))
    try:
        asked = wire.send(h11.Request(method="CONNECT", target=origin.authority, headers=headers))
        await stream.send(asked or b"")
        answer = await _answer(stream, wire)
    except (h11.ProtocolError, anyio.BrokenResourceError, anyio.EndOfStream, OSError):
        raise Trouble(Reason.PROXY_ERROR, "the proxy hung up, or does not speak HTTP") from None
    if not 200 <= answer.status_code < 300:
        raise Trouble(Reason.PROXY_ERROR, f"the proxy answered {answer.status_code}")
    if wire.trailing_data[0]:  # nobody behind the tunnel speaks before we do
        raise Trouble(Reason.PROXY_ERROR, "the proxy sent more than its answer")


async def _answer(stream: ByteStream, wire: h11.Connection) -> h11.Response:
    received = 0
    while not isinstance(event := wire.next_event(), h11.Response):
        if event is h11.NEED_DATA:
            wire.receive_data(chunk := await stream.receive())
            received += len(chunk)
        if received > 2 * MOST_ANSWER:
            raise h11.RemoteProtocolError("nothing but interim answers")
    return event
