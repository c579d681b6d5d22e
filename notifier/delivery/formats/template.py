"""A body of the operator's own: a Jinja template over the event, sent and signed as the webhook is.

::

    text: {{ title | tojson }}

Names: ``type``, ``timestamp``, ``event_id`` and ``data`` as in the webhook's payload, ``title`` and ``summary`` (what
happened, in words), ``link`` (of the file that an import made, else null). ``sandbox.py`` holds the limits. Where the
content type is JSON the output must be JSON.

The check of the configuration renders a sample of every event that will come. What fails nevertheless when an event
comes must not lose it: the webhook's payload is sent instead, and says why in ``degraded``.
"""

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from notifier.clock import iso
from notifier.delivery.formats import words
from notifier.delivery.formats.contract import Format, Option, Unusable
from notifier.delivery.formats.payload import facts_of, fitted, payload_of, write_json
from notifier.delivery.formats.webhook import CONTENT_TYPE, Webhook
from notifier.model import Body, Event

if TYPE_CHECKING:
    from notifier.delivery.formats.sandbox import Sandboxed

NAMES = ("type", "timestamp", "event_id", "data", "title", "summary", "link")
PRICKLY = 'quoted "so" \\'  # what breaks JSON that was put together by hand

# Texts of the payload that hold no quotation marks: names of the configuration, ids, times, our own words.
OURS = frozenset(
    {
        "account", "began_at", "callback", "completed_at", "deadline_at", "delivery_id", "died_at", "disabled_at", "event_id",
        "kind", "observed_at", "outcome", "rejected_at", "requested_at", "restored_at", "started_at", "task_id", "type",
    }
)  # fmt: skip

_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(?: ?; ?[\w-]+=(?:[\w.:-]+|\"[^\"]*\"))*", re.ASCII)
_HOW_TO_QUOTE = "write texts as {{ title | tojson }}, without quotation marks around them"


class Template(Webhook):
    """A webhook whose body the operator has written. Without a template it is the webhook's."""

    name: ClassVar[str] = "template"
    options: ClassVar[Mapping[str, Option]] = {
        "template": Option(required=True, has_file=True),
        "content_type": Option(default=CONTENT_TYPE),
    }
    expects_secret: ClassVar[bool] = False  # most receivers that want a body of their own check no signature

    def __init__(self, template: "Sandboxed | None" = None, content_type: str = CONTENT_TYPE) -> None:
        self._template = template
        self._content_type = content_type

    def configured(self, options: Mapping[str, str]) -> Format:
        """Compile the template."""
        return _configured(options["template"], options.get("content_type", CONTENT_TYPE)) if options else self

    def check(self, samples: Sequence[Event]) -> None:
        """Render every sample, and once more with texts that JSON must escape."""
        for sample in samples:
            self._try(sample, f" (for {sample.type})")
            self._try(_prickly(sample), f", when a text holds a quotation mark or a backslash (for {sample.type})")

    def _try(self, sample: Event, when: str) -> None:
        try:
            self._write(sample)
        except Unusable as fault:
            message = f"{fault.message}{when}"
            raise Unusable(fault.key, message, fault.hint, line=fault.line, column=fault.column) from None

    def render(self, event: Event) -> Body:
        """Fill the template, else write the webhook's payload with the reason."""
        try:
            content = self._write(event)
        except Unusable as fault:
            return _degraded(event, fault)
        return super().render(event) if content is None else Body(content, self._content_type)

    def _write(self, event: Event) -> bytes | None:
        """Fill the template, where there is one. :raises Unusable: it could not be filled, or gave no JSON."""
        if self._template is None:
            return None
        text = self._template.render(_variables(event))
        if _is_json(self._content_type) and (problem := _wrong_json(text)):
            raise Unusable("template", f"what it makes is not JSON: {problem}", _HOW_TO_QUOTE)
        return text.encode("utf-8", "replace")


def _degraded(event: Event, fault: Unusable) -> Body:
    place = f", line {fault.line}" if fault.line else ""
    reason = f"template{place}: {fault.message}"
    content = fitted(facts_of(event), lambda facts: payload_of(event, facts) | {"degraded": reason})
    return Body(content, CONTENT_TYPE, degraded=reason)


@functools.lru_cache(maxsize=256)
def _configured(template: str, content_type: str) -> Template:
    """Compile once per text: Jinja takes milliseconds, and the same settings must give the same object."""
    from notifier.delivery.formats.sandbox import Sandboxed  # noqa: PLC0415  # loads Jinja, which few need

    if not _MEDIA_TYPE.fullmatch(content_type):
        raise Unusable("content_type", "not a media type", "write one such as application/json or text/plain")
    return Template(Sandboxed(template, NAMES), content_type)


def _variables(event: Event) -> dict[str, Any]:
    """Give what a template sees: plain JSON values, whatever HubSpot sent."""
    link = words.file_link(event)
    why = (f"• {line}" for line in words.reasons(event))
    payload: dict[str, Any] = json.loads(write_json(payload_of(event, facts_of(event))))
    return {
        **payload,
        "timestamp": iso(event.occurred_at),
        "event_id": event.event_id,
        "title": words.headline(event),
        "summary": "\n".join([words.meaning(event), *why]),
        "link": link and link.url,
    }


def _is_json(content_type: str) -> bool:
    essence = content_type.partition(";")[0].strip().lower()
    return essence == "application/json" or essence.endswith("+json")


def _wrong_json(text: str) -> str | None:
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        return str(error).partition(" (char")[0]
    except RecursionError:
        return "it is nested too deeply"
    return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no value of JSON")


def _prickly(event: Event) -> Event:
    """Give the same event with texts that need to be escaped wherever people and HubSpot write freely."""
    return replace(event, data=_pricked(event.data))


def _pricked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: each if key in OURS else _pricked(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_pricked(each) for each in value]
    return PRICKLY if isinstance(value, str) else value
