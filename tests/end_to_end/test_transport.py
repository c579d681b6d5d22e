"""A daemon whose receivers are behind private certificates, passwords, proxies and addresses that are off limits."""

import asyncio
import base64
from pathlib import Path

import pytest
from certificates import Authority
from peers import OK, Visit, answers, peer
from rig import SECRET, Rig, rig, webhook
from shell import Shell, config
from standardwebhooks import Webhook

from notifier.delivery.settings import Basic, Bearer, OnUnknown
from notifier.delivery.trial import try_callback
from notifier.model import Attempt, Delivery, DeliveryState
from notifier.secret import Secret
from notifier.transport import Tls, Transport


def ready(it: Rig, task: str = "a") -> list[str]:
    """A task that has ended before anybody asks."""
    it.hubspot.add_task(task, pending=0.0, processing=0.0, ends="complete")
    return [task]


async def recorded(it: Rig) -> tuple[Delivery, list[Attempt]]:
    async with it.store() as store:
        [delivery] = await store.find_deliveries(callback="erp")
        _, _, tries = await store.find_delivery(delivery.delivery_id)
    return delivery, list(tries)


def headers_of(request: bytes) -> dict[str, str]:
    head = request.partition(b"\r\n\r\n")[0].decode()
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_everything_at_once(tmp_path: Path, authority: Authority) -> None:
    """A private authority, a client certificate, a password, and a signature that still verifies."""
    cert, key = authority.client()
    transport = Transport(Tls(authority.file, cert, key))
    auth = Basic(Secret("erp"), Secret("pass:word ü"))
    async with rig(tmp_path) as it, peer(answers(OK, then="keep"), tls=authority.serves(asks=True)) as erp:
        callback = webhook(erp.url + "/hook", transport=transport, auth=auth)
        async with it.daemon(it.settings(ready(it), [callback])):
            await it.facts.wait_for("attempt.finished")
        delivery, _ = await recorded(it)
        trial = await try_callback(callback, "task.failed", redact=str)
    assert delivery.state is DeliveryState.DELIVERED
    assert trial.accepted
    headers = headers_of(erp.requests[0])
    assert headers["authorization"] == "Basic " + base64.b64encode("erp:pass:word ü".encode()).decode()
    body = erp.requests[0].partition(b"\r\n\r\n")[2]
    assert Webhook(SECRET).verify(body, headers)["type"] == "task.succeeded"
    assert not it.facts.named("callback.unverified")


async def test_a_bearer_token(tmp_path: Path) -> None:
    """Shown with every attempt."""
    async with rig(tmp_path) as it, peer(answers(OK)) as erp:
        callback = webhook(erp.url, auth=Bearer(Secret("canary-token")))
        async with it.daemon(it.settings(ready(it), [callback])):
            await it.facts.wait_for("attempt.finished")
    assert headers_of(erp.requests[0])["authorization"] == "Bearer canary-token"


async def test_unverified_is_told_at_every_start(tmp_path: Path, authority: Authority) -> None:
    """As an error, so that no log level hides it; what is sent is sent."""
    async with rig(tmp_path) as it, peer(answers(OK, then="keep"), tls=authority.serves("elsewhere.test")) as erp:
        callback = webhook(erp.url, transport=Transport(Tls(verify=False)))
        for start in (1, 2):
            async with it.daemon(it.settings(ready(it), [callback])):
                [*told] = await it.facts.wait_for("callback.unverified", start)
                await it.facts.wait_for("attempt.finished")
            assert len(told) == start
            assert {(fact.level, fact.callback) for fact in told} == {("error", "erp")}
    assert len(erp.requests) == 1


async def reset_after_request(visit: Visit) -> None:
    await visit.request()
    visit.reset()


async def test_reach_and_reason_are_recorded(tmp_path: Path, authority: Authority) -> None:
    """Not sent is tried again even where ``on_unknown: hold``; unknown is held."""
    async with rig(tmp_path) as it, peer(answers(OK), tls=authority.serves(expired=True)) as erp:
        callback = webhook(erp.url, transport=Transport(Tls(authority.file)), on_unknown=OnUnknown.HOLD, max_attempts=2)
        async with it.daemon(it.settings(ready(it), [callback])):
            await it.facts.wait_for("delivery.died")
        delivery, tries = await recorded(it)
    assert (delivery.state, delivery.reason) == (DeliveryState.DEAD, "exhausted")
    assert [(each.reach, each.reason, each.answer) for each in tries] == [
        ("not_sent", "tls_error", "certificate has expired")
    ] * 2
    assert erp.requests == []


async def test_unknown_is_held(tmp_path: Path) -> None:
    """The request went out, and nobody knows."""
    async with rig(tmp_path) as it, peer(reset_after_request) as erp:
        callback = webhook(erp.url, on_unknown=OnUnknown.HOLD)
        async with it.daemon(it.settings(ready(it), [callback])):
            await it.facts.wait_for("attempt.failed")
        delivery, [attempt] = await recorded(it)
    assert (delivery.state, attempt.reach, attempt.reason) == (DeliveryState.HELD, "unknown", "connection_reset")


async def test_metadata_is_off_limits(tmp_path: Path) -> None:
    """A callback whose URL names the metadata service is never connected to, and says why."""
    async with rig(tmp_path) as it:
        callback = webhook("http://[::ffff:169.254.169.254]/latest/meta-data/canary", max_attempts=1)
        async with it.daemon(it.settings(ready(it), [callback])):
            await it.facts.wait_for("delivery.died")
        _, [attempt] = await recorded(it)
    assert (attempt.reach, attempt.reason) == ("not_sent", "address_refused")
    assert (attempt.answer or "").endswith(" is link-local")


async def test_through_a_proxy(tmp_path: Path) -> None:
    """The callback's own; HubSpot is asked directly."""
    async with rig(tmp_path) as it, peer(answers(OK)) as proxy:
        url = proxy.url.replace("://", "://user:canary@")
        callback = webhook("http://erp.test/hook", transport=Transport(proxy=Secret(url)))
        async with it.daemon(it.settings(ready(it), [callback])):
            await it.facts.wait_for("attempt.finished")
    [request] = proxy.requests
    assert request.startswith(b"POST http://erp.test/hook HTTP/1.1\r\n")


async def test_a_broken_body_is_no_reason_to_tell_twice(tmp_path: Path) -> None:
    """Who says 200 and trickles, lies about the length or breaks off is told once."""

    async def trickle(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
        while not visit.writer.is_closing():
            await visit.send(b"x")
            await asyncio.sleep(0.05)

    async with rig(tmp_path) as it, peer(trickle) as erp:
        async with it.daemon(it.settings(ready(it), [webhook(erp.url, timeout=0.4)])):
            await it.facts.wait_for("attempt.finished")
        delivery, _ = await recorded(it)
    assert delivery.state is DeliveryState.DELIVERED
    assert len(erp.requests) == 1


async def test_no_log_level_hides_that_nothing_is_verified(tmp_path: Path) -> None:
    """The process itself, told to log errors alone."""
    notifier = Shell(tmp_path)
    text = config("http://127.0.0.1:1", "https://127.0.0.1:1").replace('secret: "', 'tls: {verify: false}, secret: "')
    notifier.configure(text.replace("{format: json}", "{level: error}"))
    async with notifier.running("run"):
        line = await notifier.until_logged("callback.unverified")
    assert "erp" in line
    checked = await notifier("config", "check", "--strict")
    assert (checked.code, "not verified" in checked.err) == (78, True)
