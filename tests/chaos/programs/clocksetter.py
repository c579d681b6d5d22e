"""Runs notifier by a clock that somebody sets: ``clocksetter.py <file> run -c …``; the file holds the seconds it is ahead."""

import importlib
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from notifier.app import Surroundings
from notifier.cli import main
from notifier.clock import Clock

run: Any = importlib.import_module("notifier.cli.run")

if __name__ == "__main__":
    ahead, *rest = sys.argv[1:]
    clock = Clock(wall=lambda: time.time() + float(Path(ahead).read_text()))
    run.Surroundings = partial(Surroundings, clock=clock)
    main(rest)
