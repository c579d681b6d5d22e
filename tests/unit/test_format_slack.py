"""Slack: what people read, what Slack takes, and what it answers."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.delivery.formats import FORMATS, Remedy, Ruling
from notifier.model import Body, Claim, Delivery, DeliveryState, Event, EventType, RateLimit, TaskKey
from notifier.operator_events import account_rejected, account_restored, callback_disabled, delivery_dead
from notifier.secret import Secret

AT = 1_795_288_140.123
KEY = TaskKey("main", "hubspot.file_import", "AAAAEZ6whGI")
SLACK = FORMATS["slack"]
FACTS: dict[str, Any] = {
    "account": "main",
    "kind": "hubspot.file_import",
    "task_id": "AAAAEZ6whGI",
    "label": "Spring catalogue",
    "outcome": "succeeded",
    "status": "COMPLETE",
    "requested_at": "2026-11-21T19:08:00.000Z",
    "started_at": "2026-11-21T19:08:01.000Z",
    "completed_at": "2026-11-21T19:09:00.123Z",
    "observed_at": "2026-11-21T19:09:01.000Z",
    "duration_seconds": 60.123,
    "num_errors": 0,
    "errors": [],
    "result": {"id": "1", "name": "spring.pdf", "url": "https://1.fs1.hubspotusercontent.net/hubfs/1/spring.pdf"},
    "response": {"secret": "only-in-the-response"},
}

any_text = st.one_of(
    st.text(st.characters(), max_size=60),
    st.sampled_from(
        ["<!channel>", "<@U123>", "<https://evil.example|Click>", "&<>" * 2000, "😀" * 4000, "\x00\u202e", " "]
    ),
)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=30,
)
KEYS = [*FACTS, "began_at", "deadline_at", "problem", "reason", "callback", "attempts", "undelivered", "rejected_at"]


def event(event_type: EventType = EventType.TASK_SUCCEEDED, **facts: Any) -> Event:
    """Give a task's event that says this instead of the usual."""
    return Event(KEY.event_id(event_type), event_type, AT, FACTS | facts)


def failed(*errors: Any, **facts: Any) -> Event:
    """Give the event of an import that failed with these errors."""
    return event(EventType.TASK_FAILED, **{"errors": list(errors), "num_errors": len(errors), "result": None, **facts})


def read(body: Body | None) -> dict[str, Any]:
    """Read a message."""
    assert body is not None
    message: dict[str, Any] = json.loads(body.content.decode("ascii"))
    return message


def header(told: Event) -> str:
    """Give the header of an event's message, without its mark."""
    text: str = read(SLACK.render(told))["blocks"][0]["text"]["text"]
    return text.partition(" ")[2]


def text_objects(value: Any) -> list[dict[str, str]]:
    """Find every text object of a message."""
    if isinstance(value, list):
        return [found for item in value for found in text_objects(item)]
    if not isinstance(value, dict):
        return []
    own = [value] if value.get("type") in ("plain_text", "mrkdwn") else []
    return own + [found for item in value.values() for found in text_objects(item)]


def units(text: str) -> int:
    """Count as the strictest reader does."""
    return len(text.encode("utf-16-le")) // 2


def check_limits(message: dict[str, Any]) -> None:
    """Hold a message to Block Kit's limits."""
    assert 0 < units(message["text"]) <= 40_000
    assert 0 < len(message["blocks"]) <= 50
    for block in message["blocks"]:
        if block["type"] == "header":
            assert block["text"]["type"] == "plain_text"
            assert 0 < units(block["text"]["text"]) <= 150
        elif block["type"] == "context":
            assert 0 < len(block["elements"]) <= 10
        else:
            assert block["type"] == "section"
            assert 0 < len(block.get("fields", [None])) <= 10
            assert all(0 < units(text["text"]) <= 2000 for text in block.get("fields", []))
    assert all(0 < units(text["text"]) <= 3000 for text in text_objects(message["blocks"]))


def check_markup(message: dict[str, Any]) -> None:
    """See that no markup stands in a message but the dates and the file's link that we made."""
    ours = re.compile(
        r"<!date\^\d+\^\{date_short_pretty\} \{time_secs\}\|[-0-9T:.Z]+>|<https?://[^\s<>|]+(\|[^<>|]*)?>"
    )
    texts = [text["text"] for text in text_objects(message["blocks"]) if text["type"] == "mrkdwn"]
    for text in [message["text"], *texts]:
        rest = ours.sub("", text)
        assert not set("<>") & set(rest)
        assert not re.search(r"&(?!amp;|lt;|gt;)", rest)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (event(), "Import “Spring catalogue” finished"),
        (event(label=None), "Import “AAAAEZ6whGI” finished"),
        (event(label=" ", task_id=None), "Import finished"),
        (event(kind="hubspot.crm_export"), "Export “Spring catalogue” finished"),
        (event(kind="hubspot.crm_import"), "CRM import “Spring catalogue” finished"),
        (event(kind="hubspot.news"), "Task “Spring catalogue” finished"),
        (failed({"message": "a"}, {"message": "b"}), "Import “Spring catalogue” failed: 2 errors"),
        (failed({"message": "a"}), "Import “Spring catalogue” failed: 1 error"),
        (failed(num_errors=None), "Import “Spring catalogue” failed"),
        (failed(num_errors=12), "Import “Spring catalogue” failed: 12 errors"),
        (event(EventType.TASK_CANCELED), "Import “Spring catalogue” was canceled"),
        (event(EventType.WATCH_EXPIRED), "Import “Spring catalogue” was not finished by its deadline"),
        (event(EventType.WATCH_LOST), "HubSpot does not know import “Spring catalogue”"),
        (account_rejected("main", "invalid_grant", "c-1", AT), "HubSpot refuses the credentials of account “main”"),
        (account_restored("main", AT, AT + 60), "HubSpot accepts account “main” again"),
        (callback_disabled("erp", "gone", AT, buried=3), "Callback “erp” was disabled"),
    ],
)
def test_headlines(told: Event, words: str) -> None:
    """The header says in words what happened, and so does the first line of the text."""
    assert header(told) == words
    assert read(SLACK.render(told))["text"].splitlines()[0].endswith(words)


def test_long_label_keeps_the_verb() -> None:
    """A long label is cut, not what became of it."""
    words = header(failed({"message": "a"}, label="Spring " * 100))
    assert words.endswith("…” failed: 1 error")


def test_delivery_dead() -> None:
    """The operator reads who was not told of what, why, and after how many attempts."""
    delivery = Delivery("dlv_1", "evt_1", EventType.TASK_FAILED, "erp", DeliveryState.PENDING, AT, AT)
    body = SLACK.render(delivery_dead(delivery, failed(), "exhausted", 10, AT))
    assert header(delivery_dead(delivery, failed(), "exhausted", 10, AT)) == "Callback “erp” could not be told"
    assert "It will not be told of task.failed for “Spring catalogue”" in read(body)["text"]
    fields = [field["text"] for field in read(body)["blocks"][2]["fields"]]
    assert fields == ["*Callback*\nerp", "*Reason*\nexhausted", "*Attempts*\n10"]


def test_facts_are_shown() -> None:
    """Account, task, status, duration and times stand in fields; the short event id in the context."""
    message = read(SLACK.render(event()))
    assert [block["type"] for block in message["blocks"]] == ["header", "section", "section", "context"]
    fields = dict(field["text"].split("\n") for field in message["blocks"][2]["fields"])
    assert list(fields) == ["*Account*", "*Task*", "*Status*", "*Duration*", "*Requested*", "*Started*", "*Finished*"]
    assert fields["*Task*"] == "AAAAEZ6whGI"
    assert fields["*Duration*"] == "1 min"
    assert fields["*Finished*"] == "<!date^1795288140^{date_short_pretty} {time_secs}|2026-11-21T19:09:00.123Z>"
    short = event().event_id[:16]
    assert message["blocks"][3]["elements"][0]["text"] == f"task.succeeded · {short}"
    assert message["text"].endswith(f"account main · task AAAAEZ6whGI · task.succeeded · {short}")


def test_odd_times_are_written_as_they_came() -> None:
    """What is no time, or none that Slack could show, is plain text."""
    message = read(SLACK.render(event(requested_at="yesterday", started_at="9999-12-31T23:59:59Z", completed_at=7)))
    fields = [field["text"] for field in message["blocks"][2]["fields"]]
    assert fields[-3:] == ["*Requested*\nyesterday", "*Started*\n9999-12-31T23:59:59Z", "*Finished*\n7"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(12.4, "12.4 s"), (0, "0 s"), (59.97, "60 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (86_400, "24 h")],
)
def test_durations(seconds: float, words: str) -> None:
    """A length of time is written for people."""
    fields = [field["text"] for field in read(SLACK.render(event(duration_seconds=seconds)))["blocks"][2]["fields"]]
    assert f"*Duration*\n{words}" in fields


@pytest.mark.parametrize("seconds", [None, True, "12", -1, float("nan"), float("inf"), 10**400])
def test_no_duration(seconds: Any) -> None:
    """What is no length of time is left out."""
    assert b"*Duration*" not in SLACK.render(event(duration_seconds=seconds)).content


def test_success_links_the_file() -> None:
    """The file of a finished import is a link with its name."""
    message = read(SLACK.render(event()))
    link = "<https://1.fs1.hubspotusercontent.net/hubfs/1/spring.pdf|spring.pdf>"
    assert message["blocks"][1]["text"]["text"].endswith(f"\n{link}")
    assert "<https://1.fs1.hubspotusercontent.net/hubfs/1/spring.pdf>" in message["text"]


@pytest.mark.parametrize(
    ("result", "link"),
    [
        (
            {"url": "https://f.example/a b|c.pdf?x=1&y=<2>"},
            "<https://f.example/a%20b%7Cc.pdf?x=1&amp;y=%3C2%3E|Open the file>",
        ),
        ({"url": "https://f.example/a", "name": "<!channel>|x>"}, "<https://f.example/a|&lt;!channel&gt;/x&gt;>"),
        ({"url": 7, "defaultHostingUrl": "http://f.example/b"}, "<http://f.example/b|Open the file>"),
        ({"url": "https://f.example/é.pdf"}, "<https://f.example/%C3%A9.pdf|Open the file>"),
    ],
)
def test_links_are_made_safe(result: Any, link: str) -> None:
    """Neither address nor name can break out of the link."""
    assert read(SLACK.render(event(result=result)))["blocks"][1]["text"]["text"].endswith("\n" + link)


@pytest.mark.parametrize(
    "facts",
    [
        {"result": {"url": "javascript:alert(1)"}},
        {"result": {"url": "ftp://f.example/a"}},
        {"result": {"url": "https:///a"}},
        {"result": {"url": "https://user:pass@f.example/a"}},
        {"result": {"url": "https://[f.example/a"}},
        {"result": {"url": "https://f.example/" + "a" * 1000}},
        {"result": {"url": "https://f.example/a", "access": "PRIVATE"}},
        {"result": {"url": "https://f.example/a", "access": "HIDDEN_SENSITIVE"}},
        {"result": "https://f.example/a"},
        {"kind": "hubspot.crm_export", "result": {"url": "https://f.example/a"}},
        {"kind": "hubspot.crm_export", "result": "https://f.example/a"},
        {"kind": ["hubspot.file_import"], "result": {"url": "https://f.example/a"}},
    ],
)
def test_no_other_links(facts: dict[str, Any]) -> None:
    """Only the public file of a file import is linked; an export's download address never is."""
    content = SLACK.render(event(**facts)).content
    assert b"f.example" not in content
    assert b"javascript" not in content


def test_only_success_links() -> None:
    """A result that came with a failure is not offered."""
    assert b"f.example" not in SLACK.render(failed({"message": "a"}, result={"url": "https://f.example/a"})).content


def test_urls_in_texts_lose_all_but_their_host() -> None:
    """A source's address may hold a signature or a password; neither is shown, wherever it stands."""
    told = failed(
        {
            "message": "No answer from https://s3.example.com/in/cat.csv?sig=SECRET1, gave up",
            "context": {"u": ["HTTPS://h/SECRET2"]},
        },
        "https://me:SECRET3@host.example/x",
        {"category": "X", "errors": [{"message": "see x-http://host/\u200bSECRET4"}]},
        label="from https://h.example/?token=SECRET5",
        status="https://h.example#SECRET6",
    )
    content = SLACK.render(told).content
    assert b"SECRET" not in content
    assert b"https://s3.example.com/" in content
    assert b"only-in-the-response" not in content


def test_reasons() -> None:
    """The first few errors are told, with what they are about, and how many more there are."""
    told = failed(
        {"message": "Could not be\nfetched", "context": {"url": ["x.csv", "y.csv"], "status": ["404"]}},
        {"category": "VALIDATION_ERROR"},
        {"errors": [{"message": "inner"}]},
        "in a word",
        {"id": 7},
        {"message": "sixth"},
        num_errors=20,
    )
    message = read(SLACK.render(told))
    lines = [
        "Could not be fetched (url: x.csv, y.csv, status: 404)",
        "VALIDATION_ERROR",
        "inner",
        "in a word",
        "id: 7",
        "and 15 more",
    ]
    assert message["blocks"][2]["text"]["text"] == "\n".join(f"• {line}" for line in lines)
    assert message["blocks"][2]["text"]["type"] == "plain_text"
    assert message["text"].splitlines()[2:8] == lines


def test_expired_and_lost_say_what_was_seen() -> None:
    """The last word of HubSpot and what was wrong with its answers are told."""
    expired = read(SLACK.render(event(EventType.WATCH_EXPIRED, status="PROCESSING", problem="status_502")))
    assert "HubSpot's last word was PROCESSING. The last answer was no use: status 502." in expired["text"]
    lost = read(SLACK.render(event(EventType.WATCH_LOST, status=None, problem="status_404")))
    assert "HubSpot does not know this import" in lost["text"]
    assert "Its answer: status 404" in lost["text"]


def test_mentions_and_links_in_foreign_text_stay_text() -> None:
    """Nobody is called and nothing linked by a label or an error."""
    bad = "<!channel> <@U123> <https://evil.example|Click> &"
    message = read(SLACK.render(failed({"message": bad}, label=bad, account=bad, status=bad, task_id=bad)))
    check_markup(message)
    assert "&lt;!channel&gt; &lt;@U123&gt;" in message["text"]
    assert all(text["verbatim"] is True for text in text_objects(message["blocks"]) if text["type"] == "mrkdwn")
    assert message["unfurl_links"] is False


@given(event_type=st.sampled_from(EventType), facts=st.dictionaries(st.sampled_from(KEYS), any_json))
def test_any_facts_fit(event_type: EventType, facts: dict[str, Any]) -> None:
    """Whatever HubSpot sent, the message fits, mentions nobody, and has its plain fallback."""
    body = SLACK.render(event(event_type, **facts))
    message = read(body)
    check_limits(message)
    check_markup(message)
    assert read(SLACK.plain(body))["text"] == message["text"]


def test_most_fields() -> None:
    """Of more than ten known facts the first ten are shown."""
    every = dict.fromkeys(("callback", "reason", "attempts", "correlation_id", "began_at", "deadline_at"), "x")
    assert len(read(SLACK.render(event(**every)))["blocks"][2]["fields"]) == 10


def test_endless_numbers() -> None:
    """An integer that Python refuses to write out is only an ellipsis."""
    assert header(event(label=10**5000)) == "Import “…” finished"


def test_invisible_characters_are_blanks() -> None:
    """Control characters, text direction overrides and lone surrogates neither hide nor break anything."""
    assert header(event(label="a\x00b\u202ec\ud800d\u2028e")) == "Import “a b c d e” finished"


def test_wide_letters_count_twice() -> None:
    """Letters beyond the first 65,536 take two units of a limit."""
    message = read(SLACK.render(event(EventType.WATCH_EXPIRED, label="😀" * 79)))
    check_limits(message)
    assert message["text"].splitlines()[0].endswith("…” was not finished by its deadline")


@pytest.mark.parametrize("bulk", ["<" * 100_000, "😀" * 100_000, "a" * 1_000_000, " " * 1_000_000, "x://" * 100_000])
def test_bulk_fits(bulk: str) -> None:
    """The worst of every field at once fits, too."""
    error = {"message": bulk, "context": {bulk: [bulk] * 50}}
    told = failed(*[error] * 50, **dict.fromkeys(set(FACTS) - {"kind", "errors", "num_errors"}, bulk))
    check_limits(read(SLACK.render(told)))
    linked = event(label=bulk, result={"url": "https://f.example/" + "&" * 180, "name": bulk})
    check_limits(read(SLACK.render(linked)))


def test_bottomless_nesting() -> None:
    """A pit of brackets in an error is cut, not fallen into."""
    pit: list[Any] = []
    for _ in range(100_000):
        pit = [pit]
    check_limits(read(SLACK.render(failed({"message": pit}, pit, context=pit))))


def test_plain_fallback() -> None:
    """The plain form is the text alone."""
    body = SLACK.render(event())
    plain = read(SLACK.plain(body))
    assert plain["text"] == read(body)["text"]
    assert "blocks" not in plain


@pytest.mark.parametrize("event_type", EventType)
def test_plain_fallback_of_a_webhook_body(event_type: EventType) -> None:
    """What waited for an absent callback as a webhook's body is told in the same words."""
    told = event(event_type)
    assert read(SLACK.plain(FORMATS["webhook"].render(told)))["text"] == read(SLACK.render(told))["text"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"text":7}',
        b'{"type":"x","data":{}}',
        b'{"type":[],"data":{}}',
        b'{"type":"task.failed","data":1}',
    ],
)
def test_no_plain_fallback(content: bytes) -> None:
    """Bytes of some other origin have none."""
    assert SLACK.plain(Body(content, "application/json")) is None


@pytest.mark.parametrize(
    "word",
    [
        "no_service",
        "no_service_id",
        "no_active_hooks",
        "no_team",
        "team_disabled",
        "invalid_token",
        "channel_not_found",
        "channel_is_archived",
        "action_prohibited",
        "posting_to_general_channel_denied",
        "user_not_found",
    ],
)
def test_permanent_words(word: str) -> None:
    """Some words are final, under whatever status they come."""
    for status in (200, 400, 403, 404, 410, 500):
        assert SLACK.judge(status, word.encode()) == Ruling(Remedy.NONE, word)


@pytest.mark.parametrize("word", ["invalid_payload", "invalid_blocks", "no_text", "too_many_attachments"])
def test_unreadable_words(word: str) -> None:
    """Some words ask for a simpler body."""
    assert SLACK.judge(400, word.encode() + b"\n") == Ruling(Remedy.PLAIN, word)


def test_passing_words() -> None:
    """One word asks for time."""
    assert SLACK.judge(500, b"rollup_error") == Ruling(Remedy.RETRY, "rollup_error")


@pytest.mark.parametrize("body", [b"", b"<html>Log in</html>", b"okay", b"\xff\xfe", b"OK" * 100_000])
def test_other_success_is_none(body: bytes) -> None:
    """A 2xx without "ok" comes from a portal or a proxy: the message is not with Slack."""
    assert SLACK.judge(200, body) == Ruling(Remedy.RETRY, "unexpected_answer")


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"ok"), (200, b"ok\n"), (404, b"<html>"), (429, b""), (503, b"no_service_today")]
)
def test_the_rest_is_read_by_status(status: int, body: bytes) -> None:
    """What is no word of Slack's is left to the general rules."""
    assert SLACK.judge(status, body) is None


def test_settings_and_headers() -> None:
    """One message a second, one at a time, no signature."""
    assert (SLACK.default_rate, SLACK.default_concurrency, SLACK.takes_secret) == (RateLimit(1, 1.0), 1, False)
    body = SLACK.render(event())
    delivery = Delivery("dlv_1", "evt_1", EventType.TASK_SUCCEEDED, "ops", DeliveryState.PENDING, AT, AT)
    assert SLACK.headers(Claim(delivery, 1, body), body, 1, [Secret("x")]) == {"content-type": "application/json"}
