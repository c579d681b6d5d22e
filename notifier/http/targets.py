"""What a URL says: where to connect and what to ask for there."""

from dataclasses import dataclass
from typing import NamedTuple

import httpx

from notifier.http.messages import Reason, Trouble


class Origin(NamedTuple):
    """Who is spoken to. ``host`` is ASCII, without brackets."""

    scheme: str  # "http" or "https"
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Host and port, as CONNECT wants them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """A URL, taken apart."""

    origin: Origin
    host: str  # what the Host header says: without the port where it is the scheme's own
    path: str  # with the query

    @property
    def absolute(self) -> str:
        """The whole URL, as a proxy is asked for it."""
        return f"{self.origin.scheme}://{self.host}{self.path}"


def read_target(url: str | httpx.URL) -> Target:
    """Take ``url`` apart; user and password are left out.

    :raises Trouble: when no request can be sent there. It quotes nothing: a URL may be a secret.
    """
    try:
        parsed = httpx.URL(url)
        port = parsed.port or (443 if parsed.scheme == "https" else 80)
        origin = Origin(parsed.scheme, parsed.raw_host.decode("ascii"), port)
        target = Target(origin, parsed.netloc.decode("ascii"), parsed.raw_path.decode("ascii"))
    except (httpx.InvalidURL, ValueError):
        raise Trouble(Reason.INVALID_URL, "the URL can't be read") from None
    if origin.scheme not in {"http", "https"} or not origin.host:
        raise Trouble(Reason.INVALID_URL, "not an absolute http:// or https:// URL")
    return target
