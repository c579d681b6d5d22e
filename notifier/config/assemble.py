"""From the models to the settings: defaults filled in, secrets read, names looked up. Nothing here stops at a mistake."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from notifier.config.callbacks import CallbackReader, warn_of_silence
from notifier.config.names import check_names
from notifier.config.problems import Mistake, Report
from notifier.config.schema import AccountForm, DeliveryForm, FileForm, LogForm, PollingForm, RetentionForm
from notifier.config.secrets import Vault, check_token
from notifier.config.settings import LogSettings, Settings
from notifier.config.store_path import default_store, read_store
from notifier.config.tasks import TaskReader
from notifier.config.urls import check_base_url, is_in_the_clear, warn_of_refused_address
from notifier.delivery.formats.contract import Format
from notifier.delivery.settings import DEFAULT_SCHEDULE, Callback, OnUnknown
from notifier.hubspot.account import Account
from notifier.polling.settings import PollingSettings
from notifier.store.settings import Retention


@dataclass(frozen=True, slots=True)
class Registries:
    """What is implemented."""

    formats: Mapping[str, Format]
    kinds: Sequence[str]
    default_kind: str


def registries() -> Registries:
    """Give the registries of formats and kinds."""
    from notifier.delivery.formats import FORMATS  # noqa: PLC0415  # reading a file must not load what sends requests
    from notifier.hubspot.kinds import DEFAULT_KIND, KINDS  # noqa: PLC0415  # likewise

    return Registries(FORMATS, tuple(KINDS), DEFAULT_KIND)


@dataclass(frozen=True, slots=True)
class Assembler:
    """Puts the settings together."""

    vault: Vault
    known: Registries

    @property
    def report(self) -> Report:
        """Where mistakes go."""
        return self.vault.report

    def settings(self, form: FileForm) -> Settings:
        """Give the settings. They may be used only when the report has no errors."""
        polling = PollingSettings(**_given(form.polling or PollingForm()))
        schedule = self._schedule(form.delivery or DeliveryForm())
        accounts = self._accounts(form)
        callbacks = self._callbacks(form, schedule)
        tasks = self._task_reader(polling).read_all(form.tasks or [])
        log = LogSettings(**_given(form.log or LogForm()))
        retention = Retention(**_given(form.retention or RetentionForm()))
        return Settings(accounts, callbacks, tasks, polling, schedule, self._store(form), log, retention)

    def _accounts(self, form: FileForm) -> dict[str, Account]:
        names = self.report.keys("accounts")
        check_names("accounts", names, self.report)
        if not names and (form.accounts is not None or not self.report.has("accounts")):
            self.report.error(
                ("accounts",), "no accounts", "add one: accounts: {main: {token: ${HUBSPOT_TOKEN}}}", on_key=True
            )
        read = ((name, self._account(name, account)) for name, account in (form.accounts or {}).items() if account)
        return {name: account for name, account in read if account}

    def _account(self, name: str, form: AccountForm) -> Account | None:
        path = ("accounts", name)
        rest = self._account_rest(name, form)
        key = self.vault.spelling(path, ("token", "token_file", "token_credential"), required="the account's token")
        scalar = getattr(form, key) if key else None
        if key is None or scalar is None:
            return None
        token = self.vault.one((*path, key), key, scalar, check_token)
        return Account(name, token, **rest) if token else None

    def _account_rest(self, name: str, form: AccountForm) -> dict[str, Any]:
        rest = _given(form, "base_url", "api_version", "rate_limit")
        path = ("accounts", name, "base_url")
        try:
            if form.base_url is not None:
                check_base_url(form.base_url)
                rest["base_url"] = form.base_url.rstrip("/")
                warn_of_refused_address(form.base_url, path, self.report)
                if is_in_the_clear(form.base_url):
                    self.report.warn(
                        path, "http:// to another machine: everyone on the way can read the token", "use https://"
                    )
        except Mistake as mistake:
            self.report.mistake(path, mistake)
        return rest

    def _schedule(self, form: DeliveryForm) -> tuple[float, ...]:
        if form.schedule is None:
            return DEFAULT_SCHEDULE
        path = ("delivery", "schedule")
        if not form.schedule:
            self.report.error(path, "the schedule is empty", "list one delay at least, or leave it out for the default")
        for number, delay in enumerate(form.schedule):
            if number and delay == 0:
                self.report.error(
                    (*path, number), "only the first delay may be nothing", "write a duration, such as 5s"
                )
        return tuple(delay for delay in form.schedule if delay is not None)

    def _callbacks(self, form: FileForm, schedule: Sequence[float]) -> dict[str, Callback]:
        names = self.report.keys("callbacks")
        check_names("callbacks", names, self.report)
        reader = CallbackReader(
            self.vault, self.report, _callback_defaults(form.delivery, schedule), self.known.formats
        )
        read = ((name, reader.read(name, callback)) for name, callback in (form.callbacks or {}).items() if callback)
        callbacks = {name: callback for name, callback in read if callback}
        if len(callbacks) == len(names):
            warn_of_silence(callbacks, self.report)
        return callbacks

    def _task_reader(self, polling: PollingSettings) -> TaskReader:
        accounts, callbacks = tuple(self.report.keys("accounts")), tuple(self.report.keys("callbacks"))
        return TaskReader(self.report, accounts, callbacks, self.known.kinds, self.known.default_kind, polling.deadline)

    def _store(self, form: FileForm) -> Path:
        try:
            if form.store is not None:
                return read_store(form.store, self.vault.folder, self.vault.environ)
            if not self.report.has("store"):
                return default_store(self.vault.environ)
        except Mistake as mistake:
            self.report.mistake(("store",), mistake)
        return self.vault.folder


def _given(form: Any, *names: str) -> dict[str, Any]:
    """Give what the file says, of ``names`` or of all."""
    return {name: getattr(form, name) for name in names or form.model_fields_set if getattr(form, name) is not None}


def _callback_defaults(form: DeliveryForm | None, schedule: Sequence[float]) -> dict[str, Any]:
    """Give what a callback has that says nothing of its own: one attempt for each delay, if nothing else is said."""
    given = _given(form or DeliveryForm(), "timeout", "max_attempts", "on_unknown")
    if "on_unknown" in given:
        given["on_unknown"] = OnUnknown(given["on_unknown"])
    return {"max_attempts": len(schedule), **given}
