"""File imports from a URL: ``hubspot.file_import``."""

from collections.abc import Mapping
from typing import Any

from notifier.hubspot.kinds.contract import Kind, path_segment
from notifier.hubspot.reading import read_count, read_text, read_time
from notifier.model import Observation, Outcome

# PENDING: queued. PROCESSING: uploading. COMPLETE: uploaded, or not, see ``errors``. CANCELED: will not be uploaded.
# There is no FAILED (HubSpot's files API v3, type TaskStatus).
_RECOGNISED = frozenset({"PENDING", "PROCESSING", "COMPLETE", "CANCELED"})

_LONGEST_STATUS = 100


def _path(task_id: str, api_version: str) -> str:
    """``api_version`` is ``v3`` or a dated one such as ``2026-03``; both answer the same body."""
    return f"/files/{api_version}/files/import-from-url/async/tasks/{path_segment(task_id)}/status"


def _read(body: Mapping[str, Any]) -> Observation | None:
    """Read a status body. The specification calls more fields required than HubSpot sends: all but one are optional."""
    status = read_text(body.get("status"), _LONGEST_STATUS)
    if status is None:
        return None
    told = body.get("errors")
    errors = tuple(told) if isinstance(told, list) else ()
    num_errors = read_count(body.get("numErrors"))
    return Observation(
        status=status,
        recognised=status in _RECOGNISED,
        outcome=_outcome(status, has_errors=bool(errors or num_errors)),
        requested_at=read_time(body.get("requestedAt")),
        started_at=read_time(body.get("startedAt")),
        completed_at=read_time(body.get("completedAt")),
        num_errors=num_errors,
        errors=errors,
        result=body.get("result"),
        response=body,
    )


def _outcome(status: str, *, has_errors: bool) -> Outcome | None:
    if status == "CANCELED":
        return Outcome.CANCELED
    if status != "COMPLETE":
        return None
    return Outcome.FAILED if has_errors else Outcome.SUCCEEDED


FILE_IMPORT = Kind(name="hubspot.file_import", path=_path, read=_read)
