"""Moments at which something is done to a daemon: by the clock, or right when a request is in flight."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from chaos.daemon import Daemon
from chaos.world import World

PATIENCE = 1.5  # seconds after which a moment that does not come (everything was told) is taken to have come


@dataclass(frozen=True, slots=True)
class Moment:
    """``after`` seconds after: the start, the daemon's being ready, or the ``nth`` request that comes from then on."""

    since: str  # "start", "ready", "arrival", "poll"
    after: float
    nth: int = 1


def draw(chance: random.Random) -> Moment:
    """Draw a moment; many lie within a request or right after it, where it hurts."""
    since = chance.choices(["start", "ready", "arrival", "poll"], [3, 4, 7, 4])[0]
    if since == "start":
        return Moment(since, chance.uniform(0.0, 0.8))
    if since == "ready":
        return Moment(since, chance.uniform(0.0, 0.6))
    after = chance.choice([0.0, 0.0, chance.uniform(0.0, 0.004), chance.uniform(0.0, 0.05)])
    return Moment(since, after, chance.randint(1, 8))


async def strike(it: World, daemon: Daemon, moment: Moment, blow: Callable[[], None]) -> None:
    """Do ``blow`` at the moment, once; zero seconds after a request is before its answer."""
    if moment.since != "start":
        await daemon.ready()
    if moment.since in {"start", "ready"}:
        await anyio.sleep(moment.after)
        blow()
    else:
        await _strike_within_request(it, moment, blow)


async def _strike_within_request(it: World, moment: Moment, blow: Callable[[], None]) -> None:
    fuse = _Fuse(moment, blow)
    setattr(it, f"on_{moment.since}", fuse)
    with anyio.move_on_after(PATIENCE):
        await fuse.burnt.wait()
    setattr(it, f"on_{moment.since}", lambda: None)
    fuse.strike()


@dataclass(slots=True)
class _Fuse:
    """Grows shorter with every request."""

    moment: Moment
    blow: Callable[[], None]
    passed: int = 0
    burnt: anyio.Event = field(default_factory=anyio.Event)

    def __call__(self) -> None:
        self.passed += 1
        if self.passed != self.moment.nth:
            return
        if self.moment.after == 0.0:
            self.strike()
        else:
            asyncio.get_running_loop().call_later(self.moment.after, self.strike)

    def strike(self) -> None:
        """Strike, unless it has."""
        if not self.burnt.is_set():
            self.burnt.set()
            self.blow()
