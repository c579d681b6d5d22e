"""From a file to settings, or to everything that is wrong with it."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from notifier.config.assemble import Assembler, registries
from notifier.config.document import lines_of, parse
from notifier.config.finder import read
from notifier.config.nodes import Block, Node, Scalar
from notifier.config.plain import Plainer
from notifier.config.problems import InvalidConfig, Problem, Report
from notifier.config.scalars import ScalarType
from notifier.config.schema import is_open
from notifier.config.secrets import Vault
from notifier.config.settings import Settings
from notifier.config.shape import read_shape


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that may be used."""

    settings: Settings
    warnings: tuple[Problem, ...]
    path: Path


def load(path: Path, environ: Mapping[str, str], *, secrets: bool = True) -> Loaded:
    """Read the configuration, and every secret that it names.

    Without ``secrets``, for commands that look at the store beside the daemon, all of them are empty: the terminal of a
    person has neither the daemon's environment nor its credentials.

    :raises ConfigError: with everything that is wrong, in the order of the file.
    """
    text, mode = read(path)
    with _no_collection():
        return _loaded(text, mode, path, environ, secrets=secrets)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause the cycle collector: among half a million young objects without a cycle it takes half of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _loaded(text: str, mode: int, path: Path, environ: Mapping[str, str], *, secrets: bool) -> Loaded:
    report = Report(str(path), lines_of(text))
    folder = path.absolute().parent
    vault = Vault(report, environ, folder, reads=secrets)
    settings = _settings(text, vault)
    vault.warn_of_readers(path, mode)
    problems = report.problems(is_open)
    if settings is None or report.has_errors:
        raise InvalidConfig(str(path), problems)
    return Loaded(settings, problems, path)


def _settings(text: str, vault: Vault) -> Settings | None:
    report = vault.report
    root = parse(text, report)
    if not isinstance(root, Block):
        _refuse(root, report)
        return None
    report.root = root
    plain = Plainer(report, vault.environ, secrets=vault.reads).plain(root)
    return Assembler(vault, registries()).settings(read_shape(plain, report))


def _refuse(root: Node | None, report: Report) -> None:
    """Say why there is nothing to read, where the parser has not."""
    if report.has_errors:
        return
    if root is None or (isinstance(root, Scalar) and root.type is ScalarType.NULL):
        report.error((), "the file is empty", "copy config.example.yaml and edit it")
    else:
        report.error((), "expected a mapping", "begin with a line such as `accounts:`", span=root.span)
