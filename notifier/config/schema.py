"""The shape of the file, as pydantic models.

Nothing is required here and every default is ``None``: what is missing, and what a default is, is said where the values
are put together, so that one mistake never hides another. ``None`` in a list stands for an entry already refused.
"""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from notifier.config.fields import (
    Answers,
    ApiVersion,
    Attempts,
    Concurrency,
    Deadline,
    Delay,
    Grace,
    Keeping,
    Label,
    LogFormat,
    LogLevel,
    OnUnknownWord,
    Rate,
    RequestCost,
    RequestTime,
    Switch,
    TaskId,
    Text,
    Written,
)
from notifier.config.nodes import Path, Scalar, is_task_id
from notifier.config.scalars import ScalarType

_T = TypeVar("_T")


def _nothing_is(empty: Any) -> BeforeValidator:
    """Read nothing as ``empty``: a section whose entries are all commented out is not wrong."""

    def read(value: Any) -> Any:
        return empty.copy() if isinstance(value, Scalar) and value.type is ScalarType.NULL else value

    return BeforeValidator(read)


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, Scalar) else value


def _short_task(value: Any) -> Any:
    return {"id": value} if isinstance(value, Scalar) else value


def _short_header(value: Any) -> Any:
    return {"value": value} if isinstance(value, Scalar) else value


Block = Annotated[_T, _nothing_is({})]
Listing = Annotated[list[_T | None], _nothing_is([])]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)


class AccountForm(_Form):
    """One HubSpot account (portal). Exactly one of token, token_file and token_credential is given."""

    token: Written | None = Field(default=None, description="The access token of a private app or service key.")
    token_file: Written | None = Field(default=None, description="A file that holds the token.")
    token_credential: Written | None = Field(
        default=None, description="The name of a systemd credential that holds the token."
    )
    base_url: Text | None = Field(default=None, description="Where HubSpot's API is.")
    api_version: ApiVersion | None = Field(default=None, description="v3, or a dated version such as 2026-03.")
    rate_limit: Rate | None = Field(default=None, description="Requests allowed in a span of time: 100/10s.")


class HeaderForm(_Form):
    """The value of a header that comes from somewhere else. Exactly one key is given."""

    value: Written | None = Field(default=None, description="The value itself.")
    file: Written | None = Field(default=None, description="A file that holds the value.")
    credential: Written | None = Field(
        default=None, description="The name of a systemd credential that holds the value."
    )


class TlsForm(_Form):
    """Whose certificates are believed, and the one we show. Files are PEM; relative names start at this file's folder."""

    ca_file: Text | None = Field(default=None, description="Certificates trusted instead of the public authorities.")
    cert_file: Text | None = Field(default=None, description="Our certificate, with its chain.")
    key_file: Text | None = Field(default=None, description="Its private key, where cert_file does not hold it.")
    verify: Switch | None = Field(default=None, description="false believes whoever answers.")


class BasicForm(_Form):
    """User and password. Exactly one of password, password_file and password_credential is given."""

    username: Written | None = Field(default=None, description="The user.")
    password: Written | None = Field(default=None, description="The password.")
    password_file: Written | None = Field(default=None, description="A file that holds the password.")
    password_credential: Written | None = Field(
        default=None, description="The name of a systemd credential that holds the password."
    )


class AuthForm(_Form):
    """What the Authorization header says. Exactly one key is given."""

    bearer: Written | None = Field(default=None, description="A bearer token.")
    bearer_file: Written | None = Field(default=None, description="A file that holds the token.")
    bearer_credential: Written | None = Field(
        default=None, description="The name of a systemd credential that holds the token."
    )
    basic: Block[BasicForm] | None = Field(default=None, description="User and password.")


class CallbackForm(_Form):
    """A destination. Exactly one of url, url_file and url_credential is given, and at most one spelling of secret."""

    format: Text | None = Field(default=None, description="What is sent.")
    url: Written | None = Field(default=None, description="Where it is sent.")
    url_file: Written | None = Field(default=None, description="A file that holds the URL.")
    url_credential: Written | None = Field(
        default=None, description="The name of a systemd credential that holds the URL."
    )
    secret: Annotated[list[Written | None] | None, BeforeValidator(_one_or_more)] = Field(
        default=None,
        description="The signing secret, whsec_… (shared) or whsk_… (private key, ed25519); a list while rotating.",
    )
    secret_file: Written | None = Field(default=None, description="A file with one signing secret a line.")
    secret_credential: Written | None = Field(
        default=None, description="The name of a systemd credential with one signing secret a line."
    )
    headers: Block[dict[str, Annotated[HeaderForm | None, BeforeValidator(_short_header)]]] | None = Field(
        default=None, description="Headers to send besides our own."
    )
    auth: Block[AuthForm] | None = Field(default=None, description="What the Authorization header says.")
    tls: Block[TlsForm] | None = Field(default=None, description="Whose certificates are believed, and our own.")
    proxy: Written | None = Field(
        default=None, description="The URL of an HTTP proxy, with user and password if need be."
    )
    proxy_file: Written | None = Field(default=None, description="A file that holds the proxy's URL.")
    proxy_credential: Written | None = Field(
        default=None, description="The name of a systemd credential that holds the proxy's URL."
    )
    template: Written | None = Field(default=None, description="The body, as a Jinja template.")
    template_file: Written | None = Field(default=None, description="A file that holds the template.")
    content_type: Written | None = Field(default=None, description="What the template makes.")
    events: Listing[Text] | None = Field(default=None, description="Patterns of the event types to send.")
    timeout: RequestTime | None = Field(default=None, description="For one attempt, from connect to the last byte.")
    on_unknown: OnUnknownWord | None = Field(
        default=None, description="When a request went out and no answer came: retry, or hold for a person."
    )
    concurrency: Concurrency | None = Field(default=None, description="Attempts in flight at once.")
    rate: Rate | None = Field(default=None, description="Attempts allowed in a span of time: 1/1s.")
    max_attempts: Attempts | None = Field(
        default=None, description="Attempts that may fail before the delivery is given up."
    )


class TaskForm(_Form):
    """A task to watch."""

    id: TaskId | None = Field(default=None, description="HubSpot's task id, as written.")
    account: Text | None = Field(
        default=None, description="Whose task it is; may be left out when there is one account."
    )
    kind: Text | None = Field(default=None, description="What kind of task it is.")
    label: Label | None = Field(default=None, description="A name for people.")
    callbacks: Listing[Text] | None = Field(default=None, description="The callbacks to tell; every one when left out.")
    deadline: Deadline | None = Field(default=None, description="How long to watch before giving up.")


class PollingForm(_Form):
    """How HubSpot is asked."""

    request_cost: RequestCost | None = Field(
        default=None, description="What one request is worth, in delay: polls come at ages 1, 4, 9, 16 … times this."
    )
    deadline: Deadline | None = Field(default=None, description="Of a task that names none.")
    timeout: RequestTime | None = Field(default=None, description="For one request, from connect to the last byte.")
    concurrency: Concurrency | None = Field(default=None, description="Requests in flight at once, per account.")
    lost_after_answers: Answers | None = Field(
        default=None, description='"No such task" is believed after this many answers …'
    )
    lost_after: Grace | None = Field(default=None, description="… and this long after the first of them.")


class DeliveryForm(_Form):
    """Defaults of every callback, and the delays between attempts."""

    max_attempts: Attempts | None = Field(
        default=None,
        description="Attempts that may fail before a delivery is given up; as many as schedule has when left out.",
    )
    on_unknown: OnUnknownWord | None = Field(
        default=None, description="When a request went out and no answer came: retry, or hold for a person."
    )
    schedule: Listing[Delay] | None = Field(default=None, description="The delay before attempt 1, 2, 3 …")
    timeout: RequestTime | None = Field(default=None, description="For one attempt, from connect to the last byte.")


class RetentionForm(_Form):
    """How long things are remembered. What is pending or held is kept, and so are the watches of listed tasks."""

    delivered: Keeping | None = Field(
        default=None, description="Events whose deliveries all arrived, and watches that are over."
    )
    dead: Keeping | None = Field(default=None, description="Events of which a delivery is dead.")


class LogForm(_Form):
    """What is logged."""

    level: LogLevel | None = Field(default=None, description="The least important level that is logged.")
    format: LogFormat | None = Field(
        default=None, description="auto: journal fields under systemd, console on a terminal."
    )


class FileForm(_Form):
    """The configuration of notifier."""

    accounts: Block[dict[str, Block[AccountForm] | None]] | None = Field(
        default=None, description="HubSpot accounts by name."
    )
    callbacks: Block[dict[str, Block[CallbackForm] | None]] | None = Field(
        default=None, description="Destinations by name."
    )
    tasks: Listing[Annotated[TaskForm | None, BeforeValidator(_short_task)]] | None = Field(
        default=None, description="The tasks to watch."
    )
    polling: Block[PollingForm] | None = Field(default=None, description="How HubSpot is asked.")
    delivery: Block[DeliveryForm] | None = Field(default=None, description="How callbacks are told.")
    store: Text | None = Field(default=None, description="The file that holds the state.")
    retention: Block[RetentionForm] | None = Field(default=None, description="How long things are remembered.")
    log: Block[LogForm] | None = Field(default=None, description="What is logged.")


# Which model the mapping at a path has; ``*`` stands for a name or number.
_FORMS: dict[Path, type[_Form]] = {
    (): FileForm,
    ("accounts", "*"): AccountForm,
    ("callbacks", "*"): CallbackForm,
    ("callbacks", "*", "headers", "*"): HeaderForm,
    ("callbacks", "*", "auth"): AuthForm,
    ("callbacks", "*", "auth", "*"): BasicForm,
    ("callbacks", "*", "tls"): TlsForm,
    ("tasks", "*"): TaskForm,
    ("polling",): PollingForm,
    ("delivery",): DeliveryForm,
    ("retention",): RetentionForm,
    ("log",): LogForm,
}
_SECRET_KEYS = frozenset(
    {"token", "url", "secret", "value", "headers", "auth", "bearer", "basic", "username", "password", "proxy"}
)


def form_at(path: Path) -> type[_Form] | None:
    """Give the model of the mapping at ``path``; ``None`` where the keys are names, or nothing is known."""
    return _FORMS.get(tuple("*" if depth % 2 else step for depth, step in enumerate(path)))


def is_open(path: Path) -> bool:
    """Tell whether the value at ``path`` may be shown: it has a known place and is no secret there."""
    if path == ("store",) or is_task_id(path):
        return True
    key = _without_numbers(path)
    form = form_at(key[:-1]) if len(key) > 1 else None
    return form is not None and key[-1] in form.model_fields and key[-1] not in _SECRET_KEYS


def leads_to_secret(path: Path) -> bool:
    """Tell whether the value at ``path`` is a secret, or says where one is kept."""
    if len(path) < 3 or path[0] not in {"accounts", "callbacks"}:
        return False
    return path[2] == "tls" or str(path[2]).partition("_")[0] in _SECRET_KEYS


def _without_numbers(path: Path) -> Path:
    while path and isinstance(path[-1], int):
        path = path[:-1]
    return path
