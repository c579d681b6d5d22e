"""Checks Standard Webhooks 1.0 signatures, from the receiver's side and independently of the code that signs."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping

TOLERANCE = 300  # seconds that webhook-timestamp may be off, either way
_PREFIX = "whsec_"


def signing_key(secret: str) -> bytes:
    """Read a ``whsec_…`` secret.

    :raises ValueError: when it is not base64 of 24 to 64 bytes.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(_PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError("a webhook secret is whsec_ and the base64 of 24 to 64 random bytes")
    return key


def signature_problem(headers: Mapping[str, str], body: bytes, keys: Iterable[bytes], now: float) -> str | None:
    """Say what is wrong with a request's signature; ``None`` when one of ``keys`` made it. Header names are lower-case."""
    event_id, timestamp, offered = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not (event_id and timestamp and offered):
        return "not signed: webhook-id, webhook-timestamp and webhook-signature are required"
    if not (timestamp.isascii() and timestamp.isdecimal()):
        return "webhook-timestamp is not in unix seconds"
    if abs(now - int(timestamp)) > TOLERANCE:
        return "webhook-timestamp is more than 5 minutes off"
    signed = f"{event_id}.{timestamp}.".encode() + body
    candidates = [
        signature for version, _, signature in (entry.partition(",") for entry in offered.split()) if version == "v1"
    ]
    # Every pair is compared, so that the time taken does not tell which of them was near.
    matches = [hmac.compare_digest(_sign(key, signed), candidate.encode()) for key in keys for candidate in candidates]
    return None if any(matches) else "webhook-signature does not match"


def _sign(key: bytes, signed: bytes) -> bytes:
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
