"""What the tests of the configuration share: a valid file, and reading a text as if it were one."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from notifier.config import Loaded, load
from notifier.config.problems import InvalidConfig, Problem

SIGNING = "whsec_" + "QUFB" * 8  # 24 bytes

GOOD = f"""\
accounts:
  main:
    token: ${{HUBSPOT_TOKEN}}
callbacks:
  erp:
    url: https://erp.example.com/hooks/hubspot
    secret: {SIGNING}
    events: [task.*, account.*, callback.*, delivery.*]
tasks:
  - AAAA
"""

ENVIRON = {"HUBSPOT_TOKEN": "pat-na1-0123456789", "HOME": "/home/nobody"}


def write(folder: Path, text: str) -> Path:
    """Write ``text`` as a configuration that only its owner may read."""
    path = folder / "config.yaml"
    path.write_text(text, newline="")
    path.chmod(0o600)
    return path


def loaded(folder: Path, text: str, environ: Mapping[str, str] = ENVIRON) -> Loaded:
    """Load ``text``."""
    return load(write(folder, text), environ)


def refused(folder: Path, text: str, environ: Mapping[str, str] = ENVIRON) -> tuple[Problem, ...]:
    """Load ``text``, which has errors, and give the problems."""
    with pytest.raises(InvalidConfig) as caught:
        loaded(folder, text, environ)
    return caught.value.problems


def only_error(folder: Path, text: str, environ: Mapping[str, str] = ENVIRON) -> Problem:
    """Give the one error of ``text``."""
    [error] = [problem for problem in refused(folder, text, environ) if problem.level == "error"]
    return error
