"""Making a connection: look the name up once, check every address, connect to a checked one.

What was checked is what is connected to: the socket gets an address, never a name, so a name that resolves differently
the second time (DNS rebinding) gains nothing. With a proxy, it is the proxy's address that is checked; what the proxy
connects to is the proxy's business.
"""

import errno
import functools
import ipaddress
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain, zip_longest
from typing import TypeAlias

import anyio
import anyio.to_thread
from anyio.abc import ByteStream

from notifier.http.course import Course
from notifier.http.messages import Reason, Trouble
from notifier.http.proxies import Proxy, open_tunnel
from notifier.http.targets import Origin
from notifier.http.tls import public_context, shake_hands

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Judge: TypeAlias = Callable[[Address], str | None]  # says why an address is refused; None: it may be connected to
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]  # host and port to addresses, as text

# RFC 8305 (Happy Eyeballs), section 5: seconds after which the next address is tried beside the one that hangs.
STAGGER = 0.25


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the operating system.

    :raises OSError: when it knows no such name.
    """
    # With a limiter of its own, a name server that hangs keeps no thread from anybody else.
    look_up = functools.partial(socket.getaddrinfo, host.encode("ascii"), port, type=socket.SOCK_STREAM)
    found = await anyio.to_thread.run_sync(look_up, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))
    return [str(address[0]) for *_, address in found]


class Dialer:
    """Makes connections, by way of a proxy where there is one."""

    def __init__(self, *, judge: Judge, resolve: Resolve, context: ssl.SSLContext) -> None:
        self._judge = judge
        self._resolve = resolve
        self._context = context

    async def dial(self, origin: Origin, proxy: Proxy | None, course: Course) -> ByteStream:
        """Give a connection on which ``origin``, or a proxy that forwards to it, reads requests.

        :raises Trouble: when there is none.
        """
        stream = await (self._by_way_of(proxy, origin, course) if proxy else self._connect(origin, course))
        if origin.scheme == "http":
            return stream
        course.doing = "the TLS handshake is not done"
        async with _closed_on_failure(stream):
            return await shake_hands(stream, self._context, origin.host)

    async def _by_way_of(self, proxy: Proxy, origin: Origin, course: Course) -> ByteStream:
        try:
            stream = await self._connect(proxy.origin, course)
            course.doing = "the proxy opened no tunnel"
            async with _closed_on_failure(stream):
                if proxy.origin.scheme == "https":
                    stream = await shake_hands(stream, public_context(), proxy.origin.host)
                if not proxy.forwards(origin):
                    await open_tunnel(stream, proxy, origin)
        except Trouble as trouble:
            if trouble.reason in {Reason.ADDRESS_REFUSED, Reason.PROXY_ERROR}:
                raise
            raise Trouble(Reason.PROXY_ERROR, f"{trouble.detail}, at the proxy") from None
        return stream

    async def _connect(self, origin: Origin, course: Course) -> ByteStream:
        course.doing = "the name is not resolved"
        addresses = self._permitted(await self._look_up(origin))
        course.doing = "the address does not answer"
        return await connect_first(addresses, origin.port)

    async def _look_up(self, origin: Origin) -> Sequence[Address]:
        try:
            return [ipaddress.ip_address(origin.host)]
        except ValueError:
            pass  # a name
        try:
            found = await self._resolve(origin.host, origin.port)
        except OSError as error:
            raise Trouble(Reason.DNS_ERROR, f"{origin.host}: {error.strerror or 'no such name'}") from None
        if not found:
            raise Trouble(Reason.DNS_ERROR, f"{origin.host}: no address")
        return [ipaddress.ip_address(each) for each in dict.fromkeys(found)]

    def _permitted(self, addresses: Sequence[Address]) -> Sequence[Address]:
        """Leave out what the judge refuses; where nothing stays, that is the answer."""
        refusals = {address: self._judge(address) for address in addresses}
        permitted = [address for address, refusal in refusals.items() if refusal is None]
        if not permitted:
            told = ", ".join(f"{address} is {refusal}" for address, refusal in refusals.items())
            raise Trouble(Reason.ADDRESS_REFUSED, told)
        return permitted


async def connect_first(addresses: Sequence[Address], port: int) -> ByteStream:
    """Give a connection to whichever address takes one first.

    The next address is tried when the one before refuses, or beside it when it hangs.

    :raises Trouble: when none does.
    """
    errors: list[OSError] = []
    connected: list[ByteStream] = []
    try:
        async with anyio.create_task_group() as group:

            async def connect(address: Address, over: anyio.Event) -> None:
                try:
                    stream = await anyio.connect_tcp(str(address), port)
                except OSError as error:
                    errors.append(error)
                else:
                    connected.append(stream)
                    group.cancel_scope.cancel()
                finally:
                    over.set()

            for address in _alternating(addresses):
                over = anyio.Event()
                group.start_soon(connect, address, over)
                with anyio.move_on_after(STAGGER):
                    await over.wait()
        for loser in connected[1:]:
            await close(loser)
    except BaseException:
        for stream in connected:
            await close(stream)
        raise
    if not connected:
        raise _unconnected(errors)
    return connected[0]


def _alternating(addresses: Sequence[Address]) -> Iterator[Address]:
    """Take turns between the families, so that a broken IPv6 costs one step (RFC 8305, section 4)."""
    first = [address for address in addresses if address.version == addresses[0].version]
    others = [address for address in addresses if address.version != addresses[0].version]
    return (each for each in chain.from_iterable(zip_longest(first, others)) if each is not None)


_REASON_OF_ERRNO = {
    errno.ECONNREFUSED: Reason.CONNECTION_REFUSED,
    errno.ECONNRESET: Reason.CONNECTION_RESET,
    errno.ETIMEDOUT: Reason.TIMEOUT_CONNECT,
}


def _unconnected(errors: Sequence[OSError]) -> Trouble:
    """Say why nothing was connected: of several addresses, what the first said that was reached at all."""
    numbers = [_errno(error) for error in errors]
    told = next((number for number in numbers if number in _REASON_OF_ERRNO), numbers[0] if numbers else None)
    return Trouble(_REASON_OF_ERRNO.get(told or 0, Reason.CONNECT_ERROR), _words(told))


def _errno(error: BaseException | None) -> int | None:
    """Give the system's number of an error; anyio wraps it once."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        error = error.__cause__
    return None


def _words(number: int | None) -> str:
    """Give the system's words for an error: ``Connection refused``."""
    return os.strerror(number) if number else "no connection"


@asynccontextmanager
async def _closed_on_failure(stream: ByteStream) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await close(stream)
        raise


async def close(stream: ByteStream) -> None:
    """Close at once, without waiting for the other side, even while cancelled."""
    with anyio.CancelScope(shield=True), anyio.move_on_after(1):
        await stream.aclose()
