"""HubSpot's own client, which nobody here wrote, understands the simulated HubSpot."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import anyio.to_thread
import hubspot
import pytest
from hubspot import files

from notifier.clock import ManualClock
from notifier.model import RateLimit
from notifier.simulator.hubspot import SimulatedHubSpot

TOKEN = "pat-na1-11111111-2222-3333-4444-555555555555"

# The client reads headers through methods that some versions of urllib3 2 call deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:HTTPResponse.getheader:DeprecationWarning")


@pytest.fixture
def clock() -> ManualClock:
    """The simulator's time."""
    return ManualClock(wall=1_763_752_083.25)


@pytest.fixture
def sim(clock: ManualClock) -> SimulatedHubSpot:
    """A HubSpot that accepts one token and five requests in ten seconds."""
    return SimulatedHubSpot(clock=clock.clock, tokens=[TOKEN], rate_limit=RateLimit(5, 10.0), durations=(10.0, 10.0))


@pytest.fixture
async def url(sim: SimulatedHubSpot) -> AsyncIterator[str]:
    """Where it listens."""
    async with sim.serve() as url:
        yield url


@pytest.fixture
async def client(url: str) -> AsyncIterator[files.FilesApi]:
    """HubSpot's client, pointed at it."""
    api = hubspot.HubSpot(access_token=TOKEN, host=url, retry=False).files.files_api
    yield api
    api.api_client.rest_client.pool_manager.clear()


async def ask(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call the client, which blocks, in a thread."""
    return await anyio.to_thread.run_sync(partial(call, *arguments, **named))


def at(seconds: float) -> datetime:
    """So many seconds after the clock's begin, as the client reads HubSpot's times."""
    return datetime.fromtimestamp(1_763_752_083.25 + seconds, UTC)


async def test_states_over_time(client: files.FilesApi, sim: SimulatedHubSpot, clock: ManualClock) -> None:
    """A task goes from PENDING over PROCESSING to COMPLETE, its times typed and right."""
    sim.add_task("AAAAEZ6whGI", pending=2, processing=3, file_name="spring.png")
    pending = await ask(client.check_import, "AAAAEZ6whGI")
    assert (pending.task_id, pending.status, pending.requested_at, pending.started_at) == (
        "AAAAEZ6whGI",
        "PENDING",
        at(0),
        None,
    )
    clock.advance(2)
    processing = await ask(client.check_import, "AAAAEZ6whGI")
    assert (processing.status, processing.started_at, processing.completed_at, processing.result) == (
        "PROCESSING",
        at(2),
        None,
        None,
    )
    clock.advance(3)
    complete = await ask(client.check_import, "AAAAEZ6whGI")
    assert (complete.status, complete.completed_at, complete.num_errors, complete.errors) == ("COMPLETE", at(5), 0, [])


async def test_result_is_a_whole_file(client: files.FilesApi, sim: SimulatedHubSpot) -> None:
    """Every field of the client's File is there, of the client's type, and passes its validation."""
    sim.add_task("a", pending=0, processing=0, file_name="spring.png")
    client.api_client.configuration.client_side_validation = True
    result = (await ask(client.check_import, "a")).result
    assert isinstance(result, files.File)
    assert (result.name, result.extension, result.path) == ("spring", "png", "/library/spring.png")
    missing = [name for name in files.File.openapi_types if getattr(result, name) is None]
    assert sorted(missing) == ["archived_at", "expires_at"]
    assert (result.created_at, type(result.size), result.archived) == (at(0), int, False)


async def test_errors_are_typed(client: files.FilesApi, sim: SimulatedHubSpot) -> None:
    """COMPLETE with errors is understood down to the errors' details."""
    sim.add_task("a", pending=0, processing=0, ends="errors", file_name="spring.png")
    body = await ask(client.check_import, "a")
    assert (body.status, body.num_errors, body.result) == ("COMPLETE", 1, None)
    [error] = body.errors
    assert isinstance(error, files.StandardError)
    assert error.context == {"name": ["spring.png"]}
    assert [type(detail) for detail in error.errors] == [files.ErrorDetail]


async def test_canceled(client: files.FilesApi, sim: SimulatedHubSpot) -> None:
    """CANCELED is understood, without a result."""
    sim.add_task("a", pending=0, processing=0, ends="canceled")
    body = await ask(client.check_import, "a")
    assert (body.status, body.result, body.completed_at) == ("CANCELED", None, at(0))


async def test_strange_ids_are_one_path_segment(client: files.FilesApi, sim: SimulatedHubSpot) -> None:
    """An id with a slash, a space and an umlaut arrives as it was written."""
    sim.add_task("a/b ü%2F")
    assert (await ask(client.check_import, "a/b ü%2F")).task_id == "a/b ü%2F"


async def test_import_then_check(client: files.FilesApi, sim: SimulatedHubSpot, clock: ManualClock) -> None:
    """An import begun by the client can be followed to its end, and ends as it was asked for."""
    wanted = files.ImportFromUrlInput(
        url="https://example.com/a/spring.png?x=1", access="PRIVATE", folder_path="/catalogue"
    )
    locator, status, _ = await ask(client.import_from_url_with_http_info, wanted)
    assert status == 202
    assert (await ask(client.check_import, locator.id)).status == "PENDING"
    clock.advance(10)
    result = (await ask(client.check_import, locator.id)).result
    assert (result.path, result.access) == ("/catalogue/spring.png", "PRIVATE")


async def test_import_refused(client: files.FilesApi, url: str) -> None:
    """An import that lacks required fields is refused with their names."""
    wanted = files.ImportFromUrlInput(url="https://example.com/a.png")
    with pytest.raises(files.ApiException) as caught:
        await ask(client.import_from_url, wanted)
    body = client.api_client.deserialize(_Answer(caught.value.body), "Error")
    assert (caught.value.status, body.category) == (400, "VALIDATION_ERROR")
    assert [detail._in for detail in body.errors] == ["access", "folderPath"]


class _Answer:
    """What the client's deserialiser wants: something with ``data``."""

    def __init__(self, data: str) -> None:
        self.data = data


@pytest.mark.parametrize(
    ("fault", "status", "kind", "category"),
    [
        ("unauthorized", 401, files.exceptions.UnauthorizedException, "INVALID_AUTHENTICATION"),
        ("expired", 401, files.exceptions.UnauthorizedException, "EXPIRED_AUTHENTICATION"),
        ("missing_scopes", 403, files.exceptions.ForbiddenException, "MISSING_SCOPES"),
        ("not_found", 404, files.exceptions.NotFoundException, "OBJECT_NOT_FOUND"),
        ("bad_id_400", 400, files.ApiException, "VALIDATION_ERROR"),
        ("locked_423", 423, files.ApiException, "LOCKED"),
        ("moving_477", 477, files.ApiException, "MIGRATION"),
        ("http_500", 500, files.exceptions.ServiceException, "INTERNAL_ERROR"),
        ("http_503_retry_after", 503, files.exceptions.ServiceException, "SERVICE_UNAVAILABLE"),
    ],
)
async def test_errors_raise(
    client: files.FilesApi, sim: SimulatedHubSpot, fault: str, status: int, kind: type[Exception], category: str
) -> None:
    """Each error answer becomes the client's own exception, with a body it can read and a correlation id."""
    sim.faults.set(fault)
    with pytest.raises(kind) as caught:
        await ask(client.check_import, "a")
    assert isinstance(caught.value, files.ApiException)
    body = client.api_client.deserialize(_Answer(caught.value.body), "Error")
    assert (caught.value.status, body.category) == (status, category)
    assert body.correlation_id == caught.value.headers["x-hubspot-correlation-id"]


async def test_wrong_token(url: str, sim: SimulatedHubSpot) -> None:
    """A token that is not accepted gets 401, and is counted."""
    api = hubspot.HubSpot(access_token="pat-na1-other", host=url, retry=False).files.files_api
    with pytest.raises(files.exceptions.UnauthorizedException):
        await ask(api.check_import, "a")
    api.api_client.rest_client.pool_manager.clear()
    assert sim.statistics.unauthorized == 1


async def test_rate_limit(client: files.FilesApi, sim: SimulatedHubSpot, clock: ManualClock) -> None:
    """The sixth request within ten seconds gets 429, the one after them does not."""
    sim.add_task("a")
    for left in (4, 3, 2, 1, 0):
        _, _, headers = await ask(client.check_import_with_http_info, "a")
        assert headers["X-HubSpot-RateLimit-Remaining"] == str(left)
    with pytest.raises(files.ApiException) as caught:
        await ask(client.check_import, "a")
    assert caught.value.status == 429
    assert '"policyName":"TEN_SECONDLY_ROLLING"' in caught.value.body
    clock.advance(10)
    assert (await ask(client.check_import, "a")).status == "COMPLETE"


@pytest.mark.parametrize(("fault", "status"), [("empty_202", 202), ("empty_204", 204)])
async def test_empty_answers_are_none(client: files.FilesApi, sim: SimulatedHubSpot, fault: str, status: int) -> None:
    """A 2xx other than 200 has no result for the client, as its users report of unfinished tasks."""
    sim.faults.set(fault)
    body, seen, _ = await ask(client.check_import_with_http_info, "a")
    assert (body, seen) == (None, status)


async def test_empty_until_done(client: files.FilesApi, sim: SimulatedHubSpot, clock: ManualClock) -> None:
    """The field's report replayed: None until the task is complete, then the answer."""
    sim.add_task("a", pending=1, processing=1)
    sim.faults.set("empty_until_done")
    assert await ask(client.check_import, "a") is None
    clock.advance(2)
    assert (await ask(client.check_import, "a")).status == "COMPLETE"
