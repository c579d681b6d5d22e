"""Either side goes away, hangs or asks for less, and comes back: everything is told, and nobody is hammered."""

import random
import time
from collections.abc import Callable

import anyio
import pytest

from chaos.daemon import until
from chaos.scenes import CALLBACKS, unending, wait_for_all
from chaos.truth import duplicates, wrongs
from chaos.world import World, was_taken
from notifier.simulator.actions import Answer
from notifier.simulator.wire import serve


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


async def free_port() -> int:
    """A port nobody listens on."""
    async with serve(lambda _: Answer()) as url:
        return port_of(url)


@pytest.mark.timeout(60)
async def test_the_receiver_is_away(it: World, chance: random.Random) -> None:
    """Refused connections, then a receiver: each task is told once, after as many attempts as the schedule has in that time."""
    port = await free_port()
    endings = unending(it, chance, 3)
    config = it.config(endings)
    config["callbacks"]["erp"]["url"] = f"http://127.0.0.1:{port}/erp"
    config["delivery"]["schedule"] = ["0s", "2s"]
    it.write(config)
    daemon = await it.started()
    for task, ends in endings.items():
        it.hubspot.end_task(task, ends)
    await until(lambda: daemon.log.count('"connection_refused"') >= 3, lambda: daemon.log)
    async with it.receiver.serve(port=port):
        await wait_for_all(it, endings, ["erp"])
        assert await daemon.stop() == 0
    assert wrongs(it, endings) == []
    assert duplicates(it) == 0
    assert len(it.receiver.arrivals) == 3


@pytest.mark.timeout(60)
async def test_hubspot_is_away(it: World, chance: random.Random) -> None:
    """Refused connections, then HubSpot: no watch was given up, and one poll at a time asked whether it is back."""
    port = await free_port()
    endings = unending(it, chance, 30)
    for task, ends in endings.items():
        it.hubspot.end_task(task, ends)
    config = it.config(endings)
    config["accounts"]["main"]["base_url"] = f"http://127.0.0.1:{port}"
    it.write(config)
    daemon = await it.started()
    await until(lambda: daemon.log.count('"account.paused"') >= 2, lambda: daemon.log)
    async with it.hubspot.serve(port=port):
        back = time.monotonic()
        await wait_for_all(it, endings, ["erp"])
        assert time.monotonic() - back < 8.0
        assert await daemon.stop() == 0
    assert wrongs(it, endings) == []


@pytest.mark.timeout(90)
async def test_hubspot_hangs(it: World, chance: random.Random) -> None:
    """For 5 s no request is answered: time-outs, then answers, and nothing ended wrongly."""
    endings = unending(it, chance, 30)
    it.write(it.config(endings))
    daemon = await it.started()
    await until(lambda: it.hubspot.statistics.requests >= 30, lambda: it.hubspot.statistics)
    it.hubspot.faults.set("hang")
    for task, ends in endings.items():
        it.hubspot.end_task(task, ends)
    await anyio.sleep(5.0)
    assert not it.receiver.arrivals
    it.hubspot.faults.clear()
    back = time.monotonic()
    await wait_for_all(it, endings, ["erp"])
    assert time.monotonic() - back < 12.0
    assert await daemon.stop() == 0
    assert wrongs(it, endings) == []


@pytest.mark.timeout(90)
async def test_both_sides_ask_for_less(it: World, chance: random.Random, note: Callable[[str], None]) -> None:
    """A storm of 429s from HubSpot and from one receiver: both are left alone as long as they ask, the other receiver is not."""
    endings = unending(it, chance, 40)
    it.write(it.config(endings, callbacks=CALLBACKS))
    it.hubspot.faults.set("rate_limit_retry_after", probability=0.5, count=6, retry_after=1)
    it.receiver.script(*[Answer(429, {"Retry-After": "2"})] * 4, path="/erp")
    daemon = await it.started()
    for task, ends in endings.items():
        it.hubspot.end_task(task, ends)
    await wait_for_all(it, endings)
    assert await daemon.stop() == 0
    assert wrongs(it, endings, CALLBACKS) == []
    erp = [arrival for arrival in it.receiver.arrivals if arrival.path == "/erp"]
    refused = [arrival.received_at for arrival in erp if not was_taken(arrival)]
    resumed = min(arrival.received_at for arrival in erp if was_taken(arrival))
    note(f"429: {len(refused)} of {len(erp)} attempts refused, then {resumed - max(refused):.1f} s of peace")
    assert resumed - max(refused) >= 2.0
    assert len(erp) == 44


@pytest.mark.timeout(60)
async def test_one_receiver_hangs(it: World, chance: random.Random) -> None:
    """It takes every connection and says nothing: the other callback is told at once all the same."""
    endings = unending(it, chance, 30)
    config = it.config(endings, callbacks=CALLBACKS)
    config["callbacks"]["erp"]["timeout"] = "2s"
    it.write(config)
    it.receiver.script(*["hang"] * 4, path="/erp")
    daemon = await it.started()
    began = time.monotonic()
    for task, ends in endings.items():
        it.hubspot.end_task(task, ends)
    shop = {("shop", task) for task in endings}
    await until(lambda: it.told() >= shop, lambda: daemon.log)
    assert time.monotonic() - began < 2.0
    assert not {callback for callback, _ in it.told()} & {"erp"}
    await wait_for_all(it, endings)
    assert await daemon.stop() == 0
    assert wrongs(it, endings, CALLBACKS) == []
