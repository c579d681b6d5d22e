"""A task over time: PENDING, then PROCESSING, then one of the endings. Pure.

A task's id can be a script, so that a configuration alone can try things::

    [pending-<duration>-][processing-<duration>-]<word>[-<duration>][-<anything>]

    ok-5s                               COMPLETE 5 s after it was first seen
    complete-5s-spring                  the same, with something to tell it from others
    errors-8s                           COMPLETE with errors
    canceled-3s                         CANCELED
    forever-1                           PROCESSING for ever: the watch's deadline will pass
    lost-10s                            HubSpot forgets it (404) after 10 s
    unknown-1                           HubSpot never knew it (404)
    pending-2s-processing-4s-complete   both phases at will

Durations are written ``250ms``, ``5s``, ``1m30s``, ``2h``. A lone duration is split into one fifth PENDING and the rest
PROCESSING; without any, the default durations apply.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from notifier.clock import iso
from notifier.model import hash01


class Ending(StrEnum):
    """How a task will end."""

    COMPLETE = "complete"
    ERRORS = "errors"  # COMPLETE too, in HubSpot's words, with errors
    CANCELED = "canceled"
    NEVER = "never"
    LOST = "lost"  # forgotten by HubSpot


@dataclass(frozen=True, slots=True)
class Script:
    """What a task will do; durations in seconds, ``None`` where the default applies."""

    ends: Ending
    pending: float | None = None
    processing: float | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One task; times in unix seconds, ``ends_at`` infinity for a task that never ends."""

    task_id: str
    requested_at: float
    started_at: float
    ends_at: float
    ends: Ending = Ending.COMPLETE
    file_name: str = "imported.png"
    access: str = "PUBLIC_INDEXABLE"
    folder_path: str = "/library"
    errors: Sequence[Mapping[str, Any]] = ()  # of an ERRORS task; one is made up when there are none


def begin(task_id: str, now: float, pending: float, processing: float, ends: Ending) -> Task:
    """Make a task that begins now and spends these seconds in its phases."""
    started_at = now + pending
    return Task(task_id, now, started_at, math.inf if ends is Ending.NEVER else started_at + processing, ends)


_DURATION = r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_WORDS = {
    "ok": Ending.COMPLETE,
    "complete": Ending.COMPLETE,
    "errors": Ending.ERRORS,
    "canceled": Ending.CANCELED,
    "forever": Ending.NEVER,
    "lost": Ending.LOST,
    "unknown": Ending.LOST,
}
_SCRIPT = re.compile(
    rf"(?:pending-(?P<pending>{_DURATION})-)?(?:processing-(?P<processing>{_DURATION})-)?"
    rf"(?P<word>{'|'.join(_WORDS)})(?:-(?P<total>{_DURATION}))?(?:-.*)?",
    re.DOTALL,
)


def parse_duration(text: str) -> float:
    """Read ``1m30s`` into seconds.

    :raises ValueError: when it is not a duration.
    """
    if not re.fullmatch(_DURATION, text):
        raise ValueError(f"{text!r} is not a duration; write 250ms, 5s, 1m30s or 2h")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|[smhd])", text))


def parse_script(name: str) -> Script | None:
    """Read a scripted id; ``None`` when it is none.

    >>> parse_script("errors-10s-b")
    Script(ends=<Ending.ERRORS: 'errors'>, pending=2.0, processing=8.0)
    """
    found = _SCRIPT.fullmatch(name)
    if found is None:
        return None
    ends = _WORDS[found["word"]]
    if found["word"] == "unknown":
        return Script(ends, 0.0, 0.0)
    if found["total"]:
        total = parse_duration(found["total"])
        return Script(ends, total / 5, total * 4 / 5)
    if found["pending"] or found["processing"]:
        return Script(ends, *(parse_duration(found[phase] or "0s") for phase in ("pending", "processing")))
    return Script(ends)


def invent(task_id: str, script: Script | None, *, now: float, durations: tuple[float, float], seed: int) -> Task:
    """Make the task of an id seen for the first time; what is not scripted comes from the id and ``seed`` alone."""
    shortest, longest = durations
    total = shortest + (longest - shortest) * hash01(f"{seed}|{task_id}")
    script = script or Script(Ending.COMPLETE)
    pending = total / 5 if script.pending is None else script.pending
    processing = total * 4 / 5 if script.processing is None else script.processing
    return begin(task_id, now, pending, processing, script.ends)


def status_at(task: Task, now: float) -> str | None:
    """Give HubSpot's word for the task's state; ``None`` once it is forgotten."""
    if now >= task.ends_at:
        return {Ending.CANCELED: "CANCELED", Ending.LOST: None}.get(task.ends, "COMPLETE")
    return "PROCESSING" if now >= task.started_at else "PENDING"


def status_body(task: Task, now: float) -> dict[str, Any] | None:
    """Give the body of a status answer; times that have not come yet are left out. ``None`` once it is forgotten."""
    status = status_at(task, now)
    if status is None:
        return None
    body: dict[str, Any] = {
        "taskId": task.task_id,
        "status": status,
        "requestedAt": iso(task.requested_at),
        "links": {},
    }
    if status != "PENDING":
        body["startedAt"] = iso(task.started_at)
    if status in {"COMPLETE", "CANCELED"}:
        body["completedAt"] = iso(task.ends_at)
        errors = _errors(task)
        body |= {"numErrors": len(errors), "errors": errors}
    if status == "COMPLETE" and task.ends is Ending.COMPLETE:
        body["result"] = _file(task)
    return body


def _errors(task: Task) -> list[Mapping[str, Any]]:
    if task.ends is not Ending.ERRORS:
        return []
    return list(task.errors) or [_download_failed(task)]


def _download_failed(task: Task) -> dict[str, Any]:
    return {
        "status": "error",
        "id": f"{_number(task):x}",
        "category": "VALIDATION_ERROR",
        "subCategory": {"name": "FILE_DOWNLOAD_FAILED"},
        "message": f"The file {task.file_name} could not be downloaded.",
        "context": {"name": [task.file_name]},
        "links": {},
        "errors": [
            {
                "message": "The server answered 404.",
                "code": "DOWNLOAD_FAILED",
                "in": "url",
                "context": {"status": ["404"]},
            }
        ],
    }


def _file(task: Task) -> dict[str, Any]:
    stem, _, extension = task.file_name.rpartition(".")
    path = f"{task.folder_path.rstrip('/')}/{task.file_name}"
    created = iso(task.ends_at)
    return {
        "id": str(_number(task)),
        "name": stem or extension,
        "path": path,
        "url": f"https://files.example.com/hubfs{path}",
        "size": 1 + _number(task) % 5_000_000,
        "type": "IMG",
        "extension": extension if stem else "",
        "encoding": "png",
        "access": task.access,
        "archived": False,
        "createdAt": created,
        "updatedAt": created,
        "archivedAt": None,
        "expiresAt": None,
        "width": 1200,
        "height": 800,
        "fileMd5": f"{_number(task):032x}",
        "parentFolderId": "41337",
        "sourceGroup": "CONTENT",
        "defaultHostingUrl": f"https://files.example.com/hubfs{path}",
        "isUsableInContent": True,
    }


def _number(task: Task) -> int:
    """Twelve digits that belong to the task's id."""
    return 100_000_000_000 + int(hash01(task.task_id) * 900_000_000_000)
