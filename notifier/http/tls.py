"""TLS: the contexts that settings ask for, and the handshake."""

import functools
import ssl
from pathlib import Path
from typing import NoReturn

import anyio
import httpx
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

from notifier.errors import ConfigError
from notifier.http.messages import Reason, Trouble
from notifier.transport import Tls


class UnusableTls(ConfigError):
    """A file of the TLS settings can't be used; ``key`` is the setting that names it."""

    def __init__(self, key: str, message: str, hint: str) -> None:
        super().__init__(f"tls.{key}: {message}; {hint}")
        self.key = key
        self.message = message
        self.hint = hint


@functools.cache
def public_context() -> ssl.SSLContext:
    """Give the one context of the process that trusts the public authorities: each costs ~100 ms to make."""
    return _speaking_http(httpx.create_ssl_context())


def make_context(tls: Tls) -> ssl.SSLContext:
    """Give the context that ``tls`` asks for.

    :raises UnusableTls: when a file is missing or holds something else.
    """
    if tls == Tls():
        return public_context()
    context = _speaking_http(_trusting(tls))
    if tls.cert_file is not None:
        _show_certificate(context, tls.cert_file, tls.key_file)
    return context


def _speaking_http(context: ssl.SSLContext) -> ssl.SSLContext:
    context.set_alpn_protocols(["http/1.1"])
    return context


def _trusting(tls: Tls) -> ssl.SSLContext:
    if tls.verify and tls.ca_file is None:
        return httpx.create_ssl_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca_file is not None:
        _trust(context, tls.ca_file)
    return context


def _trust(context: ssl.SSLContext, file: Path) -> None:
    _read("ca_file", file)
    # So that a single certificate, which no authority signed, may be named as well as an authority.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cafile=file)
    except (ssl.SSLError, OSError):
        raise UnusableTls(
            "ca_file", "it holds no certificate", "PEM is expected: -----BEGIN CERTIFICATE-----"
        ) from None


def _show_certificate(context: ssl.SSLContext, cert_file: Path, key_file: Path | None) -> None:
    key_at, key_name = (key_file, "key_file") if key_file is not None else (cert_file, "cert_file")
    if b"-----BEGIN CERTIFICATE" not in _read("cert_file", cert_file):
        raise UnusableTls("cert_file", "it holds no certificate", "PEM is expected: -----BEGIN CERTIFICATE-----")
    if b"PRIVATE KEY-----" not in _read(key_name, key_at):
        hint = "PEM is expected: -----BEGIN PRIVATE KEY-----"
        raise UnusableTls(
            key_name, "it holds no private key", hint if key_file else f"name its file in key_file; {hint}"
        )
    try:
        context.load_cert_chain(cert_file, key_at, password=functools.partial(_refuse_password, key_name))
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UnusableTls(
                key_name, "the key is not the certificate's", "name the pair that was made together"
            ) from None
        raise UnusableTls(
            key_name, f"certificate or key can't be read: {words_of(error)}", "make the pair again"
        ) from None


def _refuse_password(key_name: str) -> NoReturn:
    """Stand in for OpenSSL's question on the terminal."""
    raise UnusableTls(key_name, "the key has a password", "take it off: openssl pkey -in old.key -out new.key")


def _read(key: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "not a file name"
        hint = (
            "let the user that runs notifier read it" if isinstance(error, PermissionError) else "name a readable file"
        )
        raise UnusableTls(key, f"it can't be read: {why}", hint) from None


async def shake_hands(stream: ByteStream, context: ssl.SSLContext, host: str) -> ByteStream:
    """Begin TLS on ``stream`` with ``host``, whose name the certificate must bear; the stream is closed when it fails.

    :raises Trouble: ``tls_error``, or ``connection_reset`` when the other side hung up.
    """
    try:
        return await TLSStream.wrap(
            stream, server_side=False, hostname=host, ssl_context=context, standard_compatible=False
        )
    except ssl.SSLError as error:
        raise Trouble(Reason.TLS_ERROR, words_of(error)) from None
    except (ValueError, UnicodeError):
        raise Trouble(Reason.TLS_ERROR, "the host's name can't stand in a certificate") from None
    except (anyio.EndOfStream, anyio.BrokenResourceError, OSError):
        raise Trouble(Reason.CONNECTION_RESET, "the connection was closed during the TLS handshake") from None


def words_of(error: ssl.SSLError) -> str:
    """Give OpenSSL's reason without its brackets and line numbers."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.reason or "TLS failed").replace("_", " ").lower()
