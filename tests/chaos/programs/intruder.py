"""Runs notifier with something in it that nobody expected, and that knows secrets: ``intruder.py <place> run -c …``."""

import importlib
import os
import signal
import sys
from typing import Any

import anyio

from notifier.cli import main
from notifier.delivery.sender import Sender
from notifier.hubspot.client import HubSpotClient

run: Any = importlib.import_module("notifier.cli.run")


def in_sender() -> None:
    """An attempt meets a bug whose message quotes the whole request."""

    async def send(sender: Any, _claim: Any) -> None:
        callback = sender._callback
        told = [callback.url, *callback.secrets, *callback.headers.values()]
        raise RuntimeError(f"can't send to {[secret.reveal() for secret in told]}")

    Sender.send = send


def in_client() -> None:
    """A poll meets a bug whose message quotes the token."""

    async def ask(client: Any, *_arguments: Any, **_keywords: Any) -> None:
        raise LookupError({"authorization": f"Bearer {client._account.token.reveal()}"})

    HubSpotClient.ask = ask


def ctrl_c_at_start() -> None:
    """Ctrl-C comes when signals are not listened for yet."""

    async def run_until_signalled(_daemon: Any) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        await anyio.sleep(60)
        return 0

    run.run_until_signalled = run_until_signalled


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    main(sys.argv[2:])
