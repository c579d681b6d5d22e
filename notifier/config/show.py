"""The settings as ``config show`` prints them: everything filled in, no secret among them."""

from typing import Any
from urllib.parse import urlsplit

import yaml

from notifier.config.settings import Settings
from notifier.config.units import rate_text, span_text
from notifier.delivery.settings import Basic, Bearer, Callback
from notifier.hubspot.account import Account
from notifier.model import WatchRequest
from notifier.polling.settings import PollingSettings
from notifier.secret import MASK, Secret
from notifier.transport import Tls


def shown(settings: Settings) -> dict[str, Any]:
    """Give the effective settings as plain values, durations as text, secrets as ``****``."""
    return {
        "accounts": {name: _account(account) for name, account in settings.accounts.items()},
        "callbacks": {name: _callback(callback) for name, callback in settings.callbacks.items()},
        "tasks": [_task(task) for task in settings.tasks],
        "polling": _polling(settings.polling),
        "delivery": {"schedule": [span_text(delay) for delay in settings.schedule]},
        "store": str(settings.store),
        "retention": {"delivered": span_text(settings.retention.delivered), "dead": span_text(settings.retention.dead)},
        "log": {"level": settings.log.level, "format": settings.log.format},
    }


def as_yaml(settings: dict[str, Any]) -> str:
    """Write what ``shown`` gave as YAML."""
    text: str = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
    return text


def shown_url(url: str) -> str:
    """Give scheme and host of a URL, which are all of it that may be seen.

    >>> shown_url("https://hooks.slack.com/services/T0/B0/x")
    'https://hooks.slack.com/****'
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:  # what stands where the host would may be a token
        return f"{parts.scheme}://{MASK}"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/{MASK}"


def _account(account: Account) -> dict[str, Any]:
    return {
        "token": str(account.token),
        "base_url": account.base_url,
        "api_version": account.api_version,
        "rate_limit": rate_text(account.rate_limit),
    }


def _callback(callback: Callback) -> dict[str, Any]:
    return {
        "format": callback.format,
        **callback.options,
        "url": shown_url(callback.url.reveal()),
        "secret": [str(secret) for secret in callback.secrets],
        "headers": {name: str(value) for name, value in callback.headers.items()},
        "auth": _auth(callback.auth),
        "tls": _tls(callback.transport.tls),
        "proxy": _proxy(callback.transport.proxy),
        "events": list(callback.events),
        "timeout": span_text(callback.timeout),
        "on_unknown": str(callback.on_unknown),
        "concurrency": callback.concurrency,
        "rate": rate_text(callback.rate),
        "max_attempts": callback.max_attempts,
    }


def _auth(auth: Bearer | Basic | None) -> dict[str, Any] | None:
    if isinstance(auth, Basic):
        return {"basic": {"username": str(auth.username), "password": str(auth.password)}}
    return {"bearer": str(auth.token)} if auth else None


def _tls(tls: Tls) -> dict[str, Any]:
    files = {"ca_file": tls.ca_file, "cert_file": tls.cert_file, "key_file": tls.key_file}
    return {**{key: file and str(file) for key, file in files.items()}, "verify": tls.verify}


def _proxy(proxy: Secret | None) -> str | None:
    return shown_url(proxy.reveal()).removesuffix(f"/{MASK}") if proxy else None


def _task(task: WatchRequest) -> dict[str, Any]:
    return {
        "id": task.key.task_id,
        "account": task.key.account,
        "kind": task.key.kind,
        "label": task.label,
        "callbacks": None if task.callbacks is None else list(task.callbacks),
        "deadline": span_text(task.deadline),
    }


def _polling(polling: PollingSettings) -> dict[str, Any]:
    return {
        "request_cost": span_text(polling.request_cost),
        "deadline": span_text(polling.deadline),
        "timeout": span_text(polling.timeout),
        "concurrency": polling.concurrency,
        "lost_after_answers": polling.lost_after_answers,
        "lost_after": span_text(polling.lost_after),
    }
