"""The transport under httpx: keep-alive connections to one origin.

httpx's own pool assigns requests by scans that grow with the square of the connections, keeps no word of how far a
request got, and connects to whatever a name resolves to; so it is httpx in front and this underneath.
"""

from typing import NamedTuple

import anyio
import httpx

from notifier.http.connection import Connection, Message
from notifier.http.course import Answer, Course
from notifier.http.dialing import Dialer, close
from notifier.http.proxies import Proxies, Proxy
from notifier.http.targets import Origin, Target, read_target

LONGEST_IDLE = 30.0  # seconds; many servers close what is idle for a minute

# What an answer says that httpx would act on: we unpack ourselves, within a bound, and never follow a redirect.
ACTED_ON = frozenset({"content-encoding", "content-length", "transfer-encoding", "location", "set-cookie"})


class _Idle(NamedTuple):
    """A connection that waits to be used again."""

    origin: Origin
    since: float  # seconds, of the event loop's clock
    connection: Connection


class Pool(httpx.AsyncBaseTransport):
    """At most ``max_connections`` exchanges at a time.

    A request's extensions hold its ``course``, which is told how far it got, and ``max_bytes`` of body to read.
    """

    def __init__(self, *, max_connections: int, dialer: Dialer, proxies: Proxies) -> None:
        self._slots = anyio.CapacityLimiter(max_connections)
        self._dialer = dialer
        self._proxies = proxies
        self._idle: list[_Idle] = []  # the one used last comes last

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Exchange ``request`` for an answer whose body is read.

        :raises Trouble: when there is no answer, or it breaks off.
        """
        answer = await self._exchange(request, request.extensions["course"], request.extensions["max_bytes"])
        kept = [(name, value) for name, value in answer.headers.items() if name not in ACTED_ON]
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept]
        return httpx.Response(answer.status, headers=headers)

    async def aclose(self) -> None:
        """Close every connection."""
        while self._idle:
            await close(self._idle.pop().connection.stream)

    async def _exchange(self, request: httpx.Request, course: Course, max_bytes: int) -> Answer:
        target = read_target(request.url)
        proxy = self._proxies.of(target.origin)
        async with self._slots:
            connection = await self._reused(target.origin)
            if connection is None:
                connection = Connection(await self._dialer.dial(target.origin, proxy, course))
            try:
                return await connection.exchange(_message(request, target, proxy), course, max_bytes)
            finally:
                await self._put_back(target.origin, connection)

    async def _reused(self, origin: Origin) -> Connection | None:
        """Take the connection used last that is still good; what is found to be none is closed."""
        oldest = anyio.current_time() - LONGEST_IDLE
        while self._idle and self._idle[0].since < oldest:
            await close(self._idle.pop(0).connection.stream)
        while self._idle:
            idle = self._idle.pop()
            if idle.origin == origin and idle.connection.is_quiet():
                return idle.connection
            await close(idle.connection.stream)
        return None

    async def _put_back(self, origin: Origin, connection: Connection) -> None:
        if connection.reusable:
            self._idle.append(_Idle(origin, anyio.current_time(), connection))
        else:
            await close(connection.stream)


def _message(request: httpx.Request, target: Target, proxy: Proxy | None) -> Message:
    """Write the request as whoever is connected to must be asked."""
    forwarded = proxy is not None and proxy.forwards(target.origin)
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in request.headers.raw]
    if proxy and forwarded and proxy.authorization:
        headers.append(("proxy-authorization", proxy.authorization))
    return Message(request.method, target.absolute if forwarded else target.path, headers, request.content)
