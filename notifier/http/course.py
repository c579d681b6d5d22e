"""How far an exchange got, and what that makes of its end."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from notifier.http.messages import Failure, Reach, Reason, Response, Trouble


@dataclass(slots=True)
class Answer:
    """An answer that is coming in; from its head on it counts, whatever becomes of its body."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytearray = field(default_factory=bytearray)
    complete: bool = False

    def response(self, max_bytes: int) -> Response:
        """Give what came of it, unpacked, at most ``max_bytes``."""
        body, truncated = unpack(bytes(self.body), self.headers.get("content-encoding", ""), max_bytes)
        return Response(self.status, self.headers, body, truncated or not self.complete)


@dataclass(slots=True)
class Course:
    """One exchange, as its parts report on it."""

    doing: str = "waiting for a free connection"
    sending: bool = False  # a byte of the request may have been written
    sent: bool = False  # all of them
    answer: Answer | None = None

    def ended(self, trouble: Trouble, max_bytes: int) -> Response | Failure:
        """Say what an exchange has come to that ended in ``trouble``."""
        if self.answer is not None:
            return self.answer.response(max_bytes)
        return Failure(Reach.UNKNOWN if self.sending else Reach.NOT_SENT, trouble.reason, trouble.detail)

    def timed_out(self, deadline: float) -> Trouble:
        """Say what it is to be here after ``deadline`` seconds."""
        if not self.sending:
            return Trouble(Reason.TIMEOUT_CONNECT, f"no connection within {deadline:g} s: {self.doing}")
        if not self.sent:
            return Trouble(Reason.TIMEOUT_WRITE, f"the request was not taken within {deadline:g} s")
        return Trouble(Reason.TIMEOUT_READ, f"no answer within {deadline:g} s")


def unpack(raw: bytes, encoding: str, max_bytes: int) -> tuple[bytes, bool]:
    """Undo a compression nobody asked for, never growing past ``max_bytes`` (a bomb of 64 KiB unpacks to 64 MiB).

    Gives the body, and whether something of it is missing.
    """
    if encoding.strip().lower() in {"", "identity"}:
        return raw[:max_bytes], len(raw) > max_bytes
    if encoding.strip().lower() not in {"gzip", "x-gzip", "deflate"}:
        return b"", True
    unpacker = zlib.decompressobj(wbits=47)  # 32 + 15: gzip or zlib, told by the header
    try:
        body = unpacker.decompress(raw, max_bytes)
    except zlib.error:
        return b"", True
    return body, not unpacker.eof
