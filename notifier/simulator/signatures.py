"""Checks Standard Webhooks 1.0 signatures, from the receiver's side and independently of the code that signs."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TOLERANCE = 300  # seconds that webhook-timestamp may be off, either way
_SHARED, _PUBLIC = "whsec_", "whpk_"


class VerifyingKey(Protocol):
    """What a receiver knows of the sender."""

    def made(self, version: str, signature: str, content: bytes) -> bool:
        """Tell whether the key, or its private half, made a signature of ``webhook-signature``."""


@dataclass(frozen=True, slots=True)
class _SharedKey:
    key: bytes = field(repr=False)

    def made(self, version: str, signature: str, content: bytes) -> bool:
        expected = base64.b64encode(hmac.digest(self.key, content, hashlib.sha256))
        return version == "v1" and hmac.compare_digest(expected, signature.encode())


@dataclass(frozen=True, slots=True)
class _PublicKey:
    key: "Ed25519PublicKey"

    def made(self, version: str, signature: str, content: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  # an extra, see _public_key

        try:
            self.key.verify(base64.b64decode(signature, validate=True), content)
        except (InvalidSignature, ValueError):
            return False
        return version == "v1a"


def signing_key(secret: str) -> VerifyingKey:
    """Read what verifies: a shared secret, ``whsec_…``, or a public key, ``whpk_…``.

    :raises ValueError: when it is neither base64 of 24 to 64 bytes nor of 32, or without the library for public keys.
    """
    prefix, _, encoded = secret.rpartition("_")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if prefix + "_" == _PUBLIC and len(key) == 32:
        return _public_key(key)
    if prefix + "_" == _SHARED and 24 <= len(key) <= 64:
        return _SharedKey(key)
    raise ValueError(
        "a webhook secret is whsec_ and the base64 of 24 to 64 random bytes, or whpk_ and that of a public key"
    )


def _public_key(key: bytes) -> _PublicKey:
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415  # an extra
    except ImportError:
        raise ValueError("a public key needs the Python package cryptography: pip install cryptography") from None
    return _PublicKey(Ed25519PublicKey.from_public_bytes(key))


def signature_problem(headers: Mapping[str, str], body: bytes, keys: Iterable[VerifyingKey], now: float) -> str | None:
    """Say what is wrong with a request's signature; ``None`` when one of ``keys`` made it. Header names are lower-case."""
    event_id, timestamp, offered = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not (event_id and timestamp and offered):
        return "not signed: webhook-id, webhook-timestamp and webhook-signature are required"
    if not (timestamp.isascii() and timestamp.isdecimal()):
        return "webhook-timestamp is not in unix seconds"
    if abs(now - int(timestamp)) > TOLERANCE:
        return "webhook-timestamp is more than 5 minutes off"
    content = f"{event_id}.{timestamp}.".encode() + body
    candidates = [(version, signature) for version, _, signature in (entry.partition(",") for entry in offered.split())]
    # Every pair is compared, so that the time taken does not tell which of them was near.
    matches = [key.made(version, signature, content) for key in keys for version, signature in candidates]
    return None if any(matches) else "webhook-signature does not match"
