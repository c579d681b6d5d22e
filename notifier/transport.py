"""How a destination is reached: whom TLS trusts, who we say we are, which proxy is asked. Values alone."""

from dataclasses import dataclass, field
from pathlib import Path

from notifier.secret import Secret


@dataclass(frozen=True, slots=True)
class Tls:
    """Whose certificates are believed, and the one we show. All files are PEM, read when the connections are made."""

    ca_file: Path | None = None  # trusted instead of the public authorities
    cert_file: Path | None = None  # ours, with its chain; it may hold the key, too
    key_file: Path | None = None
    verify: bool = True  # False: whoever answers is believed


@dataclass(frozen=True, slots=True)
class Transport:
    """The way to one destination."""

    tls: Tls = field(default_factory=Tls)
    proxy: Secret | None = None  # a URL, perhaps with user and password; None: what the environment says
