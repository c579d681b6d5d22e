"""Keep-alive connections to one origin."""

from typing import NamedTuple

import anyio

from notifier.http.connection import Connection, Message
from notifier.http.course import Answer, Course
from notifier.http.dialing import Dialer, Judge, Resolve, close, resolve
from notifier.http.messages import Failure, Request, Response, Trouble
from notifier.http.proxies import Proxies, Proxy
from notifier.http.targets import Origin, Target, read_target
from notifier.http.tls import make_context
from notifier.transport import Transport

LONGEST_IDLE = 30.0  # seconds; many servers close what is idle for a minute

_DEFAULT = Transport()


class _Idle(NamedTuple):
    """A connection that waits to be used again."""

    origin: Origin
    since: float  # seconds, of the event loop's clock
    connection: Connection


class Http:
    """Exchanges requests for answers, at most ``max_connections`` at a time.

    :param judge: says of each address whether it may be connected to.
    :raises UnusableTls: when a file that ``transport`` names can't be used.
    """

    def __init__(
        self, *, max_connections: int, judge: Judge, transport: Transport = _DEFAULT, resolve: Resolve = resolve
    ) -> None:
        self._slots = anyio.CapacityLimiter(max_connections)
        self._proxies = Proxies(transport)
        self._dialer = Dialer(judge=judge, resolve=resolve, context=make_context(transport.tls))
        self._idle: list[_Idle] = []  # the one used last comes last

    async def exchange(self, request: Request, *, deadline: float, max_bytes: int) -> Response | Failure:
        """Send ``request`` and read the answer, all within ``deadline`` seconds and ``max_bytes`` of body.

        An answer counts from its head on: one whose body breaks off, or goes on past either bound, is truncated.
        """
        course = Course()
        try:
            with anyio.move_on_after(deadline):
                return (await self._exchange(request, course, max_bytes)).response(max_bytes)
            trouble = course.timed_out(deadline)
        except Trouble as error:
            trouble = error
        return course.ended(trouble, max_bytes)

    async def aclose(self) -> None:
        """Close every connection."""
        while self._idle:
            await close(self._idle.pop().connection.stream)

    async def _exchange(self, request: Request, course: Course, max_bytes: int) -> Answer:
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


def _message(request: Request, target: Target, proxy: Proxy | None) -> Message:
    """Add what every request has. Compressed answers are not asked for."""
    own = {name.lower() for name in request.headers}
    forwarded = proxy is not None and proxy.forwards(target.origin)
    added = {"host": target.host, "accept": "*/*", "accept-encoding": "identity"}
    if request.body or request.method != "GET":
        added["content-length"] = str(len(request.body))
    if proxy and forwarded and proxy.authorization:
        added["proxy-authorization"] = proxy.authorization
    headers = [(name, value) for name, value in added.items() if name not in own]
    asked_for = target.absolute if forwarded else target.path
    return Message(request.method, asked_for, [*headers, *request.headers.items()], request.body)
