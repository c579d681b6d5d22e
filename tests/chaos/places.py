"""Places for a store that can be filled up or locked up. They need root."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# Root may write anywhere; a root without this capability may not.
MORTAL = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


def need_root(*programs: str) -> None:
    """Skip where this can't be had; with NOTIFIER_REQUIRE_REAL=1 fail."""
    missing = [program for program in programs if shutil.which(program) is None]
    if os.geteuid() == 0 and not missing:
        return
    reason = f"needs {' and '.join(missing)}" if missing else "needs root"
    if os.environ.get("NOTIFIER_REQUIRE_REAL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a small disk at ``folder``."""
    need_root("mount", "umount")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        if folder.is_mount():  # a test may have unmounted it
            unmount(folder)


def unmount(disk: Path) -> None:
    """Take a disk away, whoever uses it: the files stay for those who have them open, and for nobody else."""
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk: Path) -> Path:
    """Write until nothing more fits; gives the file to delete."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as stream:
        try:
            while stream.write(b"\0" * 4096):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    return ballast
