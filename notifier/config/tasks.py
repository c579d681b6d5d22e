"""From task forms to the wishes that tasks be watched."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from notifier.config.names import check_known
from notifier.config.nodes import Path
from notifier.config.problems import Report
from notifier.config.schema import TaskForm
from notifier.model import TaskKey, WatchRequest


@dataclass(slots=True)
class TaskReader:
    """Reads tasks. Names are looked up among all that the file has, also those with mistakes of their own."""

    report: Report
    accounts: Sequence[str]
    callbacks: Sequence[str]
    kinds: Sequence[str]
    default_kind: str
    deadline: float
    seen: dict[TaskKey, int] = field(default_factory=dict)

    def read_all(self, forms: Sequence[TaskForm | None]) -> tuple[WatchRequest, ...]:
        """Give the tasks that are right; ``None`` stands for one that was refused before."""
        requests = (self._read(number, form) for number, form in enumerate(forms) if form)
        return tuple(request for request in requests if request)

    def _read(self, number: int, form: TaskForm) -> WatchRequest | None:
        path: Path = ("tasks", number)
        account = self._account(path, form)
        kind = form.kind or self.default_kind
        is_kind = kind == self.default_kind or check_known((*path, "kind"), "kind", kind, self.kinds, self.report)
        callbacks = self._callbacks(path, form)
        if form.id is None:
            self._refuse_nameless(path)
        if form.id is None or account is None or not is_kind:
            return None
        key = TaskKey(account, kind, form.id)
        self._refuse_again(key, number)
        return WatchRequest(key, form.label or None, callbacks, form.deadline or self.deadline)

    def _account(self, path: Path, form: TaskForm) -> str | None:
        if form.account is not None:
            at = (*path, "account")
            return form.account if check_known(at, "account", form.account, self.accounts, self.report) else None
        if len(self.accounts) == 1:
            return self.accounts[0]
        if self.accounts and not self.report.has(*path, "account"):
            hint = f"add `account:` with one of: {', '.join(self.accounts)}"
            self.report.error(path, "which account is this task's? There are several", hint)
        return None

    def _callbacks(self, path: Path, form: TaskForm) -> tuple[str, ...] | None:
        if form.callbacks is None:
            return None
        at = (*path, "callbacks")
        if not form.callbacks:
            self.report.error(
                at, "no callbacks: nobody would be told", "list one at least, or leave it out for every callback"
            )
        return tuple(self._known_callbacks(at, form.callbacks))

    def _known_callbacks(self, path: Path, names: Sequence[str | None]) -> Iterator[str]:
        for number, name in enumerate(names):
            if name is None:
                continue
            if name in names[:number]:
                self.report.error((*path, number), "this callback is listed twice", "keep one of the two")
            elif check_known((*path, number), "callback", name, self.callbacks, self.report):
                yield name

    def _refuse_nameless(self, path: Path) -> None:
        if not self.report.has(*path, "id") and not self.report.is_short(path):
            self.report.error(path, "the task has no id", "add `id:` with HubSpot's task id")

    def _refuse_again(self, key: TaskKey, number: int) -> None:
        first = self.seen.setdefault(key, number)
        if first != number:
            message = f"this task is listed twice; it is already on line {self.report.line_of(('tasks', first))}"
            self.report.error(("tasks", number, "id"), message, "keep one of the two")
