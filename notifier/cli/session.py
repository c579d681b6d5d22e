"""How commands reach the configuration and the store, beside a daemon or without one."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import anyio
import click

from notifier.config import Settings
from notifier.errors import NotifierError, UnknownName
from notifier.model import Watch
from notifier.store.lockfile import is_locked
from notifier.store.sqlite import SqliteStore, open_sqlite

T = TypeVar("T")


def expected_error(error: BaseException) -> NotifierError | None:
    """Take an error of ours out of the groups that task groups wrap it in; None when there is a bug among them.

    Of several, the first: a store that can't be used any more is met by every loop at once.
    """
    if not isinstance(error, BaseExceptionGroup):
        return error if isinstance(error, NotifierError) else None
    expected = [expected_error(each) for each in error.exceptions]
    return None if None in expected else expected[0]


def run_async(work: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine function to its end, raising errors of ours as they were raised inside it."""
    try:
        return anyio.run(work)
    except BaseExceptionGroup as group:
        if (expected := expected_error(group)) is not None:
            raise expected from None
        raise


def with_store(path: Path, work: Callable[[SqliteStore], Awaitable[T]], *, create: bool = False) -> T:
    """Open the store, do ``work`` with it, close it.

    :param create: make the store when there is none: only for commands that ask for something.
    """

    async def opened() -> T:
        async with open_sqlite(path, daemon=False, create=create) as store:
            return await work(store)

    return run_async(opened)


def say_if_nobody_runs(path: Path) -> None:
    """Remark on stderr that what was asked for waits for a daemon."""
    if is_locked(path) is None:
        click.echo("no daemon runs on this store: `notifier run` will see to it", err=True)


async def one_watch(store: SqliteStore, wanted: str) -> Watch:
    """Find the watch that a person means by a task id or a watch id.

    :raises UnknownName: none or several.
    """
    found = await store.watches_of_task(wanted)
    if not found:
        raise UnknownName(f"no watch on {wanted!r}; `notifier watch list` shows what is watched")
    if len(found) > 1:
        ids = ", ".join(f"{watch.watch_id} ({watch.key.account}, {watch.key.kind})" for watch in found)
        raise UnknownName(f"{wanted!r} is watched more than once; name one of {ids}")
    return found[0]


def known_callback(settings: Settings, name: str) -> str:
    """Give ``name``. :raises UnknownName: no callback of that name is configured."""
    if name not in settings.callbacks:
        raise UnknownName(f"no callback {name!r}; configured are {', '.join(settings.callbacks) or 'none'}")
    return name
