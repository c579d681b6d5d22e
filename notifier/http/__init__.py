"""The seam to the network: nothing outside this folder knows how bytes are sent.

One ``Http`` holds the connections to one origin (an account's API, a callback's receiver), so that a slow one never
takes a connection from another. Failures are values that say how far the request got; nothing of the outside world
raises. Redirects are never followed, cookies never kept, compressed answers not asked for; whatever the other side
sends, an exchange ends at its deadline and takes no more than its bytes.

httpx is in front (``client``), a transport of our own underneath (``pool``).
The way of a request through it: ``targets`` reads its URL, ``proxies`` says who is asked to pass it on, ``dialing`` resolves,
checks and connects, ``tls`` shakes hands, ``connection`` writes and reads, ``course`` says what became of it.
"""

from notifier.http.client import Http
from notifier.http.dialing import Address, Judge, Resolve
from notifier.http.messages import Failure, Reach, Reason, Request, Response

__all__ = ["Address", "Failure", "Http", "Judge", "Reach", "Reason", "Request", "Resolve", "Response"]
