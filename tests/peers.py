"""Servers that behave as badly as a test wants, on real sockets, and the certificates they show."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Behave = Callable[["Visit"], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Visit:
    """One connection to a peer."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    peer: "Peer"

    async def request(self) -> bytes:
        """Read a request's head and body, and remember it; nothing when the other side hung up."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().splitlines() if line.startswith(b"content-length")), 0
        )
        request = head + await self.reader.readexactly(length)
        self.peer.requests.append(request)
        return request

    async def send(self, *parts: bytes) -> None:
        """Send, as far as the other side takes it."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    def reset(self) -> None:
        """End the connection with a RST."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def wait_until_left(self) -> None:
        """Wait until the other side closes."""
        while await self.reader.read(65536):
            pass


@dataclass
class Peer:
    """A server that is up."""

    port: int
    host: str = "127.0.0.1"
    scheme: str = "http"
    visits: int = 0
    requests: list[bytes] = field(default_factory=list)
    _open: set["asyncio.Task[None]"] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


@asynccontextmanager
async def peer(
    behave: Behave, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Peer]:
    """Serve ``behave`` to every connection; whatever is open at the end is cut."""
    it = Peer(0, host, "https" if tls else "http")

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        it._open.add(task)
        it.visits += 1
        try:
            with suppress(OSError, EOFError, asyncio.CancelledError, ssl.SSLError):
                await behave(Visit(reader, writer, it))
        finally:
            it._open.discard(task)
            writer.close()

    server = await asyncio.start_server(meet, host, port, ssl=tls, limit=2**22)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()
        for task in list(it._open):
            task.cancel()
        while it._open:
            await asyncio.sleep(0)


def answers(*parts: bytes, then: str = "close") -> Behave:
    """Answer every request with the bytes of ``parts``; ``then`` close, reset, hang, or keep: wait for another request."""

    async def behave(visit: Visit) -> None:
        while await visit.request():
            await visit.send(*parts)
            if then == "reset":
                visit.reset()
            if then == "hang":
                await visit.wait_until_left()
            if then != "keep":
                return

    return behave


def floods(first: bytes, again: bytes, *, pause: float = 0.0) -> Behave:
    """Answer with ``first`` and then ``again`` and again until the other side leaves."""

    async def behave(visit: Visit) -> None:
        await visit.request()
        await visit.send(first)
        while not visit.writer.is_closing():
            await visit.send(again)
            await asyncio.sleep(pause)

    return behave


def free_port(host: str = "127.0.0.1") -> int:
    """A port on which nobody listens."""
    with socket.socket() as it:
        it.bind((host, 0))
        return int(it.getsockname()[1])
