"""The display of ``notifier watch follow``: a line that moves on a terminal, a line per change elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
import click

from notifier.cli.output import span
from notifier.cli.session import one_watch, say_if_nobody_runs
from notifier.model import Watch, WatchState
from notifier.store.lockfile import is_locked
from notifier.store.sqlite import SqliteStore

LOOK_EVERY = 0.5  # seconds


async def follow_watch(store: SqliteStore, task_id: str, limit: float | None, *, show: bool) -> Watch:
    """Look at a watch until it is no longer active, ``limit`` seconds at most; gives it as it then is."""
    watch = await one_watch(store, task_id)
    alone = is_locked(store.path) is None
    with _display(enabled=show) as tell, anyio.move_on_after(limit):
        while True:
            tell(watch)
            if watch.state is not WatchState.ACTIVE:
                break
            await anyio.sleep(LOOK_EVERY)
            alone = _say_when_alone(store, alone)
            watch = await one_watch(store, watch.watch_id)
    if show:
        click.echo(_line(watch))
    return watch


def _say_when_alone(store: SqliteStore, was_alone: bool) -> bool:
    """Say it when the daemon ends under us: what is followed does not move any more."""
    alone = is_locked(store.path) is None
    if alone and not was_alone:
        say_if_nobody_runs(store.path)
    return alone


@contextmanager
def _display(*, enabled: bool) -> Iterator[Callable[[Watch], None]]:
    if not enabled:
        yield lambda _watch: None
    elif sys.stderr.isatty():
        with _spinner() as tell:
            yield tell
    else:
        yield _each_change()


@contextmanager
def _spinner() -> Iterator[Callable[[Watch], None]]:
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("") as status:
        yield lambda watch: status.update(_line(watch))


def _each_change() -> Callable[[Watch], None]:
    last: list[tuple[str | None, str | None]] = []

    def tell(watch: Watch) -> None:
        now = (watch.status, watch.problem)
        if watch.state is WatchState.ACTIVE and now != (last[-1] if last else None):
            last.append(now)
            click.echo(_line(watch), err=True)

    return tell


def _line(watch: Watch) -> str:
    name = watch.label or watch.key.task_id
    if watch.state is not WatchState.ACTIVE:
        status = f" (HubSpot: {watch.status})" if watch.status else ""
        return f"{name}: {watch.outcome or watch.state}{status}"
    age = span(time.time() - watch.began_at)
    upcoming = max(0.0, watch.next_poll_at - time.time())
    problem = f", {watch.problem}" if watch.problem else ""
    status = watch.status or ("no status yet" if watch.polls else "not polled yet")
    return f"{name}: {status}, polls: {watch.polls}, {age}, next in {upcoming:.0f}s{problem}"
