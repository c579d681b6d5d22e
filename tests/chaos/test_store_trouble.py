"""The disk is full, the folder can't be written, the power fails: what was on record stays, what is owed is told."""

import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import anyio
import pytest

from chaos.daemon import Daemon, until
from chaos.places import MORTAL, fill, need_root, small_disk
from chaos.scenes import unending, wait_for_all
from chaos.truth import believed_wrongly, wrongs
from chaos.world import World, was_taken

STOP_LIMIT = 25.0  # seconds: TimeoutStopSec of the unit


async def revived(it: World, daemon: Daemon) -> Daemon:
    """Give a daemon that runs: this one, or another as the service manager would start it."""
    while daemon.code is not None:
        assert daemon.code == 1, daemon.log
        assert "Traceback" not in daemon.log
        daemon = it.start()
        await daemon.ready_or_ended()
    return daemon


def end(it: World, endings: Mapping[str, str], first: int, last: int) -> None:
    """End some of the tasks."""
    for task in list(endings)[first:last]:
        it.hubspot.end_task(task, endings[task])


@pytest.mark.timeout(90)
async def test_the_disk_fills_up_and_is_freed(it: World, chance: random.Random, note: Callable[[str], None]) -> None:
    """Nothing can be written for a while, in which tasks end: the daemon waits, says so, and tells them afterwards."""
    with small_disk(it.folder / "disk", "8m") as disk:
        it.store = disk / "notifier.db"
        endings = unending(it, chance, 60)
        it.write(it.config(endings))
        daemon = await it.started()
        end(it, endings, 0, 20)
        await it.receiver.wait_for(20, distinct=True)
        ballast = fill(disk)
        end(it, endings, 20, 60)
        await until(lambda: '"store.stuck"' in daemon.log or daemon.code is not None, lambda: daemon.log)
        await anyio.sleep(2.0)
        survived = daemon.code is None
        ballast.unlink()
        daemon = await revived(it, daemon)
        await wait_for_all(it, endings, ["erp"])
        assert await daemon.stop() == 0
        note(f"full disk: the daemon {'waited' if survived else 'started again'}")
        assert wrongs(it, endings) == []


@pytest.mark.timeout(90)
async def test_stopped_while_the_disk_is_full(it: World, chance: random.Random) -> None:
    """SIGTERM ends it within the time that the service manager gives, and what was in flight is told later."""
    with small_disk(it.folder / "disk", "8m") as disk:
        it.store = disk / "notifier.db"
        endings = unending(it, chance, 20)
        it.write(it.config(endings))
        daemon = await it.started()
        end(it, endings, 0, 10)
        await it.receiver.wait_for(4, distinct=True)
        ballast = fill(disk)
        end(it, endings, 10, 20)
        await until(lambda: '"store.stuck"' in daemon.log, lambda: daemon.log)
        began = time.monotonic()
        assert await daemon.stop(timeout=40.0) == 0
        assert time.monotonic() - began < STOP_LIMIT
        assert "Traceback" not in daemon.log
        ballast.unlink()
        await it.started()
        await wait_for_all(it, endings, ["erp"])
        assert wrongs(it, endings) == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("before", ["nothing", "killed", "stopped"])
async def test_started_on_a_full_disk(it: World, before: str) -> None:
    """It starts, waits, or ends with one clear line, and can be stopped; when there is room again all is told."""
    with small_disk(it.folder / "disk", "8m") as disk:
        it.store = disk / "notifier.db"
        it.hubspot.add_task("a", pending=0.0, ends="never")
        it.hubspot.add_task("b", pending=0.0, processing=0.0)
        it.write(it.config(["a"]))
        if before != "nothing":
            daemon = await it.started()
            await (daemon.stop() if before == "stopped" else killed(daemon))
        it.write(it.config(["a", "b"]))
        ballast = fill(disk)
        daemon = it.start()
        await until(lambda: daemon.code is not None or '"store.stuck"' in daemon.log, lambda: daemon.log)
        code = await daemon.stop(timeout=10.0)
        assert code in {0, 1}
        assert "Traceback" not in daemon.log
        assert "daemon.crashed" not in daemon.log
        assert code == 0 or one_line(daemon).startswith("notifier: /"), daemon.log
        ballast.unlink()
        it.hubspot.end_task("a")
        await it.started()
        await wait_for_all(it, {"a": "complete", "b": "complete"}, ["erp"])


async def killed(daemon: Daemon) -> int:
    """Kill it and wait for its end."""
    daemon.kill()
    return await daemon.ended()


def one_line(daemon: Daemon) -> str:
    """Give the one line that is no line of the log."""
    [line] = [line for line in daemon.log.splitlines() if not line.startswith("{")]
    return line


@pytest.mark.timeout(60)
async def test_the_folder_becomes_read_only(it: World, chance: random.Random) -> None:
    """No file can be made or deleted any more: what runs goes on; a start says clearly what is wrong, or works."""
    need_root("setpriv")
    endings = unending(it, chance, 20)
    it.store.parent.joinpath("state").mkdir()
    it.store = it.folder / "state" / "notifier.db"
    it.write(it.config(endings))
    daemon = it.start(enter=MORTAL)
    await daemon.ready()
    it.store.parent.chmod(0o500)
    end(it, endings, 0, 10)
    await it.receiver.wait_for(10, distinct=True)
    assert await daemon.stop() == 0
    assert "Traceback" not in daemon.log
    for path in it.store.parent.glob("notifier.db-*"):
        path.unlink()
    daemon = it.start(enter=MORTAL)
    assert await daemon.ended() == 1
    assert "by this user" in one_line(daemon)
    it.store.parent.chmod(0o700)
    end(it, endings, 10, 20)
    daemon = it.start(enter=MORTAL)
    await wait_for_all(it, endings, ["erp"])
    assert wrongs(it, endings) == []


@pytest.mark.timeout(120)
async def test_the_power_fails_while_it_writes(it: World, chance: random.Random, note: Callable[[str], None]) -> None:
    """The files as they stood at one moment, with a torn write behind them, are a store that goes on where it was.

    The daemon is frozen while they are copied: a copy made while it writes is of no one moment, and no power cut.
    """
    endings = unending(it, chance, 300)
    cuts, on_record = 5, 0
    for cut in range(cuts):
        it.write(it.config(endings, callbacks=("erp", "shop")))
        daemon = await it.started()
        before = len(it.receiver.arrivals)
        end(it, endings, cut * 50, cut * 50 + 50)
        await it.receiver.wait_for(before + chance.randint(20, 60))
        daemon.send(SIGSTOP)
        it.store = torn_copy(it.store, it.folder / f"copy{cut}", chance)
        arrivals = list(it.receiver.arrivals)
        on_record += sum(map(was_taken, arrivals))
        assert believed_wrongly(arrivals, it.store) == []
        daemon.kill()
        daemon.send(SIGCONT)
        await daemon.ended()
    end(it, endings, cuts * 50, 300)
    it.write(it.config(endings, callbacks=("erp", "shop")))
    await it.started()
    await wait_for_all(it, endings)
    note(f"power cuts: {cuts}, with {on_record} arrivals before them")
    assert wrongs(it, endings, ("erp", "shop")) == []


def torn_copy(store: Path, folder: Path, chance: random.Random) -> Path:
    """Copy the store's files, and add to the log what a write cut short may leave."""
    folder.mkdir()
    for path in store.parent.glob(f"{store.name}*"):
        if path.is_file() and not path.name.endswith(".lock"):
            shutil.copyfile(path, folder / path.name)
    with (folder / f"{store.name}-wal").open("ab") as stream:
        stream.write(chance.randbytes(chance.randint(1, 20_000)))
    with closing(sqlite3.connect(folder / store.name)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return folder / store.name
