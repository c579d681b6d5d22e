"""The commands: parse, print, exit. One file per noun, imported only when asked for (start-up time)."""

import errno
import importlib
import sys
from typing import Any

import click

from notifier import __version__
from notifier.errors import ConfigError, NotifierError

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_TASK_FAILED = 3  # follow: the task ended unsuccessfully
EXIT_REFUSED = 4  # HubSpot refuses the credentials
EXIT_PENDING = 5  # follow: still pending at --timeout
EXIT_UNDELIVERED = 6  # callback test: delivery failed
EXIT_CONFIG = 78  # bad configuration; the unit file does not restart it

# name: (module, attribute, one line for --help). The line stands here so that --help imports none of them.
_COMMANDS = {
    "run": ("notifier.cli.run", "run", "Watch the tasks of the configuration and tell the callbacks."),
    "demo": ("notifier.cli.demo", "demo", "See it work, without account, network or configuration."),
    "status": ("notifier.cli.status", "status", "Tell in one screen how things stand."),
    "config": ("notifier.cli.config", "config", "Check and show the configuration."),
    "watch": ("notifier.cli.watch", "watch", "Add, list, follow and remove watches."),
    "delivery": ("notifier.cli.delivery", "delivery", "List deliveries, show their attempts, redeliver."),
    "callback": ("notifier.cli.callback", "callback", "List, test, enable and disable callbacks; make their secrets."),
    "store": ("notifier.cli.store", "store", "Delete what is old."),
    "simulate": ("notifier.cli.simulate", "simulate", "Serve a HubSpot that behaves over time, with faults."),
}


class _Commands(click.Group):
    """A group that imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click passes it
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click passes it
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click passes it
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in _COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="notifier")
def notifier() -> None:
    """Watch HubSpot's asynchronous tasks and tell callback URLs the moment one ends."""


def main(argv: list[str] | None = None) -> None:
    """Run a command; every error of ours becomes one message on stderr and an exit code."""
    try:
        notifier.main(args=argv, prog_name="notifier", standalone_mode=True)
    except ConfigError as error:
        _die(error, EXIT_CONFIG)
    except NotifierError as error:
        _die(f"notifier: {error}", EXIT_ERROR)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EIO}:
            raise
        _die(f"notifier: can't write: {error.strerror}", EXIT_ERROR)


def _die(message: Any, code: int) -> None:
    click.echo(message, err=True)
    sys.exit(code)
