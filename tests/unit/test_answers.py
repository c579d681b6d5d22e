"""What HubSpot's answers mean; nothing that comes over the wire raises."""

import json
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.http import Response
from notifier.hubspot.answers import (
    Answer,
    Busy,
    Forbidden,
    Odd,
    Refused,
    Running,
    Seen,
    Throttled,
    UnknownTask,
    Unreadable,
    read_answer,
)
from notifier.hubspot.headers import Quota, clock_skew, read_quota, retry_after
from notifier.hubspot.kinds import KINDS
from notifier.hubspot.reading import MAX_DEPTH

NOW = 1_800_000_000.0
FILE_IMPORT = KINDS["hubspot.file_import"]
HTML = b"<!DOCTYPE html><html><body>Not Found</body></html>"


def read(
    status: int, body: Any = b"", *, headers: dict[str, str] | None = None, strikes: int = 0, truncated: bool = False
) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_answer(FILE_IMPORT, Response(status, headers or {}, content, truncated), now=NOW, strikes=strikes)


# -- 2xx ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 202])
def test_seen(status: int) -> None:
    """A body with a status is an observation, whatever the number in front."""
    answer = read(status, {"status": "PROCESSING"})
    assert isinstance(answer, Seen)
    assert answer.observation.status == "PROCESSING"


@pytest.mark.parametrize("status", [200, 202, 204])
@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_running(status: int, body: bytes) -> None:
    """No content means that the task is known and has not ended."""
    assert read(status, body) == Running()


UNREADABLE = {
    "html": HTML,
    "html after a byte order mark": b"\xef\xbb\xbf <html>",
    "invalid_json": b'{"status": "COMPLE',
    "invalid_json: two values": b'{"status":"COMPLETE"} {}',
    "invalid_json: nan": b'{"status":"COMPLETE","result":NaN}',
    "invalid_json: infinity": b'{"status":"COMPLETE","result":-Infinity}',
    "invalid_json: too large a number": b'{"status":"COMPLETE","result":1e999}',
    "invalid_json: too long a number": b'{"status":"COMPLETE","numErrors":' + b"9" * 5_000 + b"}",
    "too_deep": b'{"status":"COMPLETE","result":' + b"[" * 70 + b"]" * 70 + b"}",
    "too_deep for the parser": b'{"status":"COMPLETE","result":' + b'{"a":[' * 100_000,
    "not_utf8": '{"status":"COMPLETE"}'.encode("utf-16"),
    "not_utf8: latin-1": '{"status":"COMPLETE","result":"ü"}'.encode("latin-1"),
    "not_an_object: list": b'[{"status":"COMPLETE"}]',
    "not_an_object: null": b"null",
    "no_status": b'{"state":"COMPLETE"}',
    "no_status: null": b'{"status":null}',
}


@pytest.mark.parametrize(("name", "body"), UNREADABLE.items(), ids=UNREADABLE)
def test_unreadable(name: str, body: bytes) -> None:
    """A body that can't be read tells nothing of the task; above all not that it ended."""
    answer = read(200, body)
    assert isinstance(answer, Unreadable)
    assert answer.reason == name.split(maxsplit=1)[0].rstrip(":")
    assert answer.detail
    assert len(answer.detail) < 200


def test_truncated() -> None:
    """What was cut off is not read, even where it happens to be whole, and no proof of emptiness."""
    for body in (b'{"status":"COMPLETE"}', b""):
        answer = read(200, body, truncated=True)
        assert isinstance(answer, Unreadable)
        assert answer.reason == "truncated"
    assert isinstance(read(404, b"", truncated=True), Unreadable)


def test_deep_enough() -> None:
    """Ordinary nesting is read, and many brackets beside each other are not depth."""
    deepest: Any = []
    for _ in range(MAX_DEPTH - 2):
        deepest = [deepest]
    body = {"status": "COMPLETE", "errors": [{"context": {}}] * 100, "result": deepest}
    assert isinstance(read(200, body), Seen)
    assert isinstance(read(200, {**body, "result": [deepest]}), Unreadable)


def test_lone_surrogates_survive() -> None:
    """A body with half a character is read; its status can be stored, its response is as it came."""
    answer = read(200, b'{"status":"DONE\\ud83d","result":"\\ud83d"}')
    assert isinstance(answer, Seen)
    assert answer.observation.status.encode() == "DONE\N{REPLACEMENT CHARACTER}".encode()
    assert answer.observation.response == {"status": "DONE\ud83d", "result": "\ud83d"}


# -- 4xx ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 404])
def test_unknown_task(status: int) -> None:
    """A refusal in HubSpot's own words, or in none, is about the task."""
    body = {"status": "error", "message": "Provided ID could not be decoded.", "category": "VALIDATION_ERROR"}
    assert read(status, body) == UnknownTask(status, "Provided ID could not be decoded.")
    assert read(status) == UnknownTask(status)
    assert read(status, {"message": ["no"]}) == UnknownTask(status)


@pytest.mark.parametrize(
    ("body", "reason"), [(HTML, "wrong_path"), (b"Not Found", "invalid_json"), (b"[]", "not_an_object")]
)
@pytest.mark.parametrize("status", [400, 404])
def test_wrong_path(status: int, body: bytes, reason: str) -> None:
    """A refusal in HTML or anything else is a path's or a proxy's, and no word about the task."""
    answer = read(status, body)
    assert isinstance(answer, Unreadable)
    assert (answer.reason, str(status) in answer.detail) == (reason, True)


def test_refused() -> None:
    """401, and 403 for want of scopes, are about the credentials."""
    expired = {"category": "EXPIRED_AUTHENTICATION", "message": "The token expired"}
    assert read(401, expired) == Refused(401, "EXPIRED_AUTHENTICATION", "The token expired")
    assert read(401, HTML) == Refused(401)
    assert read(403, {"category": "MISSING_SCOPES", "message": "files"}) == Refused(403, "MISSING_SCOPES", "files")


def test_forbidden() -> None:
    """Any other 403 is about this task."""
    assert read(403, {"category": "FORBIDDEN", "message": "not yours"}) == Forbidden("not yours")
    assert read(403, HTML) == Forbidden()


@pytest.mark.parametrize("status", [100, 301, 302, 307, 402, 405, 410, 418, 600])
def test_odd(status: int) -> None:
    """What this call does not answer is noted, and a redirect is one of them."""
    assert read(status, {"status": "COMPLETE"}, headers={"location": "https://elsewhere.example"}) == Odd(status)


def test_messages_are_fit_to_be_stored() -> None:
    """Whatever HubSpot writes, a message is short and any database takes it."""
    answer = read(404, {"message": "a\x00\ud800\nb" + "c" * 1_000})
    assert isinstance(answer, UnknownTask)
    assert answer.message == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER} b" + "c" * 295


# -- waiting -----------------------------------------------------------------------------------------------------------

ROLLING = {"status": "error", "errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}
DAILY = {**ROLLING, "policyName": "DAILY"}


@pytest.mark.parametrize(
    ("status", "body", "told", "strikes", "seconds"),
    [
        (429, ROLLING, None, 0, 10),
        (429, ROLLING, None, 2, 30),
        (429, ROLLING, None, 1_000, 300),
        (429, DAILY, None, 0, 900),
        (429, DAILY, None, 3, 3_600),
        (429, DAILY, None, 1_000, 7_200),
        (429, HTML, None, 0, 10),
        (429, ROLLING, "7", 5, 7),
        (429, ROLLING, "0", 0, 1),
        (429, ROLLING, "999999", 0, 86_400),
        (429, DAILY, "3", 0, 3),
        (429, ROLLING, formatdate(NOW + 90, usegmt=True), 0, 90),
        (429, ROLLING, formatdate(NOW - 90, usegmt=True), 0, 1),
        (429, ROLLING, "soon", 0, 10),
        (429, ROLLING, "-5", 0, 10),
        (429, ROLLING, "inf", 0, 10),
        (423, b"", None, 0, 2),
        (423, b"", "1", 0, 2),
        (423, b"", "5", 0, 5),
        (477, b"", None, 0, 60),
        (477, b"", "80000", 0, 80_000),
        (477, b"", "90000", 0, 86_400),
        (408, b"", None, 0, 3),
        (500, HTML, None, 1, 6),
        (502, b"", None, 0, 3),
        (503, b"", "20", 0, 20),
        (503, b"", "86400", 0, 3_600),
        (504, b"", None, 100, 30),
        (521, b"", None, 0, 3),
        (523, b"", None, 0, 3),
        (524, b"", None, 0, 3),
    ],
)
def test_waits(status: int, body: Any, told: str | None, strikes: int, seconds: float) -> None:
    """How long to wait is as told within bounds, or by the table in the module's text."""
    answer = read(status, body, headers={} if told is None else {"retry-after": told}, strikes=strikes)
    assert isinstance(answer, Throttled if status == 429 else Busy)
    assert answer.seconds == seconds


def test_policy() -> None:
    """Which limit was hit is told on."""
    assert read(429, DAILY) == Throttled(900, "DAILY")
    assert read(429, HTML) == Throttled(10)


def test_retry_after_is_on_the_servers_clock() -> None:
    """A date to wait for is compared with the date of the answer, not with ours."""
    headers = {"date": formatdate(NOW - 3_600, usegmt=True), "retry-after": formatdate(NOW - 3_600 + 45, usegmt=True)}
    answer = read(429, ROLLING, headers=headers)
    assert isinstance(answer, Throttled)
    assert (answer.seconds, answer.skew) == (45, 3_600)


# -- what every answer carries -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "body"), [(200, {"status": "PENDING"}), (204, b""), (404, {}), (401, {}), (403, {}),
                                              (429, {}), (503, b""), (302, b""), (200, HTML)])  # fmt: skip
def test_every_answer_carries(status: int, body: Any) -> None:
    """The correlation id, the difference of the clocks and the quota come with any answer."""
    headers = {
        "date": formatdate(NOW + 5, usegmt=True),
        "x-hubspot-correlation-id": "abc",
        "x-hubspot-ratelimit-max": "100",
    }
    answer = read(status, body, headers=headers)
    assert (answer.correlation_id, answer.skew, answer.quota) == ("abc", -5, Quota(limit=100))


def test_correlation_id_from_the_body() -> None:
    """Without the header the body may know it."""
    assert read(404, {"correlationId": "def"}).correlation_id == "def"
    assert read(404, {"correlationId": 7}).correlation_id is None
    assert read(404, {"correlationId": "def"}, headers={"x-hubspot-correlation-id": "abc"}).correlation_id == "abc"


@pytest.mark.parametrize(
    ("date", "skew"),
    [
        (formatdate(NOW - 1, usegmt=True), 0),
        (formatdate(NOW - 2, usegmt=True), 2),
        (formatdate(NOW + 7_200, usegmt=True), -7_200),
        (formatdate(NOW - 90_000, usegmt=True), 90_000),
        (formatdate(NOW - 4_000_000, usegmt=True), 0),
        (formatdate(NOW + 2e9, usegmt=True), 0),
        ("", 0),
        ("yesterday", 0),
        ("Mon, 41 Foo 2026 00:00:00 GMT", 0),
        ("Mon, 01 Jan 99999999999999 00:00:00 GMT", 0),
        ("Mon, 01 Jan 0000 00:00:00 GMT", 0),
    ],
)
def test_skew(date: str, skew: float) -> None:
    """Two seconds or more are a difference; a date nobody can read or believe is none."""
    assert clock_skew({"date": date}, NOW) == skew


def test_quota() -> None:
    """The quota is read as far as it is told."""
    headers = {
        "x-hubspot-ratelimit-max": "190",
        "x-hubspot-ratelimit-remaining": "188",
        "x-hubspot-ratelimit-interval-milliseconds": "10000",
        "x-hubspot-ratelimit-daily": "650000",
        "x-hubspot-ratelimit-daily-remaining": "649999",
    }
    assert read_quota(headers) == Quota(190, 188, 10.0, 650_000, 649_999)
    assert read_quota({"x-hubspot-ratelimit-max": "many", "x-hubspot-ratelimit-remaining": "0"}) == Quota(remaining=0)
    assert read_quota({}) is None


# -- anything ----------------------------------------------------------------------------------------------------------

headers_of_any_kind = st.dictionaries(
    st.sampled_from(["date", "retry-after", "x-hubspot-correlation-id", "x-hubspot-ratelimit-max", "content-type"]),
    st.text()
    | st.integers().map(str)
    | st.sampled_from(["Mon, 01 Jan 2026 99:99:99 GMT", "Mon, 1 Jan 2026", "1" * 400]),
)
statuses = st.sampled_from([200, 202, 204, 302, 400, 401, 403, 404, 408, 410, 423, 429, 477, 500, 524]) | st.integers(
    100, 999
)
any_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["status", "message", "category", "errors"]), inner)
    ),
)


@given(
    status=statuses,
    headers=headers_of_any_kind,
    body=st.binary() | any_json.map(lambda value: json.dumps(value).encode()),
    truncated=st.booleans(),
    strikes=st.integers(0, 10**6),
)
def test_nothing_raises(status: int, headers: dict[str, str], body: bytes, truncated: bool, strikes: int) -> None:
    """Any bytes with any headers are some answer, with a wait within a day and an id fit to be stored."""
    response = Response(status, headers, body, truncated)
    answer = read_answer(FILE_IMPORT, response, now=NOW, strikes=strikes)
    (answer.correlation_id or "").encode()
    if isinstance(answer, Throttled | Busy):
        assert 1 <= answer.seconds <= 86_400
    if isinstance(answer, Seen | Running):
        assert 200 <= status < 300


@given(st.text())
def test_any_retry_after(text: str) -> None:
    """No text for a wait raises or asks for less than nothing."""
    wait = retry_after({"retry-after": text, "date": text}, NOW, 0.0)
    assert wait is None or 0 <= wait < 1e12
