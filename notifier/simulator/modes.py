"""The fault modes: every way in which the simulated HubSpot can misbehave, by name.

A mode is a function of the moment (request, honest answer, time) that gives the action. To add one: write it, name it
in ``MODES``.
"""

import functools
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any

from notifier.clock import iso, parse_iso
from notifier.simulator import answers
from notifier.simulator.actions import CLOSE, HANG, RESET, Action, Answer, Endless, Raw, Request, Trickle, truncated
from notifier.simulator.quota import DAILY, TEN_SECONDLY

SKEW = 3600.0  # seconds that clock_skew is ahead
HUGE = 16 << 20  # bytes of huge_body
BOMB = 64 << 20  # bytes of gzip_bomb once unpacked; about a thousandth of that on the wire


@dataclass(frozen=True, slots=True)
class Moment:
    """What a mode may know."""

    request: Request
    now: float  # unix seconds
    honest: Callable[[], Answer]  # what would have been answered without the fault
    correlation_id: str
    retry_after: int  # seconds, for the modes that send it
    trickle_interval: float = 0.5  # seconds a byte

    def error(self, status: int, category: str, message: str, *, retry: bool = False) -> Answer:
        """Make an error answer, with ``Retry-After`` when ``retry``."""
        headers = {"Retry-After": str(self.retry_after)} if retry else {}
        return answers.error(status, category, message, self.correlation_id, headers)

    def edited(self, change: Callable[[dict[str, Any]], object]) -> Answer:
        """Give the honest answer with its JSON changed in place by ``change``."""
        honest = self.honest()
        body = json.loads(honest.body or b"{}")
        change(body)
        return answers.json_answer(honest.status, body, honest.headers)


Act = Callable[[Moment], Action]

_TIMES = ("requestedAt", "startedAt", "completedAt")
_WRONG_TYPES = {
    "taskId": 17,
    "requestedAt": 1,
    "startedAt": {},
    "completedAt": "soon",
    "numErrors": "two",
    "errors": {},
    "links": [],
    "result": "a",
}


def _null_fields(moment: Moment) -> Answer:
    return moment.edited(lambda body: body.update({name: None for name in (*_WRONG_TYPES, *body) if name != "status"}))


def _no_dates(moment: Moment) -> Answer:
    return moment.edited(lambda body: [body.pop(name, None) for name in _TIMES])


def _clock_skew(moment: Moment) -> Answer:
    def skew(body: dict[str, Any]) -> None:
        for name in _TIMES:
            at = parse_iso(body.get(name))
            if at is not None:
                body[name] = iso(at + SKEW)

    answer = moment.edited(skew)
    return replace(answer, headers={**answer.headers, "Date": formatdate(moment.now + SKEW, usegmt=True)})


def _truncated_json(moment: Moment) -> Answer:
    honest = moment.honest()
    return replace(honest, body=honest.body[: len(honest.body) // 2])


def _unfinished_as(status: int) -> Act:
    def act(moment: Moment) -> Answer:
        honest = moment.honest()
        running = honest.status == 200 and json.loads(honest.body).get("status") in {"PENDING", "PROCESSING"}
        return Answer(status) if running else honest

    return act


def _huge_body(moment: Moment) -> Answer:
    return moment.edited(lambda body: body.update(padding="x" * HUGE))


@functools.cache
def _bomb() -> bytes:
    return gzip.compress(b" " * BOMB + b"{}", compresslevel=6)


def _gzip_bomb(_: Moment) -> Answer:
    return Answer(200, {"Content-Type": answers.JSON, "Content-Encoding": "gzip"}, _bomb())


def _redirect(moment: Moment) -> Answer:
    return Answer(307, {"Location": f"http://{moment.request.headers.get('host', '127.0.0.1')}/redirected"})


def _rate_limit(policy: str, *, retry: bool) -> Act:
    return lambda moment: answers.too_many(policy, moment.correlation_id, moment.retry_after if retry else None)


def _error(status: int, category: str, message: str, *, retry: bool = False) -> Act:
    return lambda moment: moment.error(status, category, message, retry=retry)


def _always(action: Action) -> Act:
    return lambda _: action


@dataclass(frozen=True, slots=True)
class Mode:
    """One fault mode."""

    description: str
    act: Act


MODES: dict[str, Mode] = {
    "http_500": Mode("500 with HubSpot's error body", _error(500, "INTERNAL_ERROR", "internal error")),
    "http_502": Mode("502 with a web page, as from a proxy", _always(answers.html(502))),
    "http_503_retry_after": Mode(
        "503 with Retry-After", _error(503, "SERVICE_UNAVAILABLE", "try again later", retry=True)
    ),
    "rate_limit": Mode("429, the ten-second limit, no Retry-After", _rate_limit(TEN_SECONDLY, retry=False)),
    "rate_limit_retry_after": Mode(
        "429, the ten-second limit, with Retry-After", _rate_limit(TEN_SECONDLY, retry=True)
    ),
    "daily_limit": Mode("429, the daily limit", _rate_limit(DAILY, retry=False)),
    "locked_423": Mode("423: the object is locked", _error(423, "LOCKED", "the resource is locked")),
    "moving_477": Mode(
        "477 with Retry-After: the account is moving",
        _error(477, "MIGRATION", "account migration in progress", retry=True),
    ),
    "unauthorized": Mode("401: the token is not accepted", lambda moment: answers.unauthorized(moment.correlation_id)),
    "expired": Mode(
        "401: the token has expired", _error(401, "EXPIRED_AUTHENTICATION", "The access token is expired.")
    ),
    "missing_scopes": Mode(
        "403: scopes are missing, with their names", lambda moment: answers.missing_scopes(moment.correlation_id)
    ),
    "forbidden": Mode("403 without a word about scopes", _error(403, "BANNED", "You do not have permission.")),
    "not_found": Mode("404 with JSON: no such task", lambda moment: answers.unknown_task(moment.correlation_id)),
    "bad_id_400": Mode(
        "400: the id could not be decoded", _error(400, "VALIDATION_ERROR", "Provided ID could not be decoded.")
    ),
    "html_200": Mode("200 with a web page, as from a proxy", _always(answers.html(200))),
    "html_404": Mode("404 with a web page, as on a wrong path", _always(answers.html(404))),
    "empty_200": Mode("200 without a body", _always(Answer(200))),
    "empty_202": Mode("202 without a body", _always(Answer(202))),
    "empty_204": Mode("204", _always(Answer(204))),
    "empty_until_done": Mode("202 without a body until the task ends, honest then", _unfinished_as(202)),
    "truncated_json": Mode("200 with half of the JSON, properly framed", _truncated_json),
    "truncated_body": Mode("the connection ends before the promised length", lambda moment: truncated(moment.honest())),
    "invalid_json": Mode(
        "200 that claims JSON and is none", _always(Answer(200, {"Content-Type": answers.JSON}, b"{status: COMPLETE,}"))
    ),
    "json_list": Mode("200 with a JSON list", _always(answers.json_answer(200, [1, 2]))),
    "wrong_types": Mode(
        "every field but status has a wrong JSON type",
        lambda moment: moment.edited(lambda body: body.update(_WRONG_TYPES)),
    ),
    "null_fields": Mode("every field but status is null", _null_fields),
    "no_dates": Mode("no requestedAt, startedAt, completedAt", _no_dates),
    "no_status": Mode("no status", lambda moment: moment.edited(lambda body: body.pop("status", None))),
    "unknown_status": Mode(
        "a status nobody knows: VALIDATING", lambda moment: moment.edited(lambda body: body.update(status="VALIDATING"))
    ),
    "huge_body": Mode("the honest answer padded to 16 MiB", _huge_body),
    "endless_body": Mode(
        "a body that never ends, as fast as it is taken",
        _always(Endless(Answer(200, {"Content-Type": answers.JSON}, b" " * 65_536))),
    ),
    "gzip_bomb": Mode("64 KiB that unpack to 64 MiB", _gzip_bomb),
    "slow_trickle": Mode(
        "the honest body, one byte each half second", lambda moment: Trickle(moment.honest(), moment.trickle_interval)
    ),
    "hang": Mode("no answer, the connection stays open", _always(HANG)),
    "reset": Mode("the connection is reset (RST)", _always(RESET)),
    "close": Mode("the connection is closed without an answer", _always(CLOSE)),
    "garbage": Mode("bytes that are not HTTP", _always(Raw(b"\x00\xff\x16 SSH-2.0-not-http\r\n\r\n"))),
    "redirect": Mode("307 to another path (never to be followed)", _redirect),
    "clock_skew": Mode("HubSpot's clock is an hour ahead: Date and times", _clock_skew),
}
