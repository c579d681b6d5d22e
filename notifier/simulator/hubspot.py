"""HubSpot's side of asynchronous file imports, over real sockets and over time."""

import functools
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote, urlsplit

from notifier.clock import Clock
from notifier.errors import UnknownName
from notifier.model import RateLimit
from notifier.secret import Secret
from notifier.simulator import answers, wire
from notifier.simulator.actions import Action, Answer, Request, Trickle
from notifier.simulator.faults import Faults
from notifier.simulator.modes import Moment
from notifier.simulator.quota import Quota, RollingWindow
from notifier.simulator.tasks import Ending, Task, begin, invent, parse_script, status_at, status_body

LOWEST_TIER = RateLimit(100, 10.0)  # requests per app: Free and Starter
API_VERSIONS = ("v3", "2025-09", "2026-03", "2026-09")

_PATH = re.compile(
    rf"/files/(?P<version>{'|'.join(API_VERSIONS)})/files/import-from-url/async(?:/tasks/(?P<task>[^/]+)/status)?"
)
_ACCESS = {f"{prefix}{rest}" for prefix in ("PUBLIC_", "HIDDEN_") for rest in ("INDEXABLE", "NOT_INDEXABLE")}
_ACCESS |= {"PRIVATE", "SENSITIVE", "HIDDEN_PRIVATE", "HIDDEN_SENSITIVE"}


@dataclass(frozen=True, slots=True)
class Served:
    """One request and what became of it, for whoever reports."""

    at: float
    method: str
    path: str
    task_id: str | None
    http_status: int | None  # None when the fault sent none
    task_status: str | None  # as it honestly was
    fault: str | None


@dataclass(slots=True)
class Statistics:
    """What was asked of the simulator. ``peak`` is the most requests, refused ones too, in any rolling window."""

    requests: int = 0
    peak: int = 0
    limited: int = 0  # 429 because of the quota, not of a fault
    unauthorized: int = 0  # 401 because of the token, not of a fault
    per_task: Counter[str] = field(default_factory=Counter)
    per_path: Counter[str] = field(default_factory=Counter)  # of the paths nobody serves
    times: dict[str, list[float]] = field(default_factory=dict)  # unix seconds of each request, by task


class SimulatedHubSpot:
    """HubSpot as far as file imports go.

    ``tokens``: the bearer tokens accepted; None accepts any. ``create_unknown``: an id never seen is a task that begins
    now, see ``tasks.py`` for ids that are scripts; otherwise it answers 404. ``durations``: shortest and longest, in
    seconds, of a task that isn't scripted. ``tell_retry_after``: say in a 429 when to come back (HubSpot does not).
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        tokens: Iterable[str] | None = None,
        rate_limit: RateLimit | None = LOWEST_TIER,
        daily_limit: int | None = 250_000,
        tell_retry_after: bool = False,
        create_unknown: bool = False,
        durations: tuple[float, float] = (2.0, 20.0),
        seed: int = 0,
        faults: Faults | None = None,
        report: Callable[[Served], None] | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.quota = Quota(rate_limit, daily_limit)
        self.tell_retry_after = tell_retry_after
        self.create_unknown = create_unknown
        self.durations = durations
        self.seed = seed
        self.faults = faults or Faults()
        self.tasks: dict[str, Task] = {}
        self.statistics = Statistics()
        self._report = report
        self._recent = RollingWindow(rate_limit.seconds if rate_limit else 10.0)
        self.accept_tokens(tokens)

    def serve(self, host: str = "127.0.0.1", port: int = 0) -> AbstractAsyncContextManager[str]:
        """Serve, and give the base URL; port 0 takes a free one.

        :raises OSError: when the address can't be had.
        """
        return wire.serve(self.respond, host=host, port=port)

    def accept_tokens(self, tokens: Iterable[str] | None) -> None:
        """Accept these bearer tokens and no others from now on; None accepts any."""
        self._tokens = None if tokens is None else frozenset(Secret(token) for token in tokens)

    def add_task(
        self,
        task_id: str,
        *,
        pending: float = 1.0,
        processing: float = 2.0,
        ends: str = "complete",
        file_name: str = "imported.png",
        errors: Sequence[Mapping[str, Any]] = (),
    ) -> Task:
        """Let a task begin now; durations in seconds, ``ends`` one of ``Ending``."""
        task = begin(task_id, self.clock.now(), pending, processing, Ending(ends))
        self.tasks[task_id] = replace(task, file_name=file_name, errors=errors)
        return self.tasks[task_id]

    def end_task(self, task_id: str, ends: str = "complete") -> None:
        """Let a task end now.

        :raises UnknownName: when there is no such task.
        """
        if task_id not in self.tasks:
            raise UnknownName(f"no task {task_id!r}")
        now = self.clock.now()
        task = self.tasks[task_id]
        self.tasks[task_id] = replace(task, started_at=min(task.started_at, now), ends_at=now, ends=Ending(ends))

    def respond(self, request: Request) -> Action:
        """Decide what one request gets."""
        found = _PATH.fullmatch(request.path)
        task_id = unquote(found["task"]) if found and found["task"] else None
        now = self.clock.now()
        self._count(request, task_id, now, known=found is not None)
        correlation_id = f"{self.statistics.requests:08x}-5150-4000-8000-{self.statistics.requests:012x}"
        honest = functools.partial(self._honest, request, found, task_id, now, correlation_id)
        fault = self.faults.pick(task_id)
        action = fault.mode.act(Moment(request, now, honest, correlation_id, fault.retry_after)) if fault else honest()
        self._tell(request, task_id, now, action, fault.name if fault else None)
        return self._dressed(action, now, correlation_id)

    def _count(self, request: Request, task_id: str | None, now: float, *, known: bool) -> None:
        counted = self.statistics
        counted.requests += 1
        counted.peak = max(counted.peak, self._recent.take(self.clock.monotonic()))
        if task_id is not None:
            counted.per_task[task_id] += 1
            counted.times.setdefault(task_id, []).append(now)
        elif not known:
            counted.per_path[request.path] += 1

    def _honest(
        self, request: Request, found: re.Match[str] | None, task_id: str | None, now: float, correlation_id: str
    ) -> Answer:
        if not self._authorized(request):
            self.statistics.unauthorized += 1
            return answers.unauthorized(correlation_id)
        refused_by = self.quota.spend(self.clock.monotonic(), now)
        if refused_by is not None:
            self.statistics.limited += 1
            return answers.too_many(refused_by, correlation_id, self._retry_after(refused_by))
        if found is None:
            return answers.html(404)
        if request.method != ("GET" if task_id is not None else "POST"):
            return answers.error(405, "METHOD_NOT_ALLOWED", "HTTP 405 Method Not Allowed", correlation_id)
        return (
            self._begin(request, now, correlation_id)
            if task_id is None
            else self._status(task_id, found["version"], now, correlation_id)
        )

    def _authorized(self, request: Request) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return False
        return self._tokens is None or Secret(token.strip()) in self._tokens

    def _retry_after(self, policy: str) -> int | None:
        wait = self.quota.wait(self.clock.monotonic(), self.clock.now(), policy)
        return max(1, math.ceil(wait)) if self.tell_retry_after else None

    def _status(self, task_id: str, version: str, now: float, correlation_id: str) -> Answer:
        task = self.tasks.get(task_id)
        if task is None and self.create_unknown:
            task = invent(task_id, parse_script(task_id), now=now, durations=self.durations, seed=self.seed)
            self.tasks[task_id] = task
        body = status_body(task, now) if task else None
        if body is None:
            return answers.unknown_task(correlation_id)
        return answers.json_answer(200, body | {"links": _links(version, task_id)})

    def _begin(self, request: Request, now: float, correlation_id: str) -> Answer:
        """Start an import; a file name that is a script (``errors-8s.png``) tells how it will go."""
        try:
            wanted = json.loads(request.body)
        except ValueError:
            wanted = None
        problems = _problems(wanted)
        if problems:
            return answers.invalid_input(correlation_id, problems)
        task_id = f"AAAA{len(self.tasks) + 1:07X}"
        file_name = urlsplit(wanted["url"]).path.rpartition("/")[2] or "imported"
        task = invent(
            task_id,
            parse_script(file_name.rpartition(".")[0] or file_name),
            now=now,
            durations=self.durations,
            seed=self.seed,
        )
        self.tasks[task_id] = replace(
            task,
            file_name=wanted.get("name") or file_name,
            access=wanted["access"],
            folder_path=wanted.get("folderPath") or "/library",
        )
        return answers.json_answer(202, {"id": task_id, "links": _links("v3", task_id)})

    def _tell(self, request: Request, task_id: str | None, now: float, action: Action, fault: str | None) -> None:
        if self._report is None:
            return
        task = self.tasks.get(task_id) if task_id is not None else None
        status = action.status if isinstance(action, Answer) else None
        self._report(
            Served(now, request.method, request.path, task_id, status, status_at(task, now) if task else None, fault)
        )

    def _dressed(self, action: Action, now: float, correlation_id: str) -> Action:
        """Add the headers that every answer of HubSpot has; those a fault set itself stay."""
        if isinstance(action, Trickle):
            return replace(action, answer=self._with_headers(action.answer, now, correlation_id))
        return self._with_headers(action, now, correlation_id) if isinstance(action, Answer) else action

    def _with_headers(self, answer: Answer, now: float, correlation_id: str) -> Answer:
        headers = {"Date": _date(int(now)), "x-hubspot-correlation-id": correlation_id}
        return Answer(
            answer.status, {**headers, **self.quota.headers(self.clock.monotonic(), now), **answer.headers}, answer.body
        )


@functools.lru_cache(maxsize=4)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def _links(version: str, task_id: str) -> dict[str, str]:
    """Point to another host, as HubSpot's links have done: a client that follows them with its token fails."""
    return {
        "status": f"https://api-na1.hubspot.invalid/files/{version}/files/import-from-url/async/tasks/{task_id}/status"
    }


def _problems(wanted: Any) -> list[tuple[str, str]]:
    """Check the body of an import: (field, what is wrong with it)."""
    if not isinstance(wanted, dict):
        return [("body", "an object is required")]
    problems = []
    if not isinstance(wanted.get("url"), str) or not wanted["url"]:
        problems.append(("url", "url is required"))
    if wanted.get("access") not in _ACCESS:
        problems.append(("access", f"access must be one of {', '.join(sorted(_ACCESS))}"))
    if not wanted.get("folderId") and not wanted.get("folderPath"):
        problems.append(("folderPath", "one of folderId and folderPath is required"))
    return problems
