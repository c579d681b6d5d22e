"""Every way a receiver can misbehave, through real sockets: what is owed is delivered or honestly dead."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rig import SECRET, Rig, fresh_secret, request, rig, slack, webhook

from notifier.delivery.settings import OnUnknown
from notifier.facts import AttemptFinished
from notifier.model import DeliveryState, RateLimit
from notifier.secret import Secret
from notifier.simulator.actions import Answer
from notifier.simulator.receiver import Receiver, Step


def ready(it: Rig, *tasks: str, ends: str = "complete") -> list[str]:
    """Tasks that have ended before anybody asks."""
    for task in tasks:
        it.hubspot.add_task(task, pending=0.0, processing=0.0, ends=ends)
    return list(tasks)


async def attempts(
    it: Rig, callback: str = "erp"
) -> tuple[DeliveryState, str | None, list[tuple[str | None, str | None]]]:
    async with it.store() as store:
        [delivery] = await store.find_deliveries(callback=callback)
        _, _, tries = await store.find_delivery(delivery.delivery_id)
    return delivery.state, delivery.reason, [(each.reach, each.reason) for each in tries]


@pytest.mark.parametrize(
    ("step", "reach", "reason"),
    [
        (500, "rejected", "status_500"),
        (503, "rejected", "status_503"),
        (408, "rejected", "status_408"),
        (425, "rejected", "status_425"),
        (302, "rejected", "status_302"),
        (400, "rejected", "status_400"),
        (422, "rejected", "status_422"),
        ("hang", "unknown", "timeout_read"),
        ("reset", "unknown", "connection_reset"),
        ("close", "unknown", "connection_reset"),
    ],
)
async def test_a_failed_attempt_is_made_again_under_the_same_id(
    tmp_path: Path, step: Step, reach: str, reason: str
) -> None:
    """What is temporary is tried again: same webhook-id, same bytes, new timestamp and signature."""
    async with rig(tmp_path) as it:
        it.receiver.script(step)
        callback = webhook(it.receiver_url + "/hook", timeout=0.5)
        async with it.daemon(it.settings(ready(it, "a"), [callback])):
            first, second = await it.receiver.wait_for(2)
            await it.facts.wait_for("attempt.finished")
            told = await attempts(it)
        assert told == (DeliveryState.DELIVERED, None, [(reach, reason), ("accepted", "delivered")])
        assert first.webhook_id == second.webhook_id
        assert first.body == second.body
        assert second.verified


async def test_redirects_are_not_followed(tmp_path: Path) -> None:
    """A 307 elsewhere would carry the signed body away."""
    async with rig(tmp_path) as it:
        it.receiver.script(Answer(307, {"Location": it.receiver_url + "/elsewhere"}))
        async with it.daemon(it.settings(ready(it, "a"))):
            await it.receiver.wait_for(2)
        assert [arrival.path for arrival in it.receiver.arrivals] == ["/hook", "/hook"]


async def test_what_never_works_dies_and_the_operator_hears(tmp_path: Path) -> None:
    """After max_attempts a delivery is dead, and another callback is told of it; redelivered, it arrives."""
    async with rig(tmp_path) as it:
        it.receiver.script(*[500] * 4, path="/hook")
        ops = webhook(it.receiver_url + "/ops", "ops", events=("delivery.*",))
        erp = webhook(it.receiver_url + "/hook", max_attempts=4)
        settings = it.settings(ready(it, "a"), [erp, ops])
        async with it.daemon(settings):
            await it.receiver.wait_for(5)
            state, reason, tries = await attempts(it)
            assert (state, reason, len(tries)) == (DeliveryState.DEAD, "exhausted", 4)
            dead = json.loads(next(arrival.body for arrival in it.receiver.arrivals if arrival.path == "/ops"))
            assert (dead["type"], dead["data"]["reason"], dead["data"]["attempts"]) == ("delivery.dead", "exhausted", 4)
            assert dead["data"]["undelivered"]["task_id"] == "a"
            async with it.store() as store:
                [delivery] = await store.find_deliveries(callback="erp")
                await store.redeliver_all([delivery.delivery_id], time.time())
            await it.receiver.wait_for(6)
            await it.facts.wait_for(
                "attempt.finished", where=lambda fact: isinstance(fact, AttemptFinished) and fact.number == 5
            )
        ids = {arrival.webhook_id for arrival in it.receiver.arrivals if arrival.path == "/hook"}
        assert len(ids) == 1


async def test_a_rejected_body_is_not_sent_for_ever(tmp_path: Path) -> None:
    """400, 413, 422: three tries, then dead as rejected."""
    async with rig(tmp_path) as it:
        it.receiver.script(400, 422, 413)
        async with it.daemon(it.settings(ready(it, "a"))):
            await it.facts.wait_for("delivery.died")
            assert await attempts(it) == (
                DeliveryState.DEAD,
                "rejected",
                [("rejected", "status_400"), ("rejected", "status_422"), ("rejected", "status_413")],
            )


async def test_410_disables_the_callback_and_buries_its_queue(tmp_path: Path) -> None:
    """Gone: nothing more is sent there, the operator hears through another callback, enabling brings new events."""
    async with rig(tmp_path) as it:
        it.receiver.script(410, path="/hook")
        ops = webhook(it.receiver_url + "/ops", "ops", events=("callback.*",))
        erp = webhook(it.receiver_url + "/hook", concurrency=1)
        settings = it.settings(ready(it, "a", "b"), [erp, ops])
        async with it.daemon(settings):
            await it.facts.wait_for("callback.disabled")
            await it.facts.wait_for("event.recorded", 3)
            async with it.store() as store:
                states = {(each.state, each.reason) for each in await store.find_deliveries(callback="erp")}
                assert states <= {(DeliveryState.DEAD, "gone"), (DeliveryState.HELD, "disabled")}
                await store.enable_callback("erp", time.time())
                for each in await store.find_deliveries(callback="erp", states=[DeliveryState.DEAD]):
                    await store.redeliver_all([each.delivery_id], time.time())
            await it.receiver.wait_for(4)
        told = [json.loads(arrival.body)["type"] for arrival in it.receiver.arrivals if arrival.path == "/ops"]
        assert told == ["callback.disabled"]


async def test_429_pauses_the_whole_callback_and_costs_no_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retry-After is obeyed for everything owed to the callback."""
    monkeypatch.setattr("notifier.delivery.verdict.FIRST_PAUSE", 0.1)
    async with rig(tmp_path) as it:
        it.receiver.script(Answer(429, {"Retry-After": "1"}))
        erp = webhook(it.receiver_url + "/hook", concurrency=1, max_attempts=1)
        async with it.daemon(it.settings(ready(it, "a", "b"), [erp], schedule=(0.0,))):
            arrivals = await it.receiver.wait_for(3)
            await it.facts.wait_for("attempt.finished", 2)
        assert arrivals[1].received_at - arrivals[0].received_at >= 1.0


async def test_a_storm_of_429s_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often a receiver says no, everything arrives when it stops."""
    monkeypatch.setattr("notifier.delivery.verdict.FIRST_PAUSE", 0.1)
    async with rig(tmp_path) as it:
        it.receiver.script(*[Answer(429, {"Retry-After": "0"})] * 3)
        erp = webhook(it.receiver_url + "/hook", max_attempts=2)
        tasks = ready(it, *[f"t{number}" for number in range(10)])
        async with it.daemon(it.settings(tasks, [erp])):
            await it.receiver.wait_for(10, distinct=True, timeout=30)
            await it.facts.wait_for("attempt.finished", 10, timeout=30)


async def test_one_dead_callback_never_delays_another(tmp_path: Path) -> None:
    """One hangs, one refuses, one trickles: the healthy one is told as fast as ever."""
    async with rig(tmp_path) as it:
        hanging, tasks = Receiver([SECRET]), ready(it, *[f"t{number}" for number in range(20)])
        hanging.script(*["hang"] * 500)
        async with hanging.serve() as hanging_url:
            callbacks = [
                webhook(hanging_url + "/hook", "hanging", timeout=1.0),
                webhook("http://127.0.0.1:1/hook", "refusing"),
                webhook(it.receiver_url + "/hook"),
            ]
            began = time.monotonic()
            async with it.daemon(it.settings(tasks, callbacks)) as stopping:
                await it.receiver.wait_for(20)
                seconds = time.monotonic() - began
                stopping.set()
        assert seconds < 3.0
        reasons = {
            fact.reason
            for fact in it.facts.named("attempt.failed")
            if isinstance(fact, AttemptFinished) and fact.callback == "refusing"
        }
        assert reasons == {"connection_refused"}


async def test_where_twice_is_worse_than_never(tmp_path: Path) -> None:
    """on_unknown: hold keeps what may have arrived for a person."""
    async with rig(tmp_path) as it:
        it.receiver.script("close")
        erp = webhook(it.receiver_url + "/hook", on_unknown=OnUnknown.HOLD)
        async with it.daemon(it.settings(ready(it, "a"), [erp])):
            await it.facts.wait_for("attempt.failed")
            state, reason, _ = await attempts(it)
        assert (state, reason) == (DeliveryState.HELD, "unknown: connection_reset")
        assert len(it.receiver.arrivals) == 1


async def test_fan_out_and_filters(tmp_path: Path) -> None:
    """Every callback gets what it asked for, and of a watch that names callbacks only those hear."""
    async with rig(tmp_path) as it:
        ready(it, "ok", "ours")
        ready(it, "bad", ends="errors")
        callbacks = [
            webhook(it.receiver_url + "/all", "all"),
            webhook(it.receiver_url + "/failed", "failed", events=("task.failed",)),
            slack(it.receiver_url + "/slack"),
        ]
        tasks = [request("ok"), request("bad"), request("ours", callbacks=("ops",))]
        async with it.daemon(it.settings(tasks, callbacks)):
            await it.receiver.wait_for(6)
            await it.facts.wait_for("attempt.finished", 6)
        counted = {
            path: sum(arrival.path == path for arrival in it.receiver.arrivals)
            for path in ("/all", "/failed", "/slack")
        }
        assert counted == {"/all": 2, "/failed": 1, "/slack": 3}
        assert all(arrival.verified for arrival in it.receiver.arrivals)


async def test_slack_words_count_more_than_statuses(tmp_path: Path) -> None:
    """invalid_blocks is sent once more as plain text; no_service is dead at once, with its word."""
    async with rig(tmp_path) as it:
        it.receiver.script(Answer(400, body=b"invalid_blocks"), path="/slack/a")
        it.receiver.script(Answer(404, body=b"no_service"), path="/slack/b")
        callbacks = [slack(it.receiver_url + "/slack/a", "a"), slack(it.receiver_url + "/slack/b", "b")]
        async with it.daemon(it.settings(ready(it, "x"), callbacks)):
            await it.facts.wait_for("attempt.finished")
            await it.facts.wait_for("delivery.died")
            assert (await attempts(it, "b"))[:2] == (DeliveryState.DEAD, "no_service")
            assert (await attempts(it, "a"))[0] is DeliveryState.DELIVERED
        plain = [json.loads(arrival.body) for arrival in it.receiver.arrivals if arrival.path == "/slack/a"][1]
        assert "blocks" not in plain
        assert plain["text"]


async def test_slack_is_sent_one_message_a_second(tmp_path: Path) -> None:
    """The rate of a callback spaces its messages out, so Slack never has to say 429."""
    async with rig(tmp_path) as it:
        it.receiver._slack_interval = 0.2
        ops = slack(it.receiver_url + "/slack", rate=RateLimit(4, 1.0))
        async with it.daemon(it.settings(ready(it, "a", "b", "c", "d"), [ops])):
            await it.facts.wait_for("attempt.finished", 4)
        assert len(it.receiver.arrivals) == 4


async def test_rotating_secrets_sign_twice(tmp_path: Path) -> None:
    """While rotating, receivers with the old and with the new secret both verify."""
    async with rig(tmp_path) as it:
        erp = webhook(it.receiver_url + "/hook", secrets=(Secret(fresh_secret()), Secret(SECRET)))
        async with it.daemon(it.settings(ready(it, "a"), [erp])):
            [arrival] = await it.receiver.wait_for(1)
        assert arrival.verified
        assert len(arrival.headers["webhook-signature"].split()) == 2


async def test_headers_of_the_operator_are_sent(tmp_path: Path) -> None:
    """Configured headers go along, ours stay ours."""
    async with rig(tmp_path) as it:
        erp = webhook(
            it.receiver_url + "/hook", headers={"X-Environment": Secret("production"), "User-Agent": Secret("ours")}
        )
        async with it.daemon(it.settings(ready(it, "a"), [erp])):
            [arrival] = await it.receiver.wait_for(1)
        assert arrival.headers["x-environment"] == "production"
        assert arrival.headers["content-type"] == "application/json"
        assert arrival.headers["user-agent"] == "ours"


async def test_what_a_receiver_answers_is_kept_short_and_masked(tmp_path: Path) -> None:
    """An endless answer that echoes the secrets neither fills the store nor shows them."""
    async with rig(tmp_path) as it:
        url = it.receiver_url + "/hook?key=canary-key-in-the-url"
        echo = f"you sent {url} signed with {SECRET} ".encode() * 2000
        it.receiver.script(Answer(500, body=echo))
        async with it.daemon(it.settings(ready(it, "a"), [webhook(url)])):
            await it.receiver.wait_for(2)
            async with it.store() as store:
                [delivery] = await store.find_deliveries()
                _, _, [first, *_] = await store.find_delivery(delivery.delivery_id)
        assert first.answer is not None
        assert len(first.answer) == 4096
        for file in tmp_path.iterdir():
            content = file.read_bytes()
            assert b"canary-key" not in content
            assert SECRET.removeprefix("whsec_").encode() not in content


async def test_the_payload_is_the_documented_one(tmp_path: Path) -> None:
    """Every key of the contract, times as RFC 3339, HubSpot's body as it came."""
    async with rig(tmp_path) as it:
        it.hubspot.add_task("a", pending=0.0, processing=0.0, ends="errors", file_name="list.csv")
        async with it.daemon(it.settings([request("a", label="Spring catalogue")])):
            [arrival] = await it.receiver.wait_for(1)
        body = json.loads(arrival.body)
        content = body["data"]
        assert set(body) == {"type", "timestamp", "data"}
        assert set(content) == {
            "event_id", "account", "kind", "task_id", "label", "outcome", "status", "requested_at", "started_at", "completed_at",
            "observed_at", "duration_seconds", "num_errors", "errors", "result", "response",
        }  # fmt: skip
        assert content["event_id"] == arrival.webhook_id
        assert (content["outcome"], content["status"], content["label"]) == ("failed", "COMPLETE", "Spring catalogue")
        assert content["num_errors"] == len(content["errors"]) == 1
        assert content["response"]["taskId"] == "a"
        assert body["timestamp"] == content["completed_at"] == content["response"]["completedAt"]


async def test_a_mended_url_heals_the_queue(tmp_path: Path) -> None:
    """The URL is read when it is sent: what a wrong one could not take arrives at the right one."""
    async with rig(tmp_path) as it:
        wrong = it.settings(ready(it, "a"), [webhook("http://127.0.0.1:1/hook")], schedule=(0.0, 0.2))
        async with it.daemon(wrong):
            await it.facts.wait_for("attempt.failed")
        right = replace(wrong, callbacks={"erp": webhook(it.receiver_url + "/hook")})
        async with it.daemon(right):
            [arrival] = await it.receiver.wait_for(1)
        assert arrival.verified
