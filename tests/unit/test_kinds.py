"""Where the kinds of tasks are asked for, and how their status is read."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.clock import iso
from notifier.hubspot.kinds import DEFAULT_KIND, KINDS
from notifier.model import Outcome

FILE_IMPORT = KINDS["hubspot.file_import"]

anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "status": anything | st.sampled_from(["PENDING", "PROCESSING", "COMPLETE", "CANCELED", "FAILED"]),
        "numErrors": anything,
        "errors": anything,
        "result": anything,
        "requestedAt": anything | st.datetimes().map(lambda at: at.isoformat() + "Z"),
        "startedAt": anything,
        "completedAt": anything | st.sampled_from(["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59-12:00"]),
    },
)


def test_registry() -> None:
    """Each kind is registered under its own name, and the default is one of them."""
    assert all(name == kind.name for name, kind in KINDS.items())
    assert DEFAULT_KIND in KINDS


@pytest.mark.parametrize(
    ("task_id", "api_version", "path"),
    [
        ("AAAAEZ6whGI", "v3", "/files/v3/files/import-from-url/async/tasks/AAAAEZ6whGI/status"),
        ("AAAAEZ6whGI", "2026-03", "/files/2026-03/files/import-from-url/async/tasks/AAAAEZ6whGI/status"),
        ("a/b?c#d e%", "v3", "/files/v3/files/import-from-url/async/tasks/a%2Fb%3Fc%23d%20e%25/status"),
        ("..", "v3", "/files/v3/files/import-from-url/async/tasks/%2E%2E/status"),
        (".", "v3", "/files/v3/files/import-from-url/async/tasks/%2E/status"),
        ("a.b", "v3", "/files/v3/files/import-from-url/async/tasks/a.b/status"),
        ("ü\ud800", "v3", "/files/v3/files/import-from-url/async/tasks/%C3%BC%ED%A0%80/status"),
    ],
)
def test_path(task_id: str, api_version: str, path: str) -> None:
    """An id is one segment of the path, whatever it holds."""
    assert FILE_IMPORT.path(task_id, api_version) == path


@given(st.text(min_size=1))
def test_no_id_leaves_its_segment(task_id: str) -> None:
    """The client that sends the path leaves it as it is: no id reaches another call of the API."""
    path = FILE_IMPORT.path(task_id, "v3")
    sent = httpx.URL("https://api.hubapi.com" + path).raw_path.decode()
    assert sent == path
    assert path.count("/") == 8


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ({"status": "PENDING"}, None),
        ({"status": "PROCESSING", "numErrors": 2}, None),
        ({"status": "COMPLETE"}, Outcome.SUCCEEDED),
        ({"status": "COMPLETE", "numErrors": 0, "errors": []}, Outcome.SUCCEEDED),
        ({"status": "COMPLETE", "numErrors": None, "errors": None, "result": None}, Outcome.SUCCEEDED),
        ({"status": "COMPLETE", "numErrors": "2", "errors": {"a": 1}}, Outcome.SUCCEEDED),
        ({"status": "COMPLETE", "numErrors": True}, Outcome.SUCCEEDED),
        ({"status": "COMPLETE", "numErrors": 1}, Outcome.FAILED),
        ({"status": "COMPLETE", "numErrors": 0, "errors": [{"message": "no"}]}, Outcome.FAILED),
        ({"status": "COMPLETE", "errors": [None]}, Outcome.FAILED),
        ({"status": "CANCELED", "numErrors": 3}, Outcome.CANCELED),
        ({"status": "FAILED"}, None),
        ({"status": "complete"}, None),
        ({"status": "COMPLETED", "completedAt": "2026-01-01T00:00:00Z"}, None),
    ],
)
def test_outcome(body: dict[str, Any], outcome: Outcome | None) -> None:
    """COMPLETE and CANCELED are terminal, and nothing else; COMPLETE has failed when there are errors."""
    observation = FILE_IMPORT.read(body)
    assert observation is not None
    assert observation.outcome is outcome
    assert observation.recognised is (body["status"] in {"PENDING", "PROCESSING", "COMPLETE", "CANCELED"})


@pytest.mark.parametrize("status", [None, 7, True, "", "  ", [], {}, ["COMPLETE"]])
def test_no_readable_status(status: object) -> None:
    """Without a word for a status nothing was observed."""
    assert FILE_IMPORT.read({"status": status, "completedAt": "2026-01-01T00:00:00Z"}) is None
    assert FILE_IMPORT.read({}) is None


def test_fields() -> None:
    """What HubSpot tells is read, and the body is kept as it came."""
    body = {
        "taskId": "AAAAEZ6whGI",
        "status": "COMPLETE",
        "requestedAt": "2026-01-01T00:00:00Z",
        "startedAt": "2026-01-01T00:00:01.250Z",
        "completedAt": "2026-01-01T01:00:02+01:00",
        "numErrors": 1,
        "errors": [{"message": "Unsupported file type"}],
        "result": {"id": "1"},
        "news": "to us",
    }
    observation = FILE_IMPORT.read(body)
    assert observation is not None
    assert (observation.requested_at, observation.started_at, observation.completed_at) == (
        1_767_225_600.0,
        1_767_225_601.25,
        1_767_225_602.0,
    )
    assert (observation.num_errors, list(observation.errors)) == (1, body["errors"])
    assert observation.result == {"id": "1"}
    assert observation.response is body


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "soon", 17, None]
)
def test_placeholder_times(text: object) -> None:
    """A time before there was a HubSpot, or past what can be written, is no time."""
    observation = FILE_IMPORT.read({"status": "PROCESSING", "startedAt": text})
    assert observation is not None
    assert observation.started_at is None


def test_status_is_fit_to_be_stored() -> None:
    """A status no database would take is mended; the body keeps what came."""
    body = {"status": "A\ud800\x00B" + "C" * 1_000}
    observation = FILE_IMPORT.read(body)
    assert observation is not None
    assert observation.status == "A\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}B" + "C" * 96
    assert observation.response == body


@given(bodies)
def test_any_body(body: dict[str, Any]) -> None:
    """No JSON makes a kind raise, and what it reads can be stored and written."""
    for kind in KINDS.values():
        observation = kind.read(body)
        if observation is not None:
            observation.status.encode()
            json.dumps(observation.response)
            assert all((iso(at) or "Z").endswith("Z") for at in (observation.requested_at, observation.completed_at))
            assert observation.outcome is None or observation.recognised
