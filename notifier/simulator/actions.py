"""What a server may do with a request: answer it, or one of many wrong things."""

import http
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_PHRASES = {status.value: status.phrase for status in http.HTTPStatus}


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names are lower-case, ``target`` is path and query as they came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query, still percent-encoded."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Answer:
    """A proper answer; its ``Content-Length`` is added."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def head(self, *, length: int | None) -> bytes:
        """Write the status line and the headers, with any ``length`` or, for ``None``, chunked."""
        framing = {"transfer-encoding": "chunked"} if length is None else {"content-length": str(length)}
        fields = [f"{name}: {value}\r\n" for name, value in {**self.headers, **framing}.items()]
        return f"HTTP/1.1 {self.status} {_PHRASES.get(self.status, '')}\r\n{''.join(fields)}\r\n".encode("latin-1")


@dataclass(frozen=True, slots=True)
class Raw:
    """These bytes as they are, then the end of the connection: an orderly one or, with ``reset``, a TCP reset."""

    content: bytes = b""
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer, ever; the connection stays open until the client leaves."""


@dataclass(frozen=True, slots=True)
class Trickle:
    """The answer, one byte of its body per ``interval`` seconds."""

    answer: Answer
    interval: float = 0.5


@dataclass(frozen=True, slots=True)
class Endless:
    """The answer's head, then its body again and again, as fast as the client takes it."""

    answer: Answer


class Gate:
    """Holds answers back until it is opened."""

    def __init__(self) -> None:
        self.is_open = False
        self._waiting: list[Callable[[], None]] = []

    def open(self) -> None:
        """Let everything through, from now on."""
        self.is_open = True
        waiting, self._waiting = self._waiting, []
        for proceed in waiting:
            proceed()

    def when_open(self, proceed: Callable[[], None]) -> None:
        """Call ``proceed`` once, now or when the gate opens."""
        if self.is_open:
            proceed()
        else:
            self._waiting.append(proceed)


@dataclass(frozen=True, slots=True)
class Held:
    """``then``, once the gate is open."""

    gate: Gate
    then: "Action" = Answer()


@dataclass(frozen=True, slots=True)
class Delayed:
    """``then``, after ``seconds``."""

    seconds: float
    then: "Action" = Answer()


Action = Answer | Raw | Hang | Trickle | Endless | Held | Delayed
Respond = Callable[[Request], Action]

HANG = Hang()
CLOSE = Raw()
RESET = Raw(reset=True)


def truncated(answer: Answer, *, missing: int = 10) -> Raw:
    """Promise ``missing`` more bytes of body than are sent before the connection ends."""
    return Raw(answer.head(length=len(answer.body) + missing) + answer.body)
