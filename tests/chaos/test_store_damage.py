"""The store's file is damaged, deleted, moved or unmounted, its disk fails: the daemon ends, says why, and nothing is told wrongly."""

import random
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from chaos.daemon import Daemon, until
from chaos.places import MORTAL, need_root, small_disk, unmount
from chaos.scenes import unending, wait_for_all
from chaos.truth import wrongs
from chaos.world import World, task_of

HEADER = 100  # bytes, of the file's first page


async def ended_plainly(daemon: Daemon, *words: str) -> str:
    """Wait for its end: code 1, one line that says why, no traceback."""
    assert await daemon.ended(timeout=15.0) == 1, daemon.log
    assert "Traceback" not in daemon.log
    assert "daemon.crashed" not in daemon.log, daemon.log
    [line] = [line for line in daemon.log.splitlines() if not line.startswith("{")]
    assert any(word in line for word in words), line
    return line


def end(it: World, endings: dict[str, str], first: int, last: int) -> None:
    """End some of the tasks."""
    for task in list(endings)[first:last]:
        it.hubspot.end_task(task, endings[task])


def told_under_one_id(it: World) -> bool:
    """Tell whether every task was told under one id only, and verified."""
    ids = {(task_of(each), each.webhook_id) for each in it.receiver.arrivals}
    return len(ids) == len({task for task, _ in ids}) and all(each.verified for each in it.receiver.arrivals)


def overwrite(store: Path, chance: random.Random, *, header: bool) -> None:
    """Overwrite the file's header, or some of the pages behind the first, with noise."""
    page = 4096
    with store.open("r+b") as stream:
        if header:
            stream.write(chance.randbytes(HEADER))
            return
        pages = store.stat().st_size // page
        for number in chance.sample(range(1, pages), k=pages // 2):
            stream.seek(number * page)
            stream.write(chance.randbytes(page))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("header", [True, False], ids=["header", "pages"])
async def test_damaged_before_the_start(it: World, chance: random.Random, header: bool) -> None:
    """It is refused at the start and left as it is; with an older copy in its place everything is told, under the same ids."""
    endings = unending(it, chance, 30)
    it.write(it.config(endings))
    daemon = await it.started()
    end(it, endings, 0, 10)
    await it.receiver.wait_for(10, distinct=True)
    assert await daemon.stop() == 0
    older = shutil.copyfile(it.store, it.folder / "older.db")
    daemon = await it.started()
    end(it, endings, 10, 20)
    await it.receiver.wait_for(20, distinct=True)
    assert await daemon.stop() == 0
    overwrite(it.store, chance, header=header)
    damaged = it.store.read_bytes()
    line = await ended_plainly(it.start(), "damaged", "not a notifier store")
    assert str(it.store) in line
    assert it.store.read_bytes() == damaged
    end(it, endings, 20, 30)
    shutil.copyfile(older, it.store)
    daemon = await it.started()
    await wait_for_all(it, endings, ["erp"])
    assert await daemon.stop() == 0
    assert told_under_one_id(it)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("header", [True, False], ids=["header", "pages"])
async def test_damaged_while_it_runs(it: World, chance: random.Random, header: bool) -> None:
    """It ends when it meets the damage; nothing is told twice under another id, and without the file all is told again."""
    endings = unending(it, chance, 60)
    it.write(it.config(endings))
    daemon = await it.started()
    end(it, endings, 0, 20)
    await it.receiver.wait_for(20, distinct=True)
    with closing(sqlite3.connect(it.store)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    overwrite(it.store, chance, header=header)
    end(it, endings, 20, 60)
    await ended_plainly(await met_by(it, daemon), "damaged", "not a notifier store")
    assert told_under_one_id(it)
    for path in it.store.parent.glob("notifier.db*"):
        path.unlink()
    daemon = await it.started()
    await wait_for_all(it, endings, ["erp"])
    assert told_under_one_id(it)


async def met_by(it: World, daemon: Daemon) -> Daemon:
    """Give the daemon that meets the damage: this one, or, while it finds all it needs in memory, the next."""
    with anyio.move_on_after(5):
        await daemon.ended()
    if daemon.code is not None:
        return daemon
    await daemon.stop()
    return it.start()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("what", ["", "-wal", ".lock", "folder", "unmounted"])
async def test_gone_while_it_runs(it: World, chance: random.Random, what: str) -> None:
    """It ends within a second, saying what is gone, and the next one tells everything, under the same ids."""
    # Unmounted it leaves an empty folder, itself on a small disk.
    with small_disk(it.folder / "outer", "16m") as outer, small_disk(outer / "disk", "16m") as disk:
        it.store = disk / "state" / "notifier.db"
        it.store.parent.mkdir()
        endings = unending(it, chance, 30)
        it.write(it.config(endings))
        daemon = await it.started()
        end(it, endings, 0, 10)
        await it.receiver.wait_for(10, distinct=True)
        if what == "folder":
            it.store.parent.rename(disk / "elsewhere")
        elif what == "unmounted":
            unmount(disk)
        else:
            it.store.with_name(it.store.name + what).unlink()
        end(it, endings, 10, 20)
        await ended_plainly(daemon, "gone")
        end(it, endings, 20, 30)
        daemon = await it.started()
        await wait_for_all(it, endings, ["erp"])
        assert await daemon.stop() == 0
        assert told_under_one_id(it)


@pytest.mark.timeout(60)
async def test_the_disk_fails_while_it_runs(it: World, chance: random.Random) -> None:
    """No byte can be added any more (a limit of the kernel plays it): it ends with one line; what it acknowledged stays."""
    endings = unending(it, chance, 40)
    it.write(it.config(endings))
    daemon = await it.started()
    end(it, endings, 0, 20)
    await it.receiver.wait_for(20, distinct=True)
    limit = it.store.with_name("notifier.db-wal").stat().st_size
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (limit, limit))
    end(it, endings, 20, 40)
    await ended_plainly(daemon, "the disk is full or failing")
    await it.started()
    await wait_for_all(it, endings, ["erp"])
    assert wrongs(it, endings) == []


@pytest.mark.timeout(60)
async def test_a_read_only_disk(it: World, chance: random.Random) -> None:
    """Started on one it says so in one line; while the daemon runs the kernel lets nobody make it one."""
    with small_disk(it.folder / "disk", "16m") as disk:
        it.store = disk / "notifier.db"
        endings = unending(it, chance, 20)
        it.write(it.config(endings))
        daemon = await it.started()
        end(it, endings, 0, 10)
        await it.receiver.wait_for(10, distinct=True)
        assert subprocess.run(["mount", "-o", "remount,ro", disk], check=False, capture_output=True).returncode
        assert await daemon.stop() == 0
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        await ended_plainly(it.start(), "Read-only file system")
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        end(it, endings, 10, 20)
        await it.started()
        await wait_for_all(it, endings, ["erp"])
        assert wrongs(it, endings) == []


@pytest.mark.timeout(60)
async def test_a_read_only_file(it: World) -> None:
    """A file its user may not write: one line, and the file is as it was."""
    need_root("setpriv")
    it.write(it.config())
    await (await it.started()).stop()
    it.store.chmod(0o400)
    before = it.store.read_bytes()
    await ended_plainly(it.start(enter=MORTAL), "Permission denied", "can't be written")
    assert it.store.read_bytes() == before


@pytest.mark.timeout(120)
async def test_a_disk_smaller_than_the_log_of_changes(
    it: World, chance: random.Random, note: Callable[[str], None]
) -> None:
    """4 MB, which SQLite's log of changes may fill alone: when there is room again the daemon goes on."""
    with small_disk(it.folder / "disk", "4m") as disk:
        it.store = disk / "notifier.db"
        endings = unending(it, chance, 150)
        it.write(it.config(endings))
        ballast = disk / "early"
        ballast.write_bytes(bytes(1 << 20))
        daemon = await it.started()
        await until(lambda: '"store.stuck"' in daemon.log, lambda: daemon.log)
        note(f"4 MB disk, full: {sizes(disk)}")
        end(it, endings, 0, 150)
        await anyio.sleep(2.5)
        ballast.unlink()
        await wait_for_all(it, endings, ["erp"])
        assert await daemon.stop() == 0
        note(f"4 MB disk, freed: {sizes(disk)}")
        assert wrongs(it, endings) == []


def sizes(disk: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in disk.iterdir()}
