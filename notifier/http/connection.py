"""One HTTP/1.1 connection: one exchange after another, each bounded in bytes."""

import select
import ssl
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import anyio
import h11
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSAttribute

from notifier.http.course import Answer, Course
from notifier.http.messages import Reason, Trouble
from notifier.http.tls import words_of

# What is taken from the socket at once: little, because it is parsed without letting anybody else run.
AT_ONCE = 16 * 1024  # bytes

# A longer head of an answer is refused, as soon as so much of it has come that it is not whole.
LONGEST_HEAD = 64 * 1024  # bytes

# What an answer may have beside its body: interim answers, the head, the frames of chunks, trailers.
MOST_OVERHEAD = 128 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Message:
    """A request as it is written."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    body: bytes


class Connection:
    """A connection to one origin, or to a proxy that forwards to it."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self.reusable = False  # after an exchange: everything was read, and the other side keeps it open
        self._wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=LONGEST_HEAD)
        self._received = 0  # bytes, in this exchange
        self._budget = 0  # bytes that may be received in this exchange
        self._more_waits = False  # the last read was cut: the rest waits where nobody can see it

    async def exchange(self, message: Message, course: Course, max_bytes: int) -> Answer:
        """Send ``message`` and read the answer into ``course``: of its body a little more than ``max_bytes``.

        :raises Trouble: when it can't be sent, or the answer breaks off.
        """
        self.reusable = False
        self._received, self._budget = 0, max_bytes + MOST_OVERHEAD
        written = self._written(message)
        course.sending = True
        await self._send(written)
        course.sent = True
        course.answer = await self._head()
        await self._read_body(course.answer, max_bytes)
        self._finish(course.answer)
        return course.answer

    def is_quiet(self) -> bool:
        """Tell whether nothing has come since the last exchange: no end of the connection, no answer nobody asked for."""
        tls: ssl.SSLObject | None = self.stream.extra(TLSAttribute.ssl_object, None)  # noqa: S610  # not Django's
        if tls is not None and not _has_read_all(tls):
            return False
        poll = select.poll()
        try:
            poll.register(self.stream.extra(SocketAttribute.raw_socket), select.POLLIN)  # noqa: S610  # not Django's
        except (ValueError, OSError):
            return False  # closed
        return not poll.poll(0)

    def _written(self, message: Message) -> bytes:
        """Give the request's bytes, all of them at once: small packets wait for each other (RFC 896)."""
        try:
            head = h11.Request(method=message.method, target=message.target, headers=list(message.headers))
            events = [head, h11.Data(data=message.body), h11.EndOfMessage()]
            return b"".join(self._wire.send(event) or b"" for event in events)
        except (h11.LocalProtocolError, UnicodeError):
            # It quotes nothing: a header may be a secret.
            raise Trouble(Reason.INVALID_REQUEST, "a header or the URL can't stand in a request") from None

    async def _send(self, written: bytes) -> None:
        # A receiver may refuse a request before it is through: then its answer waits to be read.
        with suppress(anyio.BrokenResourceError, OSError):
            await self.stream.send(written)

    async def _head(self) -> Answer:
        while True:
            event = await self._next_event()
            if isinstance(event, h11.Response):
                return Answer(event.status_code, _merged(event.headers))

    async def _read_body(self, answer: Answer, max_bytes: int) -> None:
        while len(answer.body) <= max_bytes:
            event = await self._next_event()
            if isinstance(event, h11.Data):
                answer.body += event.data
            elif isinstance(event, h11.EndOfMessage):
                answer.complete = True
                return

    def _finish(self, answer: Answer) -> None:
        wire = self._wire
        if not answer.complete or wire.their_state is not h11.DONE or wire.our_state is not h11.DONE:
            return
        if wire.trailing_data == (b"", False) and not self._more_waits:
            wire.start_next_cycle()
            self.reusable = True

    async def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            while (event := self._wire.next_event()) is h11.NEED_DATA:
                await self._receive()
        except h11.RemoteProtocolError as error:
            raise Trouble(Reason.PROTOCOL_ERROR, _without_quotes(str(error))) from None
        return event

    async def _receive(self) -> None:
        chunk = await self._read()
        if not chunk and not self._received:
            raise Trouble(Reason.CONNECTION_RESET, "the connection was closed without an answer")
        self._received += len(chunk)
        self._more_waits = len(chunk) == AT_ONCE
        if self._received > self._budget:
            raise Trouble(Reason.PROTOCOL_ERROR, "the answer goes on and on before its body")
        self._wire.receive_data(chunk)

    async def _read(self) -> bytes:
        try:
            return await self.stream.receive(AT_ONCE)
        except anyio.EndOfStream:
            return b""
        except ssl.SSLError as error:
            raise Trouble(Reason.TLS_ERROR, words_of(error)) from None
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            raise Trouble(Reason.CONNECTION_RESET, "the connection broke") from None


def _has_read_all(tls: ssl.SSLObject) -> bool:
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return True
    except ssl.SSLError:
        return False
    return False  # a byte nobody asked for, or the other side's farewell


def _merged(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Give headers as a mapping; what stands in several lines is joined, as RFC 9110, section 5.3 allows."""
    merged: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        merged[key] = f"{merged[key]}, {text}" if key in merged else text
    return merged


def _without_quotes(text: str) -> str:
    """Cut what h11 quotes of the answer: it may echo a secret."""
    return text.partition(": bytearray")[0].partition(": b'")[0]
