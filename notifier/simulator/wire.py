"""A small HTTP/1.1 server that can also misbehave, byte by byte.

A ``Respond`` function decides (request → action), a connection performs the action. h11 does the framing. The
connections are asyncio protocols, not anyio streams: anyio shuts its sending side before it closes, so a client would
see an orderly end where it should see a reset.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import cast

import anyio
import h11

from notifier.simulator.actions import Action, Answer, Delayed, Endless, Hang, Held, Raw, Request, Respond, Trickle

MAX_REQUEST_BODY = 1 << 20  # bytes; a larger body is read to its end but not kept, and answered with 413


@contextlib.asynccontextmanager
async def serve(respond: Respond, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve ``respond`` and give the base URL; on leaving, every connection is gone.

    :raises OSError: when the address can't be had.
    :raises RuntimeError: on leaving, when ``respond`` itself had raised (its caller got a 500).
    """
    site = _Site(respond)
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(site), host, port, backlog=1024)
    try:
        yield _base_url(server.sockets[0].getsockname())
    finally:
        server.close()
        with anyio.CancelScope(shield=True):
            await site.close()
            await server.wait_closed()
        if site.crash is not None:
            raise RuntimeError("the simulator itself failed") from site.crash


def _base_url(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Site:
    """What the connections of one server share."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self._connections: set[_Connection] = set()
        self._closing = False
        self._empty = anyio.Event()
        self.crash: Exception | None = None

    def respond(self, request: Request) -> Action:
        try:
            return self._respond(request)
        except Exception as error:  # noqa: BLE001  # kept, and raised when serve() is left
            self.crash = self.crash or error
            return Answer(500)

    def enter(self, connection: "_Connection") -> None:
        self._connections.add(connection)
        if self._closing:
            connection.abort()

    def leave(self, connection: "_Connection") -> None:
        self._connections.discard(connection)
        if self._closing and not self._connections:
            self._empty.set()

    async def close(self) -> None:
        self._closing = True
        for connection in self._connections:
            connection.abort()
        if self._connections:
            await self._empty.wait()


class _Connection(asyncio.Protocol):
    """One client: requests are read, answered and forgotten one after the other."""

    _transport: asyncio.Transport
    _loop: asyncio.AbstractEventLoop
    _head: h11.Request

    def __init__(self, site: _Site) -> None:
        self._site = site
        self._http = h11.Connection(h11.SERVER)
        self._body = bytearray()
        self._gone = False
        self._writable = True
        self._pump: Callable[[], None] | None = None

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        self._site.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # a client may leave as it likes
        self._gone = True
        self._pump = None
        self._site.leave(self)

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        self._read_on()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        if self._pump is not None:
            self._loop.call_soon(self._pump)

    def abort(self) -> None:
        self._transport.abort()

    # Reading.

    def _read_on(self) -> None:
        """Take what has arrived; h11 pauses us while an answer is owed."""
        try:
            self._take_all()
        except h11.RemoteProtocolError:
            self._finish(Raw(Answer(400).head(length=0)))

    def _take_all(self) -> None:
        while not self._transport.is_closing():
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._invite_body()
                return
            if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return
            self._take(cast("h11.Event", event))

    def _invite_body(self) -> None:
        if self._http.they_are_waiting_for_100_continue:
            self._transport.write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")

    def _take(self, event: h11.Event) -> None:
        if isinstance(event, h11.Request):
            self._head = event
            self._body = bytearray()
        elif isinstance(event, h11.Data):
            if len(self._body) <= MAX_REQUEST_BODY:
                self._body += event.data
        elif isinstance(event, h11.EndOfMessage):
            self._perform(Answer(413) if len(self._body) > MAX_REQUEST_BODY else self._site.respond(self._request()))

    def _request(self) -> Request:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self._head.headers}
        return Request(self._head.method.decode(), self._head.target.decode("latin-1"), headers, bytes(self._body))

    # Acting.

    def _perform(self, action: Action) -> None:
        if self._gone:
            return
        match action:
            case Answer():
                self._answer(action)
            case Raw():
                self._finish(action)
            case Trickle():
                self._transport.write(action.answer.head(length=len(action.answer.body)))
                self._trickle(action, 0)
            case Endless():
                self._transport.write(action.answer.head(length=None))
                self._pour(action.answer.body)
            case Held():
                action.gate.when_open(lambda: self._resume(action.then))
            case Delayed():
                self._loop.call_later(action.seconds, self._resume, action.then)
            case Hang():
                pass

    def _resume(self, action: Action) -> None:
        """Act after a wait, then see what the client sent meanwhile."""
        self._perform(action)
        self._read_on()

    def _answer(self, answer: Answer) -> None:
        headers = [*answer.headers.items()]
        if answer.status != 204:
            headers.append(("content-length", str(len(answer.body))))
        sent = self._http.send(h11.Response(status_code=answer.status, headers=headers)) or b""
        if answer.body and self._head.method != b"HEAD":
            sent += self._http.send(h11.Data(data=answer.body)) or b""
        sent += self._http.send(h11.EndOfMessage()) or b""
        self._transport.write(sent)
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        else:
            self._transport.close()

    def _finish(self, raw: Raw) -> None:
        self._transport.write(raw.content)
        if not raw.reset:
            self._transport.close()
            return
        sock = cast("socket.socket", self._transport.get_extra_info("socket"))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _trickle(self, trickle: Trickle, at: int) -> None:
        if self._gone:
            return
        if at == len(trickle.answer.body):
            self._transport.close()
            return
        self._transport.write(trickle.answer.body[at : at + 1])
        self._loop.call_later(trickle.interval, self._trickle, trickle, at + 1)

    def _pour(self, body: bytes) -> None:
        """Write one chunk a turn of the loop, so that the others get theirs, and none while the client is slow."""
        chunk = b"%x\r\n%b\r\n" % (len(body), body)

        def pump() -> None:
            if self._gone:
                return
            self._transport.write(chunk)
            if self._writable:
                self._loop.call_soon(pump)

        self._pump = pump
        pump()
