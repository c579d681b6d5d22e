"""What would be sent, without sending it. Pure."""

from dataclasses import dataclass, replace
from typing import Any

from notifier.delivery.formats import format_of
from notifier.delivery.sender import request_to
from notifier.delivery.settings import Callback
from notifier.model import Claim
from notifier.secret import MASK

SIGNATURE = "webhook-signature"


@dataclass(frozen=True, slots=True)
class Preview:
    """The body, byte for byte, and the headers, whose secrets are masked."""

    headers: dict[str, str]  # empty where notifier sends no HTTP of its own
    body: bytes
    degraded: str | None  # why the body is not what the callback's format was to write

    def shape(self) -> dict[str, Any]:
        """Give it as JSON."""
        return {"headers": self.headers, "body": self.body.decode("utf-8", "replace"), "degraded": self.degraded}


def preview(callback: Callback, claim: Claim, at: int) -> Preview:
    """Give what would be sent for ``claim`` at ``at`` (unix seconds); needs none of the callback's secrets."""
    bare = replace(callback, secrets=(), headers={}, auth=None)
    request = request_to(bare, claim, at)
    return Preview(_headers(callback, dict(request.headers)), request.body, claim.body.degraded)


def _headers(callback: Callback, plain: dict[str, str]) -> dict[str, str]:
    chosen = format_of(callback)
    if not chosen.uses_http:
        return {}
    names = [name.lower() for name in callback.headers]
    names += ["authorization"] if callback.auth is not None else []
    names += [SIGNATURE] if callback.secrets and chosen.takes_secret else []
    return plain | dict.fromkeys(names, MASK)
