"""What goes out, what comes back, and the words for what goes wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Reach(StrEnum):
    """How far a request got that brought no answer."""

    NOT_SENT = "not_sent"  # no byte of it was written: the receiver can't have acted on it
    UNKNOWN = "unknown"  # bytes went out; nobody can tell


class Reason(StrEnum):
    """Why there is no answer. The words are fixed: they are recorded and label metrics."""

    INVALID_URL = "invalid_url"
    INVALID_REQUEST = "invalid_request"
    DNS_ERROR = "dns_error"
    ADDRESS_REFUSED = "address_refused"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_RESET = "connection_reset"
    CONNECT_ERROR = "connect_error"
    PROXY_ERROR = "proxy_error"
    TLS_ERROR = "tls_error"
    TIMEOUT_CONNECT = "timeout_connect"
    TIMEOUT_WRITE = "timeout_write"
    TIMEOUT_READ = "timeout_read"
    PROTOCOL_ERROR = "protocol_error"


@dataclass(frozen=True, slots=True)
class Request:
    """One request; ``body`` is sent as it is."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; header names are lower-case.

    ``truncated``: the body went on past the bound, broke off, or did not unpack. The status counts all the same: it is
    what the receiver said.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer. ``reason`` is one of ``Reason``; ``detail`` is for people, and holds nothing of a URL but its host."""

    reach: Reach
    reason: str
    detail: str = ""


class Trouble(Exception):  # a signal inside this package: it becomes a Failure before it leaves
    """What ended an exchange. Its words are ours or the operating system's, never bytes that somebody sent."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
