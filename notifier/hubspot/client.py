"""Asks HubSpot for the status of one task."""

from dataclasses import replace

from notifier import __version__
from notifier.clock import Clock
from notifier.http import Failure, Http, Request, Response
from notifier.hubspot.account import Account
from notifier.hubspot.answers import Answer, Unreadable, read_answer
from notifier.hubspot.kinds import KINDS
from notifier.model import TaskKey
from notifier.secret import MASK, SHORTEST_REDACTED

# A status body is a few KB; one with thousands of row errors has been seen to reach hundreds. Past this it is not read.
MOST_BYTES = 4 * 1024 * 1024


class HubSpotClient:
    """The connections to one account's API. Every URL is built from the configured base: ``links`` are never followed."""

    def __init__(self, account: Account, http: Http, clock: Clock) -> None:
        self._account = account
        self._http = http
        self._clock = clock

    async def ask(self, key: TaskKey, *, timeout: float, strikes: int) -> Answer | Failure:  # noqa: ASYNC109  # a total deadline
        """Send one status request.

        :param timeout: seconds from connect to last byte.
        :param strikes: how many 429s came in a row before.
        """
        kind = KINDS.get(key.kind)
        if kind is None:  # stored by a newer notifier; its other watches go on
            return Unreadable("unknown_kind", f"this notifier does not know {key.kind}")
        url = self._account.base_url.rstrip("/") + kind.path(key.task_id, self._account.api_version)
        headers = {
            "authorization": f"Bearer {self._account.token.reveal()}",
            "accept": "application/json",
            "user-agent": f"notifier/{__version__}",
        }
        answer = await self._http.exchange(Request("GET", url, headers), deadline=timeout, max_bytes=MOST_BYTES)
        if isinstance(answer, Failure):
            return answer
        return read_answer(kind, self._without_token(answer), now=self._clock.now(), strikes=strikes)

    def _without_token(self, answer: Response) -> Response:
        """Mask our token where an answer quotes it: what HubSpot says is stored, shown and told to callbacks."""
        token = self._account.token.reveal()
        if len(token) < SHORTEST_REDACTED:
            return answer
        headers = {name: value.replace(token, MASK) for name, value in answer.headers.items()}
        return replace(answer, headers=headers, body=answer.body.replace(token.encode(), MASK.encode()))
