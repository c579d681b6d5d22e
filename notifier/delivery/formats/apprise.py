"""Whatever Apprise knows: Teams, Discord, e-mail, PagerDuty … (https://github.com/caronc/apprise). An optional extra.

The callback's ``url`` is Apprise's (``discord://…``), and all of it is a secret but the scheme. The body that is stored
is a title, a text and a type; Apprise makes of it what the service wants, in a request of its own.

Apprise blocks and can't be interrupted, so each notification has a thread that nobody has to wait for: when the time is
up the attempt ends as unknown, and the thread, a daemon, keeps its place among ``concurrency`` until the service lets go.
Apprise says whether it succeeded and not how far it got, so its failures are ``unknown`` too.
"""

import importlib.util
import json
import logging
import re
import threading
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote

from notifier.delivery.formats import words
from notifier.delivery.formats.contract import Courier, Format, Unusable
from notifier.delivery.formats.payload import read_event
from notifier.model import Body, Event, EventType
from notifier.secret import MASK, redactor

if TYPE_CHECKING:
    from notifier.http import Failure, Request, Response

CONTENT_TYPE = "application/json"
LONGEST_TEXT = 4000  # characters of a body that no format of ours has written
LONGEST_DETAIL = 500

# Apprise's words for how it looks; all else is ``info``.
TYPES: Mapping[EventType, str] = {
    EventType.TASK_SUCCEEDED: "success",
    EventType.TASK_FAILED: "failure",
    EventType.TASK_CANCELED: "warning",
    EventType.WATCH_EXPIRED: "warning",
    EventType.WATCH_LOST: "warning",
    EventType.ACCOUNT_REJECTED: "failure",
    EventType.ACCOUNT_RESTORED: "success",
    EventType.CALLBACK_DISABLED: "failure",
    EventType.DELIVERY_DEAD: "failure",
}

# Both write URLs, which are secrets, into their lines; what a person needs is in the attempt.
LOGGERS = ("apprise", "urllib3")
_NOWHERE = logging.NullHandler()  # without any, Python would print them


class Apprise(Format):
    """A notification, by Apprise."""

    name: ClassVar[str] = "apprise"
    uses_http: ClassVar[bool] = False

    def configured(self, options: Mapping[str, str]) -> Format:  # noqa: ARG002  # it has none
        """See that Apprise is installed."""
        if importlib.util.find_spec("apprise") is None:
            hint = "install it beside notifier: pip install 'notifier[apprise]'"
            raise Unusable("format", "the format apprise needs a package that is not installed", hint)
        return self

    def check_url(self, url: str) -> None:
        """See that Apprise understands it."""
        if _service(url) is None:
            hint = "see https://github.com/caronc/apprise/wiki for the service's: discord://…, mailtos://…"
            raise Unusable("url", "not a URL that Apprise can use", hint)

    def courier(self, *, concurrency: int) -> Courier | None:
        """Give the way through Apprise."""
        return Threads(concurrency)

    def render(self, event: Event) -> Body:
        """Write title, text and type."""
        link = words.file_link(event)
        why = (f"• {line}" for line in words.reasons(event))
        lines = [words.meaning(event), *why, *([link.url] if link else []), f"{event.type} · {event.event_id[:16]}"]
        notice = {"title": words.headline(event), "body": "\n".join(lines), "type": TYPES[event.type]}
        return Body(json.dumps(notice, separators=(",", ":")).encode("ascii"), CONTENT_TYPE)


class Threads:
    """Sends through Apprise, ``concurrency`` notifications at a time, those counted that nobody waits for any more."""

    def __init__(self, concurrency: int) -> None:
        self._places = threading.BoundedSemaphore(concurrency)

    async def exchange(self, request: "Request", *, deadline: float, max_bytes: int) -> "Response | Failure":  # noqa: ARG002  # there is no answer to read
        """Notify once; 200 stands for Apprise's yes."""
        import anyio  # noqa: PLC0415  # so that reading a configuration does not load it

        from notifier.http import Failure, Reach  # noqa: PLC0415  # likewise

        if not self._places.acquire(blocking=False):
            return Failure(Reach.NOT_SENT, "apprise_busy", "notifications that were given up still hang in Apprise")
        sending = _Sending(request.url, request.body, self._places)
        try:
            with anyio.fail_after(deadline):
                # With a limiter of its own: hanging notifications must not take the threads that others wait for.
                await anyio.to_thread.run_sync(
                    sending.over.wait, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
                )
        except TimeoutError:
            return Failure(Reach.UNKNOWN, "apprise_timeout", f"Apprise had not finished after {deadline:g} s")
        finally:
            sending.over.set()  # the thread that waits, if not the one that sends
        return sending.result()

    async def aclose(self) -> None:
        """Nothing is held open."""


class _Sending:
    """One notification, in a thread of its own that gives its place back when it ends."""

    def __init__(self, url: str, body: bytes, places: threading.BoundedSemaphore) -> None:
        self.over = threading.Event()
        self._url = url
        self._notice = _notice(body)
        self._places = places
        self._problem: str | None = "interrupted"
        threading.Thread(target=self._run, name="apprise", daemon=True).start()

    def result(self) -> "Response | Failure":
        from notifier.http import Failure, Reach, Response  # noqa: PLC0415  # likewise

        if self._problem is None:
            return Response(200, {}, b"")
        return Failure(Reach.UNKNOWN, "apprise_failed", self._problem)

    def _run(self) -> None:
        try:
            self._problem = _notify(self._url, self._notice)
        finally:
            self._places.release()
            self.over.set()


def _notice(body: bytes) -> dict[str, str]:
    """Read what ``render`` wrote; a body that waited as another format's is put in words, or shown as it is."""
    told = _read_notice(body)
    if told is None and (event := read_event(body)):
        told = _read_notice(Apprise().render(event).content)
    return told or {"title": "", "body": body.decode("utf-8", "replace")[:LONGEST_TEXT], "type": "info"}


def _read_notice(body: bytes) -> dict[str, str] | None:
    try:
        notice = json.loads(body)
    except (ValueError, RecursionError):
        return None
    names = ("title", "body", "type")
    if not isinstance(notice, dict) or not all(isinstance(notice.get(name), str) for name in names):
        return None
    return {name: notice[name] for name in names} if notice["type"] in {*TYPES.values()} else None


def _service(url: str) -> Any:
    """Have Apprise read the URL; ``None`` when it can't."""
    _silence()
    import apprise  # noqa: PLC0415  # optional, and slow to import

    # Without a time-out of its own Apprise sends in our thread; its pool's threads would keep the process from ending.
    asset = apprise.AppriseAsset(service_timeout=0, storage_mode=apprise.PersistentStoreMode.MEMORY)
    try:
        service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    except Exception:  # noqa: BLE001  # a plugin's mistake over a URL that is the user's
        return None
    if service is not None:
        service.retry = 0  # trying again is our schedule's
        service.optional = False  # or a failure would count as success
    return service


def _silence() -> None:
    """Keep what libraries log from every log; Apprise still gives the warnings of one notification with its result."""
    # What Apprise's plugins import that Python will drop is not for our users to mend.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"apprise(\.|$)")
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        logger.addHandler(_NOWHERE)  # the same one is added once


def _notify(url: str, notice: Mapping[str, str]) -> str | None:
    """Send; gives what went wrong, without the URL and its parts."""
    service = _service(url)
    if service is None:
        return "Apprise does not understand the URL"
    import apprise  # noqa: PLC0415  # not before it is silenced

    box = apprise.Apprise(asset=service.asset)
    box.add(service)
    try:
        result = box.notify(
            body=notice["body"],
            title=notice["title"],
            notify_type=apprise.NotifyType(notice["type"]),
            body_format=apprise.NotifyFormat.TEXT,
        )
    except Exception as error:  # noqa: BLE001  # a plugin's mistake must not end the daemon
        return f"Apprise raised {type(error).__name__}"
    return None if result else _why(url, (entry.message for entry in result.logs()))


def _why(url: str, lines: Iterable[str]) -> str:
    """Give what Apprise said, masked wherever it holds a part of the URL that may be a secret."""
    spellings = (url, unquote(url))
    redact = redactor(
        part for text in spellings for part in (text, *re.split(r"[^\w.-]+", text), *re.split(r"\W+", text))
    )
    text = re.sub(r"\w+://\S+", MASK, " ".join(lines))
    return redact(" ".join(text.split()))[:LONGEST_DETAIL] or "Apprise did not succeed and does not say why"
