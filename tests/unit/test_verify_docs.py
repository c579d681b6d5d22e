"""The receivers that docs/verify.md shows, each in its own runtime, on requests as notifier signs them."""

import base64
import hashlib
import hmac
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from anyio import to_thread
from decisions import after, seen
from receivers import ACCEPTED, Go, Node, Openssl, Python, Receiver, Request
from samples import NOW

from notifier.delivery.formats.webhook import Webhook
from notifier.delivery.signing import new_private_key, new_secret, sign
from notifier.model import Claim, Delivery, DeliveryState, EventType, Outcome
from notifier.secret import Secret
from notifier.simulator import receiver as simulated

RUNTIMES: dict[str, type[Receiver]] = {"python": Python, "node": Node, "go": Go, "openssl": Openssl}

# What a machine that checks everything may do without.
DISPENSABLE = {"go"}

SHARED, OTHER_SHARED = new_secret(bytes(range(32))), new_secret(bytes(range(32, 64)))
KEY, OTHER_KEY = new_private_key(bytes(range(32))), new_private_key(bytes(range(32, 64)))
PRIVATE, PUBLIC, OTHER_PRIVATE, OTHER_PUBLIC = KEY.spelled(), KEY.public, OTHER_KEY.spelled(), OTHER_KEY.public

LATE = "webhook-timestamp is missing or not from now"
WRONG = "no signature fits"


def sent(*secrets: str, age: int = 0) -> Request:
    """Give what a receiver gets, signed ``age`` seconds ago."""
    event = after(seen("COMPLETE", outcome=Outcome.SUCCEEDED)).event
    assert event is not None
    body = Webhook().render(event)
    claim = Claim(
        Delivery("dlv_1", event.event_id, EventType.TASK_SUCCEEDED, "erp", DeliveryState.PENDING, NOW, NOW), 1, body
    )
    return Request(Webhook().headers(claim, body, int(time.time()) - age, list(map(Secret, secrets))), body.content)


def signed(body: bytes, *secrets: str) -> Request:
    """Give any body, signed as notifier signs."""
    now = int(time.time())
    signature = sign("evt_1", now, body, list(map(Secret, secrets)))
    return Request({"webhook-id": "evt_1", "webhook-timestamp": str(now), "webhook-signature": signature}, body)


def changed(request: Request, **headers: str | None) -> Request:
    """Give the request with other headers ``webhook-…``; ``None`` leaves one out."""
    changes = {f"webhook-{name}": value for name, value in headers.items()}
    merged: Mapping[str, str | None] = {**request.headers, **changes}
    return Request({name: value for name, value in merged.items() if value is not None}, request.body)


def tampered(request: Request) -> Request:
    """Give the request with one word of its body changed."""
    assert b"succeeded" in request.body
    return replace(request, body=request.body.replace(b"succeeded", b"canceled", 1))


def confused() -> Request:
    """What somebody forges who knows the public key: an HMAC under it, however a receiver may have cut it."""
    request = sent(PRIVATE)
    content = "{webhook-id}.{webhook-timestamp}.".format(**request.headers).encode() + request.body
    cuts = [PUBLIC.encode(), *(base64.b64decode(PUBLIC[start:] + "==") for start in (5, 6))]
    codes = [base64.b64encode(hmac.digest(cut, content, hashlib.sha256)).decode() for cut in cuts]
    return changed(request, signature=" ".join(f"v1,{code}" for code in codes))


def relabelled(secret: str, old: str, new: str) -> Request:
    """A right signature under the name of another version."""
    request = sent(secret)
    return changed(request, signature=request.headers["webhook-signature"].replace(f"{old},", f"{new},", 1))


# What arrives, by what the receiver knows, and what becomes of it. Made when it is asked for: signatures grow old.
CASES = {
    "genuine": lambda: (sent(SHARED), [SHARED], ACCEPTED),
    "genuine, private key": lambda: (sent(PRIVATE), [PUBLIC], ACCEPTED),
    "any bytes": lambda: (signed('{"name": "Größe  ①"}\r\n '.encode(), SHARED), [SHARED], ACCEPTED),
    "body changed": lambda: (tampered(sent(SHARED)), [SHARED], WRONG),
    "body changed, private key": lambda: (tampered(sent(PRIVATE)), [PUBLIC], WRONG),
    "id changed": lambda: (changed(sent(SHARED), id="evt_2"), [SHARED], WRONG),
    "id changed, private key": lambda: (changed(sent(PRIVATE), id="evt_2"), [PUBLIC], WRONG),
    "time changed": lambda: (changed(sent(SHARED, age=400), timestamp=str(int(time.time()))), [SHARED], WRONG),
    "old": lambda: (sent(SHARED, age=310), [SHARED], LATE),
    "old, private key": lambda: (sent(PRIVATE, age=310), [PUBLIC], LATE),
    "ahead": lambda: (sent(SHARED, age=-310), [SHARED], LATE),
    "four minutes old": lambda: (sent(SHARED, age=240), [SHARED], ACCEPTED),
    "four minutes ahead": lambda: (sent(SHARED, age=-240), [SHARED], ACCEPTED),
    "rotated here": lambda: (sent(OTHER_SHARED, SHARED), [SHARED], ACCEPTED),
    "rotated there": lambda: (sent(SHARED), [OTHER_SHARED, SHARED], ACCEPTED),
    "rotated on both sides": lambda: (sent(OTHER_SHARED, SHARED), [OTHER_SHARED], ACCEPTED),
    "rotated, private key": lambda: (sent(OTHER_PRIVATE, PRIVATE), [PUBLIC], ACCEPTED),
    "rotated, changed": lambda: (tampered(sent(OTHER_SHARED, PRIVATE)), [OTHER_SHARED, PUBLIC], WRONG),
    "on the way to a private key": lambda: (sent(PRIVATE, SHARED), [SHARED], ACCEPTED),
    "arrived at a private key": lambda: (sent(SHARED, PRIVATE), [PUBLIC], ACCEPTED),
    "somebody else's secret": lambda: (sent(OTHER_SHARED), [SHARED], WRONG),
    "somebody else's private key": lambda: (sent(OTHER_PRIVATE), [PUBLIC], WRONG),
    "an HMAC under the public key": lambda: (confused(), [PUBLIC], WRONG),
    "v1 called v1a": lambda: (relabelled(SHARED, "v1", "v1a"), [SHARED, PUBLIC], WRONG),
    "v1a called v1": lambda: (relabelled(PRIVATE, "v1a", "v1"), [SHARED, PUBLIC], WRONG),
    "of a version to come": lambda: (relabelled(SHARED, "v1", "v2"), [SHARED], WRONG),
    "cut": lambda: (changed(sent(SHARED), signature="v1,"), [SHARED], WRONG),
    "cut, private key": lambda: (changed(sent(PRIVATE), signature="v1a,AAAA v1a"), [PUBLIC], WRONG),
    "not base64": lambda: (changed(sent(SHARED), signature="v1,*** v1a,***"), [SHARED, PUBLIC], WRONG),
    "unsigned": lambda: (changed(sent(SHARED), signature=None), [SHARED], WRONG),
    "no keys": lambda: (sent(SHARED), [], WRONG),
    "no time": lambda: (changed(sent(SHARED), timestamp=None), [SHARED], LATE),
    "no number": lambda: (changed(sent(SHARED), timestamp="today"), [SHARED], LATE),
    "an expression": lambda: (changed(sent(SHARED), timestamp="a[$(kill $$)]"), [SHARED], LATE),
    "a large number": lambda: (changed(sent(SHARED), timestamp="9" * 400), [SHARED], LATE),
}


@pytest.fixture(scope="module")
def receiver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Receiver:
    """The receiver of one runtime, made once."""
    return RUNTIMES[request.param](tmp_path_factory.mktemp(request.param))


HERE = [name for name, runtime in RUNTIMES.items() if runtime.missing() is None]


@pytest.mark.parametrize("name", RUNTIMES)
def test_runtimes(name: str) -> None:
    """What is not on this machine is said once; where everything is required it must be there."""
    missing = RUNTIMES[name].missing()
    if missing and os.environ.get("NOTIFIER_REQUIRE_REAL") == "1" and name not in DISPENSABLE:
        pytest.fail(f"docs/verify.md can't be run: {missing}", pytrace=False)
    if missing:
        pytest.skip(f"the receiver of docs/verify.md is not run: {missing}")


@pytest.mark.timeout(300)  # Go compiles its library the first time
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("receiver", HERE, indirect=True)
def test_receivers(receiver: Receiver, case: str) -> None:
    """What notifier sends is accepted; what was changed, is old or comes from others is refused, for the right reason."""
    request, keys, expected = CASES[case]()
    ruling = receiver.ruling(request, keys)
    if receiver.says_why:
        assert ruling == expected
    else:
        assert (ruling == ACCEPTED) == (expected == ACCEPTED)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("receiver", [name for name in HERE if name != "openssl"], indirect=True)
def test_padding_may_be_missing(receiver: Receiver) -> None:
    """Keys are taken as notifier takes them."""
    assert receiver.ruling(sent(SHARED), [SHARED.rstrip("=")]) == ACCEPTED
    assert receiver.ruling(sent(PRIVATE), [PUBLIC.rstrip("=")]) == ACCEPTED


def test_python_needs_no_package_for_shared_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the page says."""
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    assert Python(tmp_path).ruling(sent(SHARED, PRIVATE), [SHARED]) == ACCEPTED
    with pytest.raises(ImportError):
        Python(tmp_path).ruling(sent(PRIVATE), [PUBLIC])


@pytest.mark.skipif("openssl" not in HERE, reason="as test_runtimes says")
async def test_a_request_of_ones_own(tmp_path: Path) -> None:
    """What the second block of the shell sends is what notifier would have signed, and curl tells when it is refused."""
    shell, body = Openssl(tmp_path), '{"type": "try", "name": "Größe"}\n'.encode()
    listening = simulated.Receiver([SHARED])
    async with listening.serve() as url:
        taken = await to_thread.run_sync(shell.send, f"{url}/hook", SHARED, body)
        refused = await to_thread.run_sync(shell.send, f"{url}/hook", OTHER_SHARED, body)
    assert (taken, refused) == (0, 22)
    assert [(arrival.body, arrival.verified) for arrival in listening.arrivals] == [(body, True), (body, False)]
