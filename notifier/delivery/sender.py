"""Makes one attempt: the request of a claim, and the answer it got."""

from collections.abc import Callable

from notifier import __version__
from notifier.clock import Clock
from notifier.delivery.egress import CONFIGURED
from notifier.delivery.formats import Courier, Ruling, format_of
from notifier.delivery.settings import Callback
from notifier.http import Failure, Http, Request, Response
from notifier.model import Claim

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
        # Receivers compare the timestamp with their own clock, so it is the machine's, not the one plans are made in.
        request = request_to(self._callback, claim, int(self._clock.wall()))
        return await self._courier.exchange(request, deadline=self._callback.timeout, max_bytes=MOST_ANSWER_READ)

    def ruling(self, exchange: Response | Failure) -> Ruling | None:
        """Have the format read the answer's words."""
        return self._format.judge(exchange.status, exchange.body) if isinstance(exchange, Response) else None

    def excerpt(self, exchange: Response | Failure) -> str:
        """Give what is kept of the answer: its beginning, or what went wrong; secrets masked."""
        if isinstance(exchange, Failure):
            return self._redact(exchange.detail)[:MOST_ANSWER_STORED]
        # Masked before it is cut, or the half of a secret at the cut would stay.
        return self._redact(exchange.body.decode("utf-8", "replace"))[:MOST_ANSWER_STORED]


def request_to(callback: Callback, claim: Claim, at: int) -> Request:
    """Give exactly what is sent for a claim, signed for ``at`` (unix seconds)."""
    chosen = format_of(callback)
    body = (chosen.plain(claim.body) if claim.delivery.plain else None) or claim.body
    signed = chosen.headers(claim, body, at, callback.secrets)
    own = {name.lower(): value.reveal() for name, value in callback.headers.items()}
    if callback.auth is not None:
        own["authorization"] = callback.auth.header.reveal()
    return Request(
        "POST", callback.url.reveal(), {"user-agent": f"notifier/{__version__}"} | own | signed, body.content
    )
