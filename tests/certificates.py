"""Certificates for tests, made on the spot."""

import datetime as dt
import ssl
from pathlib import Path

import trustme


class Authority:
    """A private authority: its own certificate as a file, and server contexts with certificates it gave."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self._folder = folder
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def serves(self, *names: str, expired: bool = False, asks: bool = False, newest: bool = True) -> ssl.SSLContext:
        """A server's context for ``names``; ``asks`` for a client's certificate; ``newest``: TLS 1.3, else 1.2."""
        yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*(names or ["127.0.0.1"]), not_after=yesterday if expired else None).configure_cert(context)
        if asks:
            context.verify_mode = ssl.CERT_REQUIRED
            self._ca.configure_trust(context)
        if not newest:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context

    def client(self, name: str = "client") -> tuple[Path, Path]:
        """A client's certificate and key, as files."""
        pair = self._ca.issue_cert(f"{name}@example.com")
        cert, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        pair.cert_chain_pems[0].write_to_path(cert)
        pair.private_key_pem.write_to_path(key)
        key.chmod(0o600)
        return cert, key


def encrypted(key: Path, password: bytes) -> Path:
    """The same key behind a password, as another file."""
    from cryptography.hazmat.primitives import serialization as form

    opened = form.load_pem_private_key(key.read_bytes(), None)
    locked = key.with_suffix(".locked")
    locked.write_bytes(
        opened.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(password))
    )
    return locked
