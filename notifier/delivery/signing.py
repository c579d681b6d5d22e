"""Signatures of Standard Webhooks 1.0: symmetric (``v1``) and asymmetric (``v1a``).

The signed bytes are ``{id}.{timestamp}.{raw body}``. ``v1`` is HMAC-SHA256 under a secret that the receiver shares,
``whsec_…``; ``v1a`` is Ed25519 (RFC 8032) under a private key, ``whsk_…``, of which the receiver has the public half
alone, ``whpk_…``.
Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. It is worked over
bytes and an ``int`` because the reference library signs text and naive datetimes, and accepts keys of one byte.

The specification asks for "a standard ed25519 key pair" in base64 and gives no length. Both standard encodings of a
private key are read: the seed alone (32 bytes, RFC 8032's private key), and seed and public key (64 bytes, NaCl's,
which the specification's own example was signed with). We write the longer one: its second half is a checksum.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from notifier.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET_PREFIX = "whsec_"  # noqa: S105  # no secret, but how one begins
PRIVATE_PREFIX = "whsk_"
PUBLIC_PREFIX = "whpk_"

SHORTEST_SECRET = 24  # bytes; the specification's bounds
LONGEST_SECRET = 64
NEW_SECRET = 32  # bytes that a new secret or seed is made of

SEED = 32  # bytes; RFC 8032, section 5.1.5
PUBLIC_KEY = 32

MAKE_SECRET = "make one with: notifier callback secret"  # noqa: S105  # no secret either
MAKE_PRIVATE = "make one with: notifier callback secret --ed25519"
INSTALL = "install it where notifier is: pip install cryptography (or notifier with its extra, ed25519)"


class UnusableSecret(ValueError):
    """A text that can't sign. Neither message nor remedy shows the value."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class SigningKey(Protocol):
    """What a signing secret holds."""

    def sign(self, content: bytes) -> str:
        """Give the signature as ``webhook-signature`` lists it: version, comma, base64."""


@dataclass(frozen=True, slots=True)
class SharedKey:
    """The key of ``whsec_…``."""

    key: bytes = field(repr=False)

    def sign(self, content: bytes) -> str:
        """Give ``v1,…``."""
        return "v1," + _base64(hmac.digest(self.key, content, hashlib.sha256))


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """The key of ``whsk_…``."""

    key: "Ed25519PrivateKey" = field(repr=False)

    def sign(self, content: bytes) -> str:
        """Give ``v1a,…``."""
        return "v1a," + _base64(self.key.sign(content))

    @property
    def public(self) -> str:
        """The public half, ``whpk_…``: no secret."""
        return PUBLIC_PREFIX + _base64(self.key.public_key().public_bytes_raw())

    def spelled(self) -> str:
        """Write the key as a signing secret."""
        return PRIVATE_PREFIX + _base64(self.key.private_bytes_raw() + self.key.public_key().public_bytes_raw())


def sign(event_id: str, timestamp: int, body: bytes, secrets: Sequence[Secret]) -> str:
    """Give the value of ``webhook-signature``: one signature per secret, so that old and new verify while rotating.

    ``timestamp`` is in unix seconds, of this attempt.

    :raises UnusableSecret: when a secret is not one; the config loader refuses those before they come here.
    """
    content = f"{event_id}.{timestamp}.".encode() + body
    return " ".join(read_secret(secret.reveal()).sign(content) for secret in secrets)


def new_secret(random: bytes) -> str:
    """Write ``NEW_SECRET`` random bytes as a shared secret, ``whsec_…``."""
    return SECRET_PREFIX + _base64(random)


def new_private_key(seed: bytes) -> PrivateKey:
    """Make a private key of 32 random bytes.

    :raises UnusableSecret: without the library for it.
    """
    return PrivateKey(_load(seed))


def public_keys(secrets: Sequence[Secret]) -> tuple[str, ...]:
    """Give the public half, ``whpk_…``, of each secret that has one.

    :raises UnusableSecret: when a secret is not one.
    """
    keys = [read_secret(secret.reveal()) for secret in secrets]
    return tuple(key.public for key in keys if isinstance(key, PrivateKey))


def read_secret(text: str) -> SigningKey:
    """Read a signing secret of either kind; base64 padding may be missing, as in the reference library.

    :raises UnusableSecret: when it is not one, or when the library for it is missing.
    """
    if text.startswith(SECRET_PREFIX):
        return _shared_key(_decode(text, SECRET_PREFIX, MAKE_SECRET))
    if text.startswith(PRIVATE_PREFIX):
        return _private_key(_decode(text, PRIVATE_PREFIX, MAKE_PRIVATE))
    if text.startswith(PUBLIC_PREFIX):
        message = f"{PUBLIC_PREFIX} begins a public key, which only verifies; the receiver needs it"
        raise UnusableSecret(message, f"give the private key, {PRIVATE_PREFIX}…, or {MAKE_PRIVATE}")
    message = f"a signing secret begins with {SECRET_PREFIX} (shared) or {PRIVATE_PREFIX} (private key)"
    raise UnusableSecret(message, MAKE_SECRET)


def _shared_key(key: bytes) -> SharedKey:
    if not SHORTEST_SECRET <= len(key) <= LONGEST_SECRET:
        message = f"the signing secret has {len(key)} bytes; {SHORTEST_SECRET} to {LONGEST_SECRET} are allowed"
        raise UnusableSecret(message, MAKE_SECRET)
    return SharedKey(key)


def _private_key(key: bytes) -> PrivateKey:
    if len(key) not in {SEED, SEED + PUBLIC_KEY}:
        message = f"the private key has {len(key)} bytes; {SEED} (seed) or {SEED + PUBLIC_KEY} (seed and public key) are allowed"
        raise UnusableSecret(message, MAKE_PRIVATE)
    private, public = PrivateKey(_load(key[:SEED])), key[SEED:]
    if public and public != private.key.public_key().public_bytes_raw():
        message = f"the two halves of the {PRIVATE_PREFIX} key don't belong together"
        raise UnusableSecret(message, f"check what was pasted here, or {MAKE_PRIVATE}")
    return private


def _load(seed: bytes) -> "Ed25519PrivateKey":
    try:
        # Here and not above: the library is an extra, and slow to import for those who don't use it.
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415  # as said
    except ImportError:
        message = f"{PRIVATE_PREFIX} needs the Python package cryptography, which is not installed"
        raise UnusableSecret(message, INSTALL) from None
    return Ed25519PrivateKey.from_private_bytes(seed)


def _decode(text: str, prefix: str, remedy: str) -> bytes:
    body = text.removeprefix(prefix).rstrip("=")
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        # Neither cause nor context: a library's message may quote what it could not read.
        raise UnusableSecret(f"the signing secret is not base64 (A-Z a-z 0-9 + /) after {prefix}", remedy) from None


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
