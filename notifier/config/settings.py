"""The configuration as the rest of the program sees it: frozen values, everything filled in."""

import html
import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote, quote_plus, unquote, urlsplit

from notifier.delivery.settings import Basic, Bearer, Callback
from notifier.hubspot.account import Account
from notifier.model import WatchRequest
from notifier.polling.settings import PollingSettings
from notifier.store.settings import Retention

# A shorter path, such as /hooks, is an ordinary word: masking it would garble every line.
SHORTEST_SECRET_PATH = 8

# A part of a path that is no word: twelve characters with letters and digits among them, or twenty of any kind.
LOOKS_SECRET = re.compile(r"(?=.*\d)(?=.*[^\W\d]).{12,}|.{20,}")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is logged and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "logfmt", "console"] = "auto"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the file says, checked, with the defaults filled in."""

    accounts: Mapping[str, Account]
    callbacks: Mapping[str, Callback]
    tasks: tuple[WatchRequest, ...]
    polling: PollingSettings
    schedule: tuple[float, ...]  # seconds before attempt 1, 2, 3, …
    store: Path
    log: LogSettings
    retention: Retention = field(default_factory=Retention)

    def listed(self) -> frozenset[str]:
        """Give the ids of the watches of the file's tasks."""
        return frozenset(task.key.watch_id for task in self.tasks)

    def secret_values(self) -> frozenset[str]:
        """Give every text that must never be shown, for ``notifier.secret.redactor``."""
        tokens = {account.token.reveal() for account in self.accounts.values()}
        plain = tokens.union(*map(_callback_secrets, self.callbacks.values()))
        return frozenset(spelling for secret in plain for spelling in _spellings(secret))


def _spellings(secret: str) -> Iterator[str]:
    """Give a secret as those may write it who quote it: as JSON, as PHP's JSON, in a page, in a URL."""
    in_json = json.dumps(secret)[1:-1]
    yield from (secret, in_json, in_json.replace("/", "\\/"), secret.replace("/", "\\/"))
    yield from (html.escape(secret), quote(secret), quote(secret, safe=""), quote_plus(secret))


def _callback_secrets(callback: Callback) -> Iterator[str]:
    yield callback.url.reveal()
    yield from _secret_path(callback.url.reveal())
    for secret in callback.secrets:
        yield secret.reveal()
        yield secret.reveal().removeprefix("whsec_").removeprefix("whsk_")
    for value in callback.headers.values():
        yield value.reveal()
        if " " in value.reveal():
            yield value.reveal().partition(" ")[2]  # without its scheme: Bearer, Basic
    yield from _auth_secrets(callback.auth)
    if callback.transport.proxy:
        yield from _proxy_secrets(callback.transport.proxy.reveal())


def _auth_secrets(auth: Bearer | Basic | None) -> Iterator[str]:
    if auth is not None:
        yield auth.header.reveal().partition(" ")[2]
    if isinstance(auth, Basic):
        yield auth.username.reveal()
        yield auth.password.reveal()


def _proxy_secrets(url: str) -> Iterator[str]:
    """Give what a proxy is shown, in each of its forms: in the URL, as it is, and as the header has it."""
    netloc = urlsplit(url).netloc
    if "@" not in netloc:
        return
    written = netloc.rpartition("@")[0]
    user, _, password = written.partition(":")
    plain = f"{unquote(user)}:{unquote(password)}"
    yield from (url, written, plain, user, password, unquote(user), unquote(password))
    yield b64encode(plain.encode()).decode()


def _secret_path(url: str) -> Iterator[str]:
    """Give the path and query of ``url``: libraries quote them without the host."""
    parts = urlsplit(url)
    target = parts._replace(scheme="", netloc="").geturl()
    if len(target) >= SHORTEST_SECRET_PATH:
        yield target
    # Receivers quote the end of a path, or write its slashes as \/ or %2F: what is secret in it is masked alone, too.
    # In a URL of Apprise's a token may stand where the host would.
    secret_part = target if parts.scheme in {"http", "https"} else f"{parts.netloc}/{target}"
    for part in re.split(r"[/?&=;:@]", secret_part):
        if LOOKS_SECRET.fullmatch(part):
            yield part
            yield unquote(part)
