"""What a kind of task is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from notifier.model import Observation


@dataclass(frozen=True, slots=True)
class Kind:
    """A variety of HubSpot's asynchronous tasks.

    ``path(task_id, api_version)`` is where its status is asked for, below the account's base URL.
    ``read(body)`` makes an observation of the answer's JSON; ``None`` when it holds no readable status.
    """

    name: str
    path: Callable[[str, str], str]
    read: Callable[[Mapping[str, Any]], Observation | None]


def path_segment(task_id: str) -> str:
    """Write an opaque id as one segment of a path, whatever it holds.

    >>> path_segment("a/b?c"), path_segment("..")
    ('a%2Fb%3Fc', '%2E%2E')
    """
    quoted = quote(task_id, safe="", errors="surrogatepass")
    return quoted.replace(".", "%2E") if quoted in {".", ".."} else quoted
