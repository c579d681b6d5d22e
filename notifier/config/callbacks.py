"""From callback forms to callbacks."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from notifier.config.formats import OptionReader, url_check
from notifier.config.names import check_known
from notifier.config.nodes import Path, Scalar, quoted
from notifier.config.problems import Report
from notifier.config.schema import CallbackForm, HeaderForm
from notifier.config.secrets import Vault, check_header_value, check_signing_secret
from notifier.config.suggest import choices
from notifier.config.transport import PROXY_SPELLINGS, TransportReader
from notifier.config.urls import is_in_the_clear, warn_of_refused_address
from notifier.delivery.formats.contract import Format
from notifier.delivery.settings import DEFAULT_EVENTS, Callback, OnUnknown
from notifier.delivery.signing import MAKE_SECRET
from notifier.model import OPERATOR_EVENTS, EventType
from notifier.secret import Secret

DEFAULT_FORMAT = "webhook"

EVENT_PATTERNS = (*dict.fromkeys(f"{event.partition('.')[0]}.*" for event in EventType), *EventType)

# What every request has anyway, or what the connection decides.
RESERVED_HEADERS = frozenset(
    {
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    }
)

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")  # RFC 9110, section 5.6.2: a token


@dataclass(frozen=True, slots=True)
class CallbackReader:
    """Reads callbacks. Where something is wrong it reports that and goes on with the rest."""

    vault: Vault
    report: Report
    defaults: Mapping[str, Any]  # of ``delivery``: timeout, on_unknown, max_attempts
    formats: Mapping[str, Format]

    def read(self, name: str, form: CallbackForm) -> Callback | None:
        """Give the callback, or ``None`` when it can't be used."""
        path: Path = ("callbacks", name)
        format_ = form.format or DEFAULT_FORMAT
        check_known((*path, "format"), "format", format_, self.formats, self.report)
        traits = self.formats.get(format_)
        url = self._url(path, form, traits)
        secrets = self._secrets(path, form, traits)
        headers = self._headers(path, form.headers or {})
        reader = TransportReader(self.vault, self.report)
        transport, auth = reader.transport(path, form, url), reader.auth(path, form)
        events = self._events(path, form)
        if traits is None:
            return None
        options = OptionReader(self.report, self.vault.folder, self.formats, tries=self.vault.reads)
        set_as = options.read(path, form, traits, events)
        if url is None:
            return None
        more = {**self._numbers(form, traits), "transport": transport, "auth": auth}
        return Callback(name, url, format_, secrets, headers, events, options=set_as, **more)

    def _numbers(self, form: CallbackForm, traits: Format) -> dict[str, Any]:
        own = {key: getattr(form, key) for key in ("timeout", "concurrency", "rate", "max_attempts")}
        own["on_unknown"] = OnUnknown(form.on_unknown) if form.on_unknown else None
        given = {key: value for key, value in own.items() if value is not None}
        of_format = {"rate": traits.default_rate, "concurrency": traits.default_concurrency}
        return {**self.defaults, **of_format, **given}

    def _url(self, path: Path, form: CallbackForm, traits: Format | None) -> Secret | None:
        key = self.vault.spelling(path, ("url", "url_file", "url_credential"), required="the callback's URL")
        scalar: Scalar | None = getattr(form, key) if key else None
        if key is None or scalar is None:
            return None
        url = self.vault.one((*path, key), key, scalar, url_check(traits))
        if url and is_in_the_clear(url.reveal()):
            message = "http:// to another machine: everyone on the way can read what is sent"
            self.report.warn((*path, key), message, "use https://")
        if url and not any(name in self.report.keys(*path) for name in PROXY_SPELLINGS):
            warn_of_refused_address(url.reveal(), (*path, key), self.report)
        return url

    def _secrets(self, path: Path, form: CallbackForm, traits: Format | None) -> tuple[Secret, ...]:
        names = ("secret", "secret_file", "secret_credential")
        given = [name for name in names if name in self.report.keys(*path)]
        if given and traits and not traits.takes_secret:
            hint = f"leave it out, or use format: {DEFAULT_FORMAT}"
            self.report.error((*path, given[0]), f"the format {traits.name} signs nothing", hint, on_key=True)
            return ()
        if not given and traits and traits.expects_secret:
            message = "unsigned: without a secret the receiver can't tell who calls"
            self.report.warn(path, message, f"add `secret: whsec_…`; {MAKE_SECRET}", on_key=True)
        key = self.vault.spelling(path, names, required=None)
        if key == "secret":
            return self._literal_secrets((*path, key), form.secret or [])
        scalar: Scalar | None = getattr(form, key) if key else None
        if key is None or scalar is None:
            return ()
        return self.vault.several((*path, key), key, scalar, check_signing_secret)

    def _literal_secrets(self, path: Path, scalars: Sequence[Scalar | None]) -> tuple[Secret, ...]:
        if not scalars and not self.report.has_errors_under(path):
            self.report.error(path, "the list of secrets is empty", f"list one at least; {MAKE_SECRET}")
        read = (
            self.vault.one((*path, number), "secret", scalar, check_signing_secret)
            for number, scalar in enumerate(scalars)
            if scalar
        )
        return tuple(secret for secret in read if secret)

    def _headers(self, path: Path, forms: Mapping[str, HeaderForm | None]) -> dict[str, Secret]:
        headers: dict[str, Secret] = {}
        seen: dict[str, Path] = {}
        for name, form in forms.items():
            at = (*path, "headers", name)
            value = self._header_value(at, form) if form else None
            if self._accepts_header(at, name, seen) and value:
                headers[name] = value
        return headers

    def _accepts_header(self, path: Path, name: str, seen: dict[str, Path]) -> bool:
        lower = name.lower()
        first = seen.setdefault(lower, path)
        if not _HEADER_NAME.fullmatch(name):
            self.report.error(
                path, f"{quoted(name)} can't be a header's name", "use letters, digits and -", on_key=True
            )
        elif lower in RESERVED_HEADERS:
            self.report.error(path, f"the header {name} is set by notifier itself", "leave it out", on_key=True)
        elif lower == "authorization" and "auth" in self.report.keys(*path[:2]):
            self.report.error(path, "`auth` says what this header holds", "keep one of the two", on_key=True)
        elif first != path:
            message = f"the header {name} stands here again; it is already on line {self.report.line_of(first)}"
            self.report.error(path, message, "keep one of the two; case makes no difference", on_key=True)
        else:
            return True
        return False

    def _header_value(self, path: Path, form: HeaderForm) -> Secret | None:
        is_short = self.report.is_short(path)
        key = (
            "value"
            if is_short
            else self.vault.spelling(path, ("value", "file", "credential"), required="the header's value")
        )
        scalar: Scalar | None = getattr(form, key) if key else None
        if key is None or scalar is None:
            return None
        return self.vault.one(path if is_short else (*path, key), key, scalar, check_header_value)

    def _events(self, path: Path, form: CallbackForm) -> tuple[str, ...]:
        if form.events is None:
            return DEFAULT_EVENTS
        if not form.events:
            hint = f"list one at least, or leave it out for {', '.join(DEFAULT_EVENTS)}"
            self.report.error((*path, "events"), "no events: this callback would never be told anything", hint)
        for number, pattern in enumerate(form.events):
            if pattern is not None and not any(fnmatchcase(event, pattern) for event in EventType):
                at = (*path, "events", number)
                self.report.error(at, "this pattern matches no event type", choices(pattern, EVENT_PATTERNS))
        return tuple(pattern for pattern in form.events if pattern is not None)


def warn_of_silence(callbacks: Mapping[str, Callback], report: Report) -> None:
    """Warn where nobody would learn that an account is rejected, a callback disabled or a delivery dead."""
    if not callbacks:
        report.warn((), "no callbacks: nobody is told when a task ends", "add one under `callbacks`")
        return
    groups = sorted({event.partition(".")[0] for event in OPERATOR_EVENTS})
    unheard = [group for group in groups if not any(_hears(callback, group) for callback in callbacks.values())]
    if unheard:
        patterns = ", ".join(f"{group}.*" for group in unheard)
        message = (
            f"no callback asks for {patterns}: trouble of that kind shows only in the log and in `notifier status`"
        )
        report.warn(
            ("callbacks",), message, f"add {patterns} to the events of a callback that people read", on_key=True
        )


def _hears(callback: Callback, group: str) -> bool:
    return any(callback.wants(event) for event in OPERATOR_EVENTS if event.startswith(f"{group}."))
