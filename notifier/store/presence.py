"""Notices that the store's files are no longer where they were: deleted, moved, or their disk unmounted.

The kernel lets a program go on writing to a file that nobody will ever find again; what is written there is not kept.
"""

from pathlib import Path

from notifier.errors import StoreUnusable
from notifier.store.lockfile import lock_of

Identity = tuple[int, int]  # device and inode


class Presence:
    """Remembers which files stand at some paths; made once they all exist."""

    def __init__(self, *paths: Path) -> None:
        self._identities = {path: _identity(path) for path in paths}

    def check(self) -> None:
        """Find every file where it was.

        :raises StoreUnusable: one is gone, or another has taken its place.
        """
        for path, identity in self._identities.items():
            if identity is None or _identity(path) != identity:
                raise StoreUnusable(
                    f"{path}: the file is gone, or another stands in its place; nothing more can be kept in it"
                )


def presence_of(store: Path) -> Presence:
    """Give the presence of an open store: its file, its log of changes, and the lock that keeps a second daemon away."""
    real = store.resolve()
    return Presence(store, real.with_name(real.name + "-wal"), lock_of(store))


def _identity(path: Path) -> Identity | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
