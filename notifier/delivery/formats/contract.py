"""What a format is: how an event looks to one sort of receiver, and how to read that receiver's answer."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Protocol

from notifier.model import Body, Claim, Event, RateLimit
from notifier.secret import Secret

if TYPE_CHECKING:  # reading a configuration must not load what sends requests
    from notifier.http import Failure, Request, Response


class Remedy(StrEnum):
    """What may turn a refusal into success."""

    RETRY = "retry"  # time
    PLAIN = "plain"  # the plain fallback of the body
    NONE = "none"  # nothing that we can do


@dataclass(frozen=True, slots=True)
class Ruling:
    """A format's reading of an answer by its words; ``reason`` is a short fixed word (it labels metrics)."""

    remedy: Remedy
    reason: str


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a format's own, a text: ``key`` of a callback."""

    required: bool = False
    default: str | None = None
    has_file: bool = False  # may be spelt ``key_file`` instead: the file that holds it


class Unusable(ValueError):
    """Settings that a format can't work with. The message and the hint are for the user and show no secret."""

    def __init__(
        self, key: str, message: str, hint: str, *, line: int | None = None, column: int | None = None
    ) -> None:
        super().__init__(message)
        self.key = key  # of the callback
        self.message = message
        self.hint = hint
        self.line = line  # within the text of ``key``, from 1; None: about all of it
        self.column = column


class Courier(Protocol):
    """Takes requests to one receiver; ``http.Http`` is the usual one. Failures are values."""

    async def exchange(self, request: "Request", *, deadline: float, max_bytes: int) -> "Response | Failure":
        """Take one request there, within ``deadline`` seconds, and bring back at most ``max_bytes`` of the answer."""

    async def aclose(self) -> None:
        """Let go of what is held open."""


class Format(ABC):
    """One way of telling an event. Pure, but for its courier: it sees neither clock, network nor store.

    ``render`` is total: whatever JSON HubSpot sent, it gives a body that fits. A format that rules
    ``Remedy.PLAIN`` has a ``plain``.
    """

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Option]] = {}
    uses_http: ClassVar[bool] = True  # False: its courier is its own; the URL is of a form that it checks itself
    takes_secret: ClassVar[bool] = False  # whether a signing secret means anything to it
    expects_secret: ClassVar[bool] = False  # whether to go without one is worth a warning
    default_rate: ClassVar[RateLimit | None] = None
    default_concurrency: ClassVar[int] = 4  # attempts in flight

    def configured(self, options: Mapping[str, str]) -> "Format":  # noqa: ARG002  # most formats have no settings
        """Give the format as one callback has set it; the same settings give the same object.

        :raises Unusable: with these settings it can't work here.
        """
        return self

    def check(self, samples: Sequence[Event]) -> None:  # noqa: B027  # most formats can't be set wrongly
        """Try the settings on the sort of events that will come.

        :raises Unusable: for one of them they do not do.
        """

    def check_url(self, url: str) -> None:  # noqa: B027  # http's are checked where they are read
        """Refuse a URL that the format's own courier can't use.

        :raises Unusable: it can't; the message does not quote it.
        """

    def courier(self, *, concurrency: int) -> Courier | None:  # noqa: ARG002  # most formats are sent by HTTP
        """Give the format's own way to the receiver, for ``concurrency`` requests at a time; ``None``: HTTP."""
        return None

    @abstractmethod
    def render(self, event: Event) -> Body:
        """Write the body, once; it is stored, and every attempt sends the same bytes."""

    def headers(self, claim: Claim, body: Body, timestamp: int, secrets: Sequence[Secret]) -> dict[str, str]:  # noqa: ARG002  # only signing formats use them
        """Give the headers of one attempt at ``timestamp`` (unix seconds); ``body`` is what is really sent."""
        return {"content-type": body.content_type}

    def judge(self, status: int, body: bytes) -> Ruling | None:  # noqa: ARG002  # most receivers answer by status alone
        """Read an answer by its words; ``None`` leaves it to the general rules over the status."""
        return None

    def plain(self, body: Body) -> Body | None:  # noqa: ARG002  # most bodies have no simpler form
        """Derive the plain fallback from stored bytes; ``None`` when there is none."""
        return None
