"""Runs `notifier` as a person does: a process of its own, a real configuration file."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process
from rig import SECRET, TOKEN

ENVIRON = {"HUBSPOT_TOKEN": TOKEN, "WEBHOOK_SECRET": SECRET}


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shell:
    """A folder with a configuration, and the commands run in it."""

    folder: Path
    environ: Mapping[str, str] = field(default_factory=lambda: ENVIRON)

    def configure(self, text: str) -> Path:
        path = self.folder / "config.yaml"
        path.write_text(text)
        path.chmod(0o600)
        return path

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
        return {**kept, "PYTHONWARNINGS": "error", "XDG_STATE_HOME": str(self.folder / "xdg"), **self.environ}

    async def __call__(self, *arguments: str, timeout: float = 30.0) -> Done:
        """Run a command to its end."""
        with anyio.fail_after(timeout):
            done = await anyio.run_process(
                [sys.executable, "-m", "notifier", *arguments], check=False, cwd=self.folder, env=self.environment()
            )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    @asynccontextmanager
    async def running(
        self, *arguments: str, stop: bool = True, program: Sequence[str] = ("-m", "notifier")
    ) -> AsyncIterator[Process]:
        """Run a command beside the test; ended with SIGTERM, by force when that does not do."""
        with (self.folder / "stderr.log").open("ab") as log:
            process = await anyio.open_process(
                [sys.executable, *program, *arguments],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        async with process:
            try:
                yield process
                if stop and process.returncode is None:
                    process.send_signal(signal.SIGTERM)
                    with anyio.fail_after(30):
                        await process.wait()
            finally:
                if process.returncode is None:
                    process.kill()

    async def until_logged(self, text: str, *, count: int = 1, timeout: float = 20.0) -> str:
        """Wait until the log of ``running`` holds ``text`` so often."""
        path = self.folder / "stderr.log"
        with anyio.fail_after(timeout):
            while (log := path.read_text() if path.exists() else "").count(text) < count:
                await anyio.sleep(0.02)
        return log


def config(hubspot_url: str, receiver_url: str, *tasks: str) -> str:
    """A configuration of one account, a signed webhook and a Slack callback."""
    listed = "".join(f"  - {task}\n" for task in tasks)
    return f"""
accounts:
  main: {{token: "${{HUBSPOT_TOKEN}}", base_url: "{hubspot_url}", rate_limit: 10000/1s}}
callbacks:
  erp: {{url: "{receiver_url}/hook", secret: "${{WEBHOOK_SECRET}}"}}
  ops: {{format: slack, url: "{receiver_url}/slack", events: ["*"], rate: 100/1s}}
tasks: {"" if tasks else "[]"}
{listed}
polling: {{request_cost: 50ms}}
delivery: {{schedule: [0s, 100ms, 100ms]}}
store: notifier.db
log: {{format: json}}
"""
