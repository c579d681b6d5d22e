"""Slack incoming webhooks: one Block Kit message an event.

Limits (https://docs.slack.dev/reference/block-kit/blocks): header 150 characters, section text 3000, 10 fields of 2000,
10 context elements, 50 blocks. They are kept by construction: every piece of foreign text is cut before it is escaped,
short enough that escaping (five times at most) can't overrun. Foreign text stands in ``plain_text`` objects, or escaped in
``mrkdwn`` ones that are ``verbatim``, so it can neither mention anybody nor make a link.

Slack has no idempotency key: the short event id in the context line is what tells a repetition.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from notifier.clock import iso, parse_iso
from notifier.delivery.formats import words
from notifier.delivery.formats.contract import Format, Remedy, Ruling
from notifier.delivery.formats.payload import read_event
from notifier.model import Body, Event, EventType, RateLimit

Block = dict[str, Any]

CONTENT_TYPE = "application/json"
MOST_FIELDS = 10
SHORT_ID = 16  # characters: "evt_" and 12 more
LAST_DATE = 4_102_444_800  # 2100-01-01: later times are somebody's idea of "never" and written as they came

# The words Slack answers with: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#errors
PERMANENT = frozenset(
    {
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
    }
)
UNREADABLE = frozenset({"invalid_payload", "invalid_blocks", "no_text", "too_many_attachments"})
PASSING = frozenset({"rollup_error"})

MARKS: Mapping[EventType, str] = {
    EventType.TASK_SUCCEEDED: "✅",
    EventType.TASK_FAILED: "❌",
    EventType.TASK_CANCELED: "🚫",
    EventType.WATCH_EXPIRED: "⏰",
    EventType.WATCH_LOST: "❓",
    EventType.ACCOUNT_REJECTED: "🔑",
    EventType.ACCOUNT_RESTORED: "🔓",
    EventType.CALLBACK_DISABLED: "⛔",
    EventType.DELIVERY_DEAD: "📪",
}

# Name in the message, key of the facts. Only those that are known are shown, the first ten of them.
WORDS = (
    ("Account", "account"),
    ("Callback", "callback"),
    ("Task", "task_id"),
    ("Status", "status"),
    ("Reason", "reason"),
    ("Attempts", "attempts"),
    ("Correlation id", "correlation_id"),
)
TIMES = (
    ("Requested", "requested_at"),
    ("Started", "started_at"),
    ("Finished", "completed_at"),
    ("Watched since", "began_at"),
    ("Deadline", "deadline_at"),
    ("Refused since", "rejected_at"),
    ("Accepted again", "restored_at"),
)


class Slack(Format):
    """A message in a channel."""

    name: ClassVar[str] = "slack"
    default_rate: ClassVar[RateLimit | None] = RateLimit(1, 1.0)  # Slack's own limit, per webhook
    default_concurrency: ClassVar[int] = 1

    def render(self, event: Event) -> Body:
        """Write the message, with ``text`` as what notifications and plain clients show."""
        return _body({"text": _text(event), "blocks": list(_blocks(event))})

    def judge(self, status: int, body: bytes) -> Ruling | None:
        """Read Slack's word. Success is ``ok``: another body under a 2xx comes from something that is not Slack."""
        word = body[:64].strip().decode("ascii", "replace")
        if word in PERMANENT:
            return Ruling(Remedy.NONE, word)
        if word in UNREADABLE:
            return Ruling(Remedy.PLAIN, word)
        if word in PASSING:
            return Ruling(Remedy.RETRY, word)
        if 200 <= status < 300 and word != "ok":
            return Ruling(Remedy.RETRY, "unexpected_answer")
        return None

    def plain(self, body: Body) -> Body | None:
        """Keep the text alone; a body that waited as a webhook's, because its callback was absent, is put in words."""
        try:
            message = json.loads(body.content)
        except (ValueError, RecursionError):
            return None
        text = message.get("text") if isinstance(message, dict) else None
        if isinstance(text, str):
            return _body({"text": text})
        event = read_event(body.content)
        return _body({"text": _text(event)}) if event else None


def _body(message: Mapping[str, Any]) -> Body:
    shown_as_is = {**message, "unfurl_links": False, "unfurl_media": False}
    return Body(json.dumps(shown_as_is, separators=(",", ":")).encode("ascii"), CONTENT_TYPE)


def _text(event: Event) -> str:
    """Say all that matters in lines; escaped, some 2,500 characters before that."""
    link = words.file_link(event)
    lines = [f"{MARKS[event.type]} {words.headline(event)}", words.meaning(event), *words.reasons(event)]
    escaped = [escape(line) for line in lines] + ([f"<{escape(link.url)}>"] if link else [])
    named = [
        f"{name} {words.say(event.data[key])}"
        for name, key in (("account", "account"), ("task", "task_id"))
        if words.say(event.data.get(key))
    ]
    return "\n".join([*escaped, escape(" · ".join([*named, _signature(event)]))])


def _blocks(event: Event) -> Iterator[Block]:
    headline = words.cut(f"{MARKS[event.type]} {words.headline(event)}", 150)
    yield {"type": "header", "text": _plain_text(headline)}
    yield {"type": "section", "text": _mrkdwn(_lead(event))}
    why = words.reasons(event)
    if why:
        yield {"type": "section", "text": _plain_text(words.cut("\n".join(f"• {line}" for line in why), 3000))}
    fields = list(_fields(event.data))[:MOST_FIELDS]
    if fields:
        yield {"type": "section", "fields": fields}
    yield {"type": "context", "elements": [_plain_text(_signature(event))]}


def _lead(event: Event) -> str:
    link = words.file_link(event)
    shown = f"\n<{escape(link.url)}|{escape(link.name.replace('|', '/'))}>" if link else ""
    return escape(words.meaning(event)) + shown


def _fields(facts: Mapping[str, Any]) -> Iterator[Block]:
    known = [(name, escape(words.say(facts.get(key)))) for name, key in WORDS]
    known.append(("Duration", escape(words.duration(facts.get("duration_seconds")))))
    known += [(name, _date(facts.get(key))) for name, key in TIMES]
    return (_mrkdwn(f"*{name}*\n{shown}") for name, shown in known if shown)


def _date(text: object) -> str:
    """Write a time so that Slack shows it in the reader's own time zone."""
    at = parse_iso(text)
    if at is None or not 0 < at < LAST_DATE:
        return escape(words.say(text))
    return f"<!date^{int(at)}^{{date_short_pretty}} {{time_secs}}|{iso(at)}>"


def _signature(event: Event) -> str:
    return f"{event.type} · {event.event_id[:SHORT_ID]}"


def _plain_text(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def escape(text: str) -> str:
    """Take the meaning from the three characters that make links and mentions (Slack's own rule)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
