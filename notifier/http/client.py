"""Requests out, answers or failures back: httpx, over a transport of our own."""

import logging

import anyio
import httpx

from notifier.http.course import Course
from notifier.http.dialing import Dialer, Judge, Resolve, resolve
from notifier.http.messages import Failure, Reason, Request, Response, Trouble
from notifier.http.pool import Pool
from notifier.http.proxies import Proxies
from notifier.http.tls import make_context
from notifier.transport import Transport

# httpx logs each request's whole URL at INFO, and a Slack URL is a secret.
logging.getLogger("httpx").setLevel(logging.WARNING)

_DEFAULT = Transport()

# What every request says that does not say otherwise: nothing of the library, and no wish for compressed answers.
_HEADERS = {"accept": "*/*", "accept-encoding": "identity"}


class Http:
    """Exchanges requests for answers, at most ``max_connections`` at a time.

    :param judge: says of each address whether it may be connected to.
    :raises UnusableTls: when a file that ``transport`` names can't be used.
    """

    def __init__(
        self, *, max_connections: int, judge: Judge, transport: Transport = _DEFAULT, resolve: Resolve = resolve
    ) -> None:
        dialer = Dialer(judge=judge, resolve=resolve, context=make_context(transport.tls))
        pool = Pool(max_connections=max_connections, dialer=dialer, proxies=Proxies(transport))
        # The caller's deadline bounds the whole exchange; proxies are the pool's matter.
        self._client = httpx.AsyncClient(transport=pool, timeout=httpx.Timeout(None), trust_env=False)
        self._client.headers = httpx.Headers(_HEADERS)
        for name in ("connection", "user-agent"):  # what httpx adds of its own
            del self._client.headers[name]

    async def exchange(self, request: Request, *, deadline: float, max_bytes: int) -> Response | Failure:
        """Send ``request`` and read the answer, all within ``deadline`` seconds and ``max_bytes`` of body.

        An answer counts from its head on: one whose body breaks off, or goes on past either bound, is truncated.
        """
        course = Course()
        try:
            with anyio.move_on_after(deadline):
                await self._client.send(self._prepared(request, course, max_bytes))
            trouble = course.timed_out(deadline)  # of no account when the answer came
        except Trouble as error:
            trouble = error
        return course.ended(trouble, max_bytes)

    def _prepared(self, request: Request, course: Course, max_bytes: int) -> httpx.Request:
        extensions = {"course": course, "max_bytes": max_bytes}
        try:
            return self._client.build_request(
                request.method, request.url, headers=dict(request.headers), content=request.body, extensions=extensions
            )
        except httpx.InvalidURL:
            raise Trouble(Reason.INVALID_URL, "the URL can't be read") from None
        except ValueError:
            # It quotes nothing: a header may be a secret.
            raise Trouble(Reason.INVALID_REQUEST, "a header can't stand in a request") from None

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()
