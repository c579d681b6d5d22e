"""The lock that keeps a second daemon off the same store."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from notifier.errors import StoreLocked, StoreUnusable

LOOKS = 50  # before the lock is taken to be another daemon's
LOOK_PAUSE = 0.01  # seconds


class LockFile:
    """An advisory lock beside the store; the kernel lets go of it when the daemon ends, however it ends.

    :raises StoreLocked: another daemon holds it.
    :raises StoreUnusable: the file can't be made or written.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        path = lock_of(store)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnusable(f"{error.filename}: {error.strerror}") from error

    def __enter__(self) -> Self:
        if not self._taken():
            holder = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise StoreLocked(
                f"{self._store}: another notifier (process id {holder}) runs on this store; stop it or configure another `store`"
            )
        try:
            os.truncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(self._fd)
            raise StoreUnusable(f"{self._store}: {error.strerror}") from error
        return self

    def _taken(self) -> bool:
        """Take the lock; a command that looks whether a daemon runs holds it for a moment."""
        for _ in range(LOOKS):
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(LOOK_PAUSE)
            else:
                return True
        return False

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        os.close(self._fd)


def lock_of(store: Path) -> Path:
    """Name the lock after the file itself: a link to it must not have a lock of its own."""
    store = store.resolve()
    return store.with_name(store.name + ".lock")


def is_locked(store: Path) -> int | None:
    """Give the process id of the daemon that runs on ``store``, or None when there is none."""
    try:
        fd = os.open(lock_of(store), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        text = os.pread(fd, 20, 0).decode("ascii", "replace").strip()
        return int(text) if text.isdigit() else 0
    else:
        return None
    finally:
        os.close(fd)
