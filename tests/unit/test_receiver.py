"""The receiver, sent to by the reference implementation of Standard Webhooks."""

import base64
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey
from standardwebhooks import Webhook

from notifier.clock import ManualClock
from notifier.simulator.actions import Answer, Gate, Held
from notifier.simulator.receiver import Receiver
from notifier.simulator.signatures import signature_problem, signing_key

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
START = 1_763_752_083.0
BODY = '{"type":"task.succeeded","data":{"label":"Frühling"}}'


def signed(body: str = BODY, *, secret: str = SECRET, event_id: str = "evt_1", at: float = START) -> dict[str, str]:
    """The headers the reference implementation makes."""
    signature = Webhook(secret).sign(event_id, datetime.fromtimestamp(at, UTC), body)
    return {"webhook-id": event_id, "webhook-timestamp": str(int(at)), "webhook-signature": signature}


@pytest.fixture
def clock() -> ManualClock:
    """The receiver's time."""
    return ManualClock(wall=START)


@pytest.fixture
def receiver(clock: ManualClock) -> Receiver:
    """A receiver that accepts one secret."""
    return Receiver([SECRET], clock=clock.clock)


@pytest.fixture
async def client(receiver: Receiver) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it."""
    async with receiver.serve() as url, httpx.AsyncClient(base_url=url) as client:
        yield client


async def test_verified(receiver: Receiver, client: httpx.AsyncClient) -> None:
    """A rightly signed request is taken and remembered as it came."""
    answer = await client.post("/erp", content=BODY.encode(), headers=signed())
    [arrival] = await receiver.wait_for(1)
    assert (answer.status_code, arrival.verified, arrival.problem) == (200, True, None)
    assert (arrival.path, arrival.body, arrival.received_at, arrival.webhook_id) == (
        "/erp",
        BODY.encode(),
        START,
        "evt_1",
    )


@pytest.mark.parametrize(
    ("headers", "body", "problem"),
    [
        (signed(), BODY + " ", "does not match"),
        (signed(secret=OTHER), BODY, "does not match"),
        (signed() | {"webhook-id": "evt_2"}, BODY, "does not match"),
        (signed() | {"webhook-timestamp": str(int(START) + 1)}, BODY, "does not match"),
        (
            signed() | {"webhook-signature": signed()["webhook-signature"].replace("v1,", "v1a,")},
            BODY,
            "does not match",
        ),
        (signed() | {"webhook-signature": "v1,"}, BODY, "does not match"),
        (signed() | {"webhook-signature": "nonsense"}, BODY, "does not match"),
        (signed(at=START - 301), BODY, "5 minutes"),
        (signed(at=START + 301), BODY, "5 minutes"),
        (signed() | {"webhook-timestamp": "soon"}, BODY, "unix seconds"),
        (signed() | {"webhook-timestamp": f"{START}"}, BODY, "unix seconds"),
        (signed() | {"webhook-signature": ""}, BODY, "not signed"),
        ({}, BODY, "not signed"),
    ],
)
async def test_refused(
    receiver: Receiver, client: httpx.AsyncClient, headers: dict[str, str], body: str, problem: str
) -> None:
    """Whatever was tampered with, stale or signed by another is refused with 401, and remembered with the reason."""
    answer = await client.post("/", content=body.encode(), headers=headers)
    [arrival] = receiver.arrivals
    assert (answer.status_code, arrival.verified) == (401, False)
    assert problem in (arrival.problem or "")
    assert answer.text == arrival.problem


@pytest.mark.parametrize("at", [START - 300, START + 300])
async def test_tolerance(receiver: Receiver, client: httpx.AsyncClient, at: float) -> None:
    """Five minutes off, either way, is still taken."""
    assert (await client.post("/", content=BODY.encode(), headers=signed(at=at))).status_code == 200


async def test_rotation(client: httpx.AsyncClient, receiver: Receiver) -> None:
    """One right signature among several is enough, wherever it stands; so is one of several secrets."""
    both = signed() | {
        "webhook-signature": f"{signed(secret=OTHER)['webhook-signature']} {signed()['webhook-signature']}"
    }
    assert (await client.post("/", content=BODY.encode(), headers=both)).status_code == 200
    rotating = Receiver([OTHER, SECRET], clock=receiver.clock)
    async with rotating.serve() as url:
        for secret in (SECRET, OTHER):
            assert (await client.post(url, content=BODY.encode(), headers=signed(secret=secret))).status_code == 200


@given(
    st.binary(min_size=24, max_size=64),
    st.text(),
    st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1),
    st.integers(0, 2**33),
)
def test_agrees_with_the_reference(key: bytes, body: str, event_id: str, at: int) -> None:
    """Whatever the reference implementation signs, verifies; with one bit of the body changed it does not."""
    body = body.encode(errors="ignore").decode()
    secret = "whsec_" + base64.b64encode(key).decode()
    headers = signed(body, secret=secret, event_id=event_id, at=at)
    assert signature_problem(headers, body.encode(), [signing_key(secret)], at) is None
    tampered = bytes([*body.encode(), 0])
    assert signature_problem(headers, tampered, [signing_key(secret)], at) == "webhook-signature does not match"


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        SECRET.removeprefix("whsec_"),
        "whsec_!!!",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        "whpk_" + base64.b64encode(b"x" * 31).decode(),
        "whsk_" + base64.b64encode(b"x" * 32).decode(),
    ],
)
def test_bad_secrets(secret: str) -> None:
    """A secret of the wrong form or length is refused, and not repeated."""
    with pytest.raises(ValueError) as caught:
        Receiver([secret])
    assert len(secret) < 7 or secret not in str(caught.value)


@given(st.binary(min_size=32, max_size=32), st.binary(), st.integers(0, 2**33))
def test_public_keys(seed: bytes, body: bytes, at: int) -> None:
    """What libsodium signs, verifies with the public key and no other, as ``v1a`` and as nothing else, unchanged."""
    made = base64.b64encode(SigningKey(seed).sign(f"evt_1.{at}.".encode() + body).signature).decode()
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(at), "webhook-signature": f"v1,{made} v1a,{made}"}
    own, other = (
        signing_key("whpk_" + base64.b64encode(bytes(SigningKey(each).verify_key)).decode())
        for each in (seed, bytes([seed[0] ^ 1]) + seed[1:])
    )
    assert signature_problem(headers, body, [other, own], at) is None
    wrong = "webhook-signature does not match"
    assert signature_problem(headers, body, [other, signing_key(SECRET)], at) == wrong
    assert signature_problem(headers, body + b"x", [own], at) == wrong
    for signature in (f"v1,{made}", f"v2,{made}", "v1a,", "v1a,AAAA", "v1a,é", f"v1a,{made[:-4]}"):
        assert signature_problem({**headers, "webhook-signature": signature}, body, [own], at) == wrong


def test_a_public_key_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is said."""
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    with pytest.raises(ValueError, match="pip install cryptography"):
        Receiver(["whpk_" + base64.b64encode(bytes(32)).decode()])


async def test_without_secrets(client: httpx.AsyncClient) -> None:
    """A receiver without secrets takes everything and vouches for nothing."""
    lenient = Receiver()
    async with lenient.serve() as url:
        assert (await client.post(url, content=b"anything")).status_code == 200
    assert not lenient.arrivals[0].verified


async def test_scripts(receiver: Receiver, client: httpx.AsyncClient) -> None:
    """Scripted answers are given one each, then the honest one; all of it is remembered under one id."""
    receiver.script(500, Answer(429, {"Retry-After": "3"}), "reset", "close", 503)
    seen: list[int | str] = []
    for _ in range(6):
        try:
            answer = await client.post("/", content=BODY.encode(), headers=signed())
            seen.append(answer.status_code)
        except httpx.TransportError as error:
            seen.append(type(error).__name__)
    assert seen == [500, 429, "ReadError", "RemoteProtocolError", 503, 200]
    assert len(receiver.seen["evt_1"]) == 6


async def test_scripts_by_path(receiver: Receiver, client: httpx.AsyncClient) -> None:
    """A path's own script goes first there, and elsewhere not at all."""
    receiver.script(500)
    receiver.script(503, path="/erp")
    statuses = [
        (await client.post(path, content=BODY.encode(), headers=signed())).status_code
        for path in ("/erp", "/ops", "/erp", "/ops")
    ]
    assert statuses == [503, 500, 200, 200]


async def test_hang_and_hold(receiver: Receiver, client: httpx.AsyncClient) -> None:
    """A hanging answer never comes; a held one when its gate opens, the request being remembered before."""
    gate = Gate()
    receiver.script("hang", Held(gate, Answer(204)))
    with pytest.raises(httpx.ReadTimeout):
        await client.post("/", content=BODY.encode(), headers=signed(), timeout=0.05)
    statuses = []

    async def send() -> None:
        statuses.append((await client.post("/", content=BODY.encode(), headers=signed())).status_code)

    async with anyio.create_task_group() as group:
        group.start_soon(send)
        await receiver.wait_for(2)
        assert statuses == []
        gate.open()
    assert statuses == [204]


def test_unknown_step(receiver: Receiver) -> None:
    """A misspelt step is refused when it is scripted, not when it would be due."""
    with pytest.raises(ValueError, match="hnag"):
        receiver.script(200, "hnag")


async def test_waiting(receiver: Receiver, client: httpx.AsyncClient) -> None:
    """Waiting ends with the arrival that was waited for, repeats counted or not, or with its time."""
    done: list[int] = []

    async def wait(count: int, *, distinct: bool) -> None:
        done.append(len(await receiver.wait_for(count, distinct=distinct)))

    async with anyio.create_task_group() as group:
        group.start_soon(lambda: wait(2, distinct=False))
        group.start_soon(lambda: wait(2, distinct=True))
        for event_id in ("evt_1", "evt_1"):
            await client.post("/", content=BODY.encode(), headers=signed(event_id=event_id))
        with pytest.raises(TimeoutError):
            await receiver.wait_for(2, distinct=True, timeout=0.01)
        await client.post("/", content=BODY.encode(), headers=signed(event_id="evt_2"))
    assert sorted(receiver.seen) == ["evt_1", "evt_2"]
    assert len(done) == 2
    with pytest.raises(TimeoutError):
        await receiver.wait_for(4, timeout=0.01)


async def test_slack(receiver: Receiver, client: httpx.AsyncClient) -> None:
    """Below /slack a message needs no signature, and gets Slack's word."""
    good = await client.post("/slack/T0/B0/x", json={"text": "hello"})
    bad = await client.post("/slack/T0/B0/x", json={"blocks": [{"type": "header"}]})
    assert (good.status_code, good.text) == (200, "ok")
    assert (bad.status_code, bad.text) == (400, "invalid_blocks")
    assert [arrival.verified for arrival in receiver.arrivals] == [True, False]


async def test_slack_rate(clock: ManualClock) -> None:
    """One message a second to each path, when asked to hold to it."""
    receiver = Receiver(clock=clock.clock, slack_interval=1.0)
    async with receiver.serve() as url, httpx.AsyncClient(base_url=url) as client:

        async def post(path: str) -> tuple[int, str | None]:
            answer = await client.post(path, json={"text": "hello"})
            return answer.status_code, answer.headers.get("retry-after")

        assert [await post(path) for path in ("/slack/a", "/slack/a", "/slack/b")] == [
            (200, None),
            (429, "1"),
            (200, None),
        ]
        clock.advance(0.999)
        assert await post("/slack/a") == (429, "1")
        clock.advance(0.001)
        assert await post("/slack/a") == (200, None)
