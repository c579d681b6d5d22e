"""HubSpot's answers that are not about a task: its error bodies, and what stands in front of it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from notifier.simulator.actions import Answer
from notifier.simulator.quota import DAILY

JSON = "application/json;charset=utf-8"

HTML_PAGE = (
    b"<!DOCTYPE html><html><head><title>HubSpot</title></head><body><h1>This page isn't available</h1></body></html>"
)


def json_answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """Make an answer with a JSON body."""
    return Answer(status, {"Content-Type": JSON, **(headers or {})}, json.dumps(body, separators=(",", ":")).encode())


def error(
    status: int, category: str, message: str, correlation_id: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Answer:
    """Make HubSpot's usual error body; ``more`` are fields next to ``category``."""
    body = {"status": "error", "message": message, "correlationId": correlation_id, "category": category, **more}
    return json_answer(status, body, headers)


def html(status: int) -> Answer:
    """Make a web page where JSON was asked for."""
    return Answer(status, {"Content-Type": "text/html;charset=utf-8"}, HTML_PAGE)


def unauthorized(correlation_id: str) -> Answer:
    """Refuse the token."""
    message = "Authentication credentials not found. This API supports OAuth 2.0 authentication."
    return error(401, "INVALID_AUTHENTICATION", message, correlation_id)


def missing_scopes(correlation_id: str) -> Answer:
    """Refuse because the token lacks the scopes of the Files API."""
    needed = {
        "message": "One or more of these scopes are required.",
        "context": {"requiredGranularScopes": ["files", "files.read"]},
    }
    message = "This app hasn't been granted all required scopes to make this call."
    return error(
        403,
        "MISSING_SCOPES",
        message,
        correlation_id,
        errors=[needed],
        links={"scopes": "https://developers.hubspot.com/scopes"},
    )


def too_many(policy: str, correlation_id: str, retry_after: int | None = None) -> Answer:
    """Refuse because of a limit; such a body has no category, and says nothing of when to come back."""
    body = {
        "status": "error",
        "message": f"You have reached your {'daily' if policy == DAILY else 'ten_secondly_rolling'} limit.",
        "errorType": "RATE_LIMIT",
        "correlationId": correlation_id,
        "policyName": policy,
    }
    return json_answer(429, body, {} if retry_after is None else {"Retry-After": str(retry_after)})


def unknown_task(correlation_id: str) -> Answer:
    """Say that there is no such task."""
    return error(404, "OBJECT_NOT_FOUND", "No task was found with the given ID.", correlation_id)


def invalid_input(correlation_id: str, problems: Sequence[tuple[str, str]]) -> Answer:
    """Refuse a request body; ``problems`` are (field, message)."""
    errors = [
        {"message": message, "code": "REQUIRED_FIELD", "in": name, "context": {"propertyName": [name]}}
        for name, message in problems
    ]
    message = "Invalid input JSON: " + "; ".join(text for _, text in problems)
    return error(400, "VALIDATION_ERROR", message, correlation_id, errors=errors)
