"""Signatures of Standard Webhooks 1.0, symmetric (``v1``).

The signed bytes are ``{id}.{timestamp}.{raw body}``, the code is HMAC-SHA256, the key is what follows ``whsec_``, decoded.
Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. It is worked over
bytes and an ``int`` because the reference library signs text and naive datetimes, and accepts keys of one byte.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from notifier.secret import Secret

PREFIX = "whsec_"
SHORTEST_KEY = 24  # bytes; the specification's bounds
LONGEST_KEY = 64


def sign(event_id: str, timestamp: int, body: bytes, secrets: Sequence[Secret]) -> str:
    """Give the value of ``webhook-signature``: one signature per secret, so that old and new verify while rotating.

    ``timestamp`` is in unix seconds, of this attempt.

    :raises ValueError: when a secret is not one; the config loader refuses those before they come here.
    """
    signed = f"{event_id}.{timestamp}.".encode() + body
    return " ".join(_signature(read_secret(secret.reveal()), signed) for secret in secrets)


def _signature(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def read_secret(text: str) -> bytes:
    """Give the key that a signing secret spells; base64 padding may be missing, as in the reference library.

    :raises ValueError: with a message fit for the user, which never shows the value.
    """
    if not text.startswith(PREFIX):
        raise ValueError(f"a signing secret begins with {PREFIX}")
    key = _decode(text.removeprefix(PREFIX))
    if not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        raise ValueError(
            f"a signing secret holds {SHORTEST_KEY} to {LONGEST_KEY} bytes after {PREFIX} (base64), this one holds {len(key)}"
        )
    return key


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)
    except (binascii.Error, ValueError):
        # Neither cause nor context: a library's message may quote what it could not read.
        raise ValueError(f"what follows {PREFIX} in a signing secret is not base64 (A-Z a-z 0-9 + /)") from None
