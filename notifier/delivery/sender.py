"""Makes one attempt: the request of a claim, and the answer it got."""

from collections.abc import Callable

from notifier import __version__
from notifier.clock import Clock
from notifier.delivery.egress import CONFIGURED
from notifier.delivery.formats import Courier, Ruling, format_of
from notifier.delivery.settings import Callback
from notifier.http import Failure, Http, Request, Response
from notifier.model import Body, Claim

MOST_ANSWER_READ = 64 * 1024  # bytes
MOST_ANSWER_STORED = 4 * 1024  # bytes


def courier_to(callback: Callback) -> Courier:
    """Give the way to a callback: its format's own, else HTTP with connections that no other callback uses."""
    own = format_of(callback).courier(concurrency=callback.concurrency)
    if own is not None:
        return own
    return Http(max_connections=callback.concurrency, judge=CONFIGURED.refusal, transport=callback.transport)


class Sender:
    """The way to one callback, by HTTP or by its format's own courier."""

    def __init__(self, callback: Callback, *, courier: Courier, clock: Clock, redact: Callable[[str], str]) -> None:
        self._callback = callback
        self._format = format_of(callback)
        self._courier = courier
        self._clock = clock
        self._redact = redact

    async def send(self, claim: Claim) -> Response | Failure:
        """Send what is claimed, within the callback's time-out; the URL is read from the settings each time."""
        return await self._courier.exchange(
            self.request(claim), deadline=self._callback.timeout, max_bytes=MOST_ANSWER_READ
        )

    def ruling(self, exchange: Response | Failure) -> Ruling | None:
        """Have the format read the answer's words."""
        return self._format.judge(exchange.status, exchange.body) if isinstance(exchange, Response) else None

    def excerpt(self, exchange: Response | Failure) -> str:
        """Give what is kept of the answer: its beginning, or what went wrong; secrets masked."""
        if isinstance(exchange, Failure):
            return self._redact(exchange.detail)[:MOST_ANSWER_STORED]
        # Masked before it is cut, or the half of a secret at the cut would stay.
        return self._redact(exchange.body.decode("utf-8", "replace"))[:MOST_ANSWER_STORED]

    def request(self, claim: Claim) -> Request:
        """Give exactly what is sent for a claim, signed for this moment."""
        body = self._body(claim)
        # Receivers compare the timestamp with their own clock, so it is the machine's, not the one plans are made in.
        signed = self._format.headers(claim, body, int(self._clock.wall()), self._callback.secrets)
        own = {name.lower(): value.reveal() for name, value in self._callback.headers.items()}
        if self._callback.auth is not None:
            own["authorization"] = self._callback.auth.header.reveal()
        return Request(
            "POST", self._callback.url.reveal(), {"user-agent": f"notifier/{__version__}"} | own | signed, body.content
        )

    def _body(self, claim: Claim) -> Body:
        plain = self._format.plain(claim.body) if claim.delivery.plain else None
        return claim.body if plain is None else plain
