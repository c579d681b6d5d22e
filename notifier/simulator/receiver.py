"""A receiver of webhooks and Slack messages that checks everything it is sent."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import anyio

from notifier.clock import Clock
from notifier.simulator import wire
from notifier.simulator.actions import CLOSE, HANG, RESET, Action, Answer, Request
from notifier.simulator.signatures import signature_problem, signing_key
from notifier.simulator.slack import slack_problem

SLACK_PATH = "/slack"

Step = int | str | Action  # an HTTP status, "hang" | "reset" | "close", or any action

_WORDS: Mapping[str, Action] = {"hang": HANG, "reset": RESET, "close": CLOSE}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request that came in. ``problem`` says why it is not ``verified`` (a Slack message: why it would be refused)."""

    path: str
    method: str
    headers: Mapping[str, str]  # names are lower-case
    body: bytes
    received_at: float  # unix seconds
    problem: str | None
    action: Action  # what it was given

    @property
    def verified(self) -> bool:
        """Tell whether the signature was right, or the message one that Slack would post."""
        return self.problem is None

    @property
    def webhook_id(self) -> str | None:
        """The event's id; the same on every attempt."""
        return self.headers.get("webhook-id")


class Receiver:
    """Receives, verifies, remembers, and answers as scripted.

    ``secrets``: ``whsec_…`` or ``whpk_…``, any of which may have signed; without any, nothing counts as verified but everything is
    taken. Unsigned or wrongly signed requests get 401. Paths under ``/slack`` behave like Slack's incoming webhooks;
    ``slack_interval``: seconds that must lie between two messages of one path, else 429.
    """

    def __init__(
        self,
        secrets: Iterable[str] = (),
        *,
        clock: Clock | None = None,
        slack_interval: float = 0.0,
        report: Callable[[Arrival], None] | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.arrivals: list[Arrival] = []
        self.seen: dict[str, list[Arrival]] = {}  # by webhook-id
        self._keys = [signing_key(secret) for secret in secrets]
        self._slack_interval = slack_interval
        self._slack_free_at: dict[str, float] = {}
        self._report = report
        self._scripts: dict[str | None, deque[Step]] = {}
        self._changed = anyio.Event()

    def serve(self, host: str = "127.0.0.1", port: int = 0) -> AbstractAsyncContextManager[str]:
        """Serve, and give the base URL; port 0 takes a free one.

        :raises OSError: when the address can't be had.
        """
        return wire.serve(self.respond, host=host, port=port)

    def script(self, *steps: Step, path: str | None = None) -> None:
        """Give the next requests (to ``path``, or any) these answers, one each; afterwards the honest ones.

        :raises ValueError: for a word that is not known.
        """
        unknown = [step for step in steps if isinstance(step, str) and step not in _WORDS]
        if unknown:
            raise ValueError(f"no such step: {unknown[0]!r}; a status, an action or one of {', '.join(_WORDS)}")
        self._scripts.setdefault(path, deque()).extend(steps)

    async def wait_for(self, count: int = 1, *, timeout: float = 10.0, distinct: bool = False) -> list[Arrival]:  # noqa: ASYNC109  # reads better in tests
        """Wait until ``count`` requests (``distinct``: webhook-ids) have come in all, and give every arrival so far.

        :raises TimeoutError: when they have not after ``timeout`` seconds.
        """
        with anyio.fail_after(timeout):
            while len(self.seen if distinct else self.arrivals) < count:
                await self._changed.wait()
        return list(self.arrivals)

    def respond(self, request: Request) -> Action:
        """Check, decide, remember."""
        now = self.clock.now()
        problem = self._problem(request, now)
        action = self._scripted(request.path) or self._honest(request.path, problem)
        arrival = Arrival(request.path, request.method, request.headers, request.body, now, problem, action)
        self._remember(arrival)
        return action

    def _problem(self, request: Request, now: float) -> str | None:
        if request.path.startswith(SLACK_PATH):
            return slack_problem(request.body)
        return (
            signature_problem(request.headers, request.body, self._keys, now)
            if self._keys
            else "no secret to verify with"
        )

    def _scripted(self, path: str) -> Action | None:
        steps = self._scripts.get(path) or self._scripts.get(None)
        if not steps:
            return None
        step = steps.popleft()
        if isinstance(step, int):
            return Answer(step)
        return _WORDS[step] if isinstance(step, str) else step

    def _honest(self, path: str, problem: str | None) -> Answer:
        if path.startswith(SLACK_PATH):
            return self._as_slack(path, problem)
        return Answer(401, body=(problem or "").encode()) if problem and self._keys else Answer(200)

    def _as_slack(self, path: str, problem: str | None) -> Answer:
        headers = {"Content-Type": "text/html"}  # as Slack labels its plain words
        if problem is not None:
            return Answer(400, headers, problem.encode())
        now = self.clock.monotonic()
        if now < self._slack_free_at.get(path, now):
            return Answer(429, {**headers, "Retry-After": "1"}, b"rate_limited")
        self._slack_free_at[path] = now + self._slack_interval
        return Answer(200, headers, b"ok")

    def _remember(self, arrival: Arrival) -> None:
        self.arrivals.append(arrival)
        if arrival.webhook_id is not None:
            self.seen.setdefault(arrival.webhook_id, []).append(arrival)
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
        if self._report is not None:
            self._report(arrival)
