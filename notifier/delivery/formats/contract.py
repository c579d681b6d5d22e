"""What a format is: how an event looks to one sort of receiver, and how to read that receiver's answer."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from notifier.model import Body, Claim, Event, RateLimit
from notifier.secret import Secret


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


class Format(ABC):
    """One way of telling an event. Pure: it sees neither clock, network nor store.

    ``render`` is total: whatever JSON HubSpot sent, it gives a body that fits. A format that rules
    ``Remedy.PLAIN`` has a ``plain``.
    """

    name: ClassVar[str]
    takes_secret: ClassVar[bool] = False  # whether a signing secret means anything to it
    default_rate: ClassVar[RateLimit | None] = None
    default_concurrency: ClassVar[int] = 4  # attempts in flight

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
