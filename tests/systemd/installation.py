"""What the machine's ``/opt/notifier`` is made of: this very interpreter, its libraries and the package under test."""

import sys
from pathlib import Path

import notifier

PROGRAMS = Path(__file__).parent / "programs"
UNIT = Path(__file__).parents[2] / "systemd" / "notifier.service"
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
# An interpreter built with a shared library would look for it where it was built, then find the system's.
DROP_IN = "[Service]\nEnvironment=LD_LIBRARY_PATH=/opt/python/lib\n"
COMMAND = """#!/opt/notifier/bin/python
from notifier.cli import main

main()
"""


def installation(folder: Path) -> dict[str, Path]:
    """Make a virtual environment in ``folder`` and tell where each part of it belongs inside.

    The interpreter and its libraries may live under a home folder, which the unit can't see, so they are bound elsewhere.
    """
    binds = {"/opt/notifier": folder, "/opt/source/notifier": Path(notifier.__file__).parent, "/opt/programs": PROGRAMS}
    home = Path("/usr/bin")
    if Path(sys.base_prefix) != Path("/usr"):
        home = Path("/opt/python/bin")
        binds["/opt/python"] = Path(sys.base_prefix)
    libraries = {f"/opt/libraries/{number}": path for number, path in enumerate(_library_folders())}
    _make_environment(folder, home, ["/opt/source", *libraries])
    return {**binds, **libraries}


def _library_folders() -> list[Path]:
    """Give the folders of the installed packages."""
    return [
        Path(path) for path in sys.path if path.endswith(("site-packages", "dist-packages")) and Path(path).is_dir()
    ]


def _make_environment(folder: Path, home: Path, import_from: list[str]) -> None:
    packages = folder / "lib" / VERSION / "site-packages"
    packages.mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
    (folder / "bin" / "python").symlink_to(home / VERSION)
    (folder / "bin" / "notifier").write_text(COMMAND)
    (folder / "bin" / "notifier").chmod(0o755)
    (packages / "notifier.pth").write_text("".join(f"{path}\n" for path in import_from))
    folder.chmod(0o755)
