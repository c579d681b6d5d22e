"""Formats through the whole daemon, and the commands that show what they make."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from rig import SECRET, rig, webhook
from shell import Shell
from standardwebhooks import Webhook

from notifier.delivery.settings import Callback
from notifier.model import EventType
from notifier.secret import Secret
from notifier.simulator.receiver import Receiver

TEMPLATE = '{"what": {{ title | tojson }}, "task": {{ data.task_id | tojson }}}'


def template(url: str, text: str, name: str = "team") -> Callback:
    """A signed callback with a body of its own."""
    options = {"template": text, "content_type": "application/json"}
    return replace(webhook(url, name), format="template", options=options)


async def test_every_format_tells_the_same_end(tmp_path: Path) -> None:
    """One task, one event, a body for each callback; what is signed verifies."""
    chat = Receiver()
    async with rig(tmp_path) as play, chat.serve() as chat_url:
        url = play.receiver_url
        callbacks = [
            replace(webhook(url + "/events", "events"), format="cloudevents"),
            template(url + "/team", TEMPLATE),
            Callback("chat", Secret(chat_url.replace("http://", "json://")), format="apprise"),
        ]
        play.hubspot.add_task("errors-1", pending=0.0, processing=0.0, ends="errors")
        async with play.daemon(play.settings(["errors-1"], callbacks)):
            await play.facts.wait_for("attempt.finished", 3)
        seen = {each.path: each for each in play.receiver.arrivals}
        event = from_http_event(HTTPMessage(dict(seen["/events"].headers), seen["/events"].body))
        assert (event.get_type(), event.get_subject(), event.get_source()) == (
            "task.failed",
            "errors-1",
            "notifier/main",
        )
        assert json.loads(seen["/team"].body)["task"] == "errors-1"
        for each in seen.values():
            assert Webhook(SECRET).verify(each.body, dict(each.headers))
        [told] = chat.arrivals
        assert json.loads(told.body)["type"] == "failure"
        assert play.facts.named("body.degraded") == []


async def test_a_template_that_fails_loses_nothing(tmp_path: Path) -> None:
    """The event arrives in the default format with the reason, and the log has a warning of it."""
    async with rig(tmp_path) as play:
        callback = template(play.receiver_url + "/team", "{{ data.result.nope.deeper }}")
        play.hubspot.add_task("ok-1", pending=0.0, processing=0.0)
        async with play.daemon(play.settings(["ok-1"], [callback])):
            await play.facts.wait_for("attempt.finished")
            [degraded] = play.facts.named("body.degraded")
        [arrived] = play.receiver.arrivals
        payload = json.loads(arrived.body)
        assert arrived.verified
        assert payload["data"]["task_id"] == "ok-1"
        assert payload["degraded"] == degraded.reason == "template, line 1: 'dict object' has no attribute 'nope'"
        assert (degraded.callback, degraded.type, degraded.event_id) == ("team", "task.succeeded", arrived.webhook_id)


CONFIG = """\
accounts: {{main: {{token: "${{HUBSPOT_TOKEN}}"}}}}
callbacks:
  erp: {{url: "{url}/hook", secret: "${{WEBHOOK_SECRET}}", headers: {{X-Key: canary-header-value}}}}
  team: {{format: template, url: "{url}/team", secret: "${{WEBHOOK_SECRET}}", template: '{template}'}}
  ops: {{format: slack, url: "{url}/slack"}}
  chat: {{format: apprise, url: "{chat}/canary-path"}}
tasks: []
store: notifier.db
"""


def configured(folder: Path, url: str = "http://127.0.0.1:1", chat: str = "json://127.0.0.1:1") -> Shell:
    """A folder with a configuration of four formats."""
    shell = Shell(folder)
    shell.configure(CONFIG.format(url=url, chat=chat, template=TEMPLATE))
    return shell


async def test_render_a_sample(tmp_path: Path) -> None:
    """Every type, the body alone on stdout and byte for byte; no secret is needed to see it."""
    configured(tmp_path)
    shell = Shell(tmp_path, {})
    done = await shell("callback", "render", "team", "--sample", "task.failed")
    assert (done.code, done.err) == (0, "")
    assert done.out == '{"what": "Import \\u201cA test from notifier\\u201d failed: 1 error", "task": "TEST"}'
    slack = await shell("callback", "render", "ops", "--sample", "delivery.dead")
    assert json.loads(slack.out)["blocks"]


async def test_render_as_json(tmp_path: Path) -> None:
    """With the headers as they would be sent, but for what is secret."""
    shell = configured(tmp_path)
    done = await shell("callback", "render", "erp", "--sample", "watch.lost", "--json")
    shape = done.json
    assert [*shape] == ["callback", "format", "event_id", "type", "headers", "body", "degraded"]
    assert (shape["callback"], shape["format"], shape["type"]) == ("erp", "webhook", "watch.lost")
    assert shape["headers"]["x-key"] == shape["headers"]["webhook-signature"] == "****"
    assert shape["headers"]["content-type"] == "application/json"
    assert shape["headers"]["webhook-id"] == shape["event_id"] == json.loads(shape["body"])["data"]["event_id"]
    assert "canary" not in done.out
    assert (await shell("callback", "render", "chat", "--sample", "task.failed", "--json")).json["headers"] == {}


async def test_render_says_when_a_template_does_not_fit(tmp_path: Path) -> None:
    """On stderr; the body is what would be sent instead."""
    done = await configured(tmp_path)("callback", "render", "team", "--sample", "account.rejected")
    assert done.code == 0
    assert json.loads(done.out)["degraded"] in done.err
    assert "'dict object' has no attribute 'task_id'" in done.err


async def test_render_a_recorded_event(tmp_path: Path) -> None:
    """What is owed already is shown as it was stored, whatever the template is now; for others it is made."""
    async with rig(tmp_path) as play:
        callback = template(play.receiver_url + "/team", '{"before": 1}')
        play.hubspot.add_task("ok-1", pending=0.0, processing=0.0)
        async with play.daemon(play.settings(["ok-1"], [callback])):
            await play.facts.wait_for("attempt.finished")
        [arrived] = play.receiver.arrivals
    shell = configured(tmp_path)
    stored = await shell("callback", "render", "team", "--event", arrived.webhook_id or "")
    assert (stored.code, stored.out) == (0, '{"before": 1}')
    fresh = await shell("callback", "render", "erp", "--event", arrived.webhook_id or "")
    assert json.loads(fresh.out)["data"]["task_id"] == "ok-1"


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("team",), 2, "give one of --event and --sample"),
        (("team", "--event", "x", "--sample", "task.failed"), 2, "give one of --event and --sample"),
        (("team", "--sample", "task.nope"), 2, "task.nope"),
        (("nobody", "--sample", "task.failed"), 1, "no callback 'nobody'"),
        (("team", "--event", "evt_nope"), 1, "there is no store yet"),
    ],
)
async def test_render_refuses(tmp_path: Path, arguments: tuple[str, ...], code: int, word: str) -> None:
    """Wrong usage is 2, what is not there is 1."""
    done = await configured(tmp_path)("callback", "render", *arguments)
    assert (done.code, done.out) == (code, "")
    assert word in done.err


async def test_callback_test_knows_every_format_and_type(tmp_path: Path) -> None:
    """Operator events, too; Apprise's yes is exit code 0, its no 6, and neither shows the URL."""
    receiver, chat = Receiver([SECRET]), Receiver()
    async with receiver.serve() as url, chat.serve() as chat_url:
        shell = configured(tmp_path, url, chat_url.replace("http://", "json://"))
        for event_type in (EventType.TASK_SUCCEEDED, EventType.DELIVERY_DEAD):
            done = await shell(
                "callback", "test", "team" if event_type == "task.succeeded" else "erp", "--event", event_type
            )
            assert done.code == 0, done
        yes = await shell("callback", "test", "chat", "--event", "account.rejected")
        chat.script(500)
        no = await shell("callback", "test", "chat", "--json")
    assert (yes.code, no.code) == (0, 6)
    assert (no.json["reason"], no.json["reach"]) == ("apprise_failed", "unknown")
    assert "canary" not in yes.out + yes.err + no.out + no.err
    assert [json.loads(each.body)["type"] for each in chat.arrivals] == ["failure", "success"]
