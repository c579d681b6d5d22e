"""What the daemon promises as a whole: it stops in time, leaves the store as it should, and says when it is stuck."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from rig import FAST, Rig, rig
from samples import hold_file

from notifier.app import Daemon, Surroundings
from notifier.config.settings import Settings
from notifier.facts import DaemonStopped, DaemonStuck
from notifier.model import DeliveryState
from notifier.systemd import ServiceState

PATIENT = replace(FAST, timeout=60.0)  # seconds: longer than a test may take
LATE = 3.0  # seconds; a stop that waits for what it should not takes longer


class ServiceManager:
    """Hears what a daemon says."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(self.address)

    def heard(self) -> list[str]:
        """Give the lines since it was last asked."""
        lines: list[str] = []
        while True:
            try:
                lines += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return lines

    async def hears(self, line: str) -> None:
        """Wait until ``line`` is said."""
        with anyio.fail_after(10):
            while line not in self.heard():
                await anyio.wait_readable(self._socket)

    def close(self) -> None:
        self._socket.close()


@contextmanager
def service_manager(folder: Path) -> Iterator[ServiceManager]:
    it = ServiceManager(folder)
    try:
        yield it
    finally:
        it.close()


async def run_watched(it: Rig, settings: Settings, manager: ServiceManager, stopping: anyio.Event) -> None:
    """Run a daemon that gives a sign of life 50 times a second."""
    service = ServiceState(manager.address)
    surroundings = Surroundings(report=it.facts, clock=it.clock, service=service, watchdog_interval=0.02)
    await Daemon(settings, surroundings).run(stopping)
    service.close()


async def test_a_stop_waits_a_while_for_polls_and_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HubSpot hangs: the poll is cut off after POLL_DRAIN, for it costs nothing but itself."""
    monkeypatch.setattr("notifier.app.POLL_DRAIN", 0.2)
    async with rig(tmp_path) as it:
        it.hubspot.add_task("a", pending=0.0, processing=0.0)
        it.hubspot.faults.set("hang")
        with anyio.fail_after(LATE + 2.0):
            async with it.daemon(it.settings("a", polling=PATIENT)):
                with anyio.fail_after(2):
                    while not it.hubspot.statistics.requests:
                        await anyio.sleep(0.01)
        [stopped] = [fact for fact in it.facts.seen if isinstance(fact, DaemonStopped)]
        assert 0.2 <= stopped.seconds < LATE


async def test_what_a_stop_cuts_off_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver hangs: after DRAIN_DEADLINE its attempt is closed, its delivery owed, and nothing leased."""
    monkeypatch.setattr("notifier.app.DRAIN_DEADLINE", 0.2)
    async with rig(tmp_path) as it:
        it.hubspot.add_task("a", pending=0.0, processing=0.0)
        it.receiver.script("hang")
        async with it.daemon(it.settings("a")):
            await it.receiver.wait_for(1)
        async with it.store() as store:
            [owed] = await store.find_deliveries()
            _, _, [attempt] = await store.find_delivery(owed.delivery_id)
            [claim] = await store.claim("erp", now=it.clock.now(), lease=30, limit=1)
        assert (owed.state, owed.reason) == (DeliveryState.PENDING, "interrupted")
        assert (attempt.reach, attempt.reason) == ("unknown", "interrupted")
        assert claim.number == 2
        [stopped] = [fact for fact in it.facts.seen if isinstance(fact, DaemonStopped)]
        assert stopped.interrupted == 1
        assert stopped.seconds < LATE


async def test_a_loop_that_does_not_come_round_ends_the_signs_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the service manager restarts the daemon; before, it says which loop it is and where everything waits."""
    monkeypatch.setattr("notifier.app.LOOP_LIMIT", 0.4)  # the poller, which has nothing to do, sleeps longer than that
    monkeypatch.setattr("notifier.lookout.LOOK_EVERY", 0.05)
    async with rig(tmp_path) as it, anyio.create_task_group() as group:
        with service_manager(tmp_path) as manager:
            stopping = anyio.Event()
            group.start_soon(run_watched, it, it.settings([]), manager, stopping)
            await manager.hears("WATCHDOG=1")
            await it.facts.wait_for("daemon.stuck")
            manager.heard()
            count = len(it.facts.named("daemon.stuck"))
            await it.facts.wait_for("daemon.stuck", count + 5)
            assert "WATCHDOG=1" not in manager.heard()
            stuck = it.facts.seen[-1]
            assert isinstance(stuck, DaemonStuck)
            assert stuck.loops == "account main, callback erp, retention"
            assert "_feed_watchdog" in stuck.stacks
            stopping.set()
            await it.facts.wait_for("daemon.stopped")


async def test_a_store_that_waits_is_no_reason_to_be_restarted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While commits wait for another writer every loop stands still, and a restart would mend nothing."""
    monkeypatch.setattr("notifier.app.LOOP_LIMIT", 0.5)
    monkeypatch.setattr("notifier.lookout.LOOK_EVERY", 0.02)
    monkeypatch.setattr("notifier.lookout.UPKEEP_EVERY", 0.02)
    monkeypatch.setattr("notifier.polling.clockwork.LONGEST_SLEEP", 0.1)
    monkeypatch.setattr("notifier.store.connection.BUSY_TIMEOUT", 0.02)
    monkeypatch.setattr("notifier.store.committer.PASSING_PAUSE", 0.02)
    async with rig(tmp_path) as it, anyio.create_task_group() as group:
        with service_manager(tmp_path) as manager:
            stopping = anyio.Event()
            group.start_soon(run_watched, it, it.settings([]), manager, stopping)
            await manager.hears("READY=1")
            with hold_file(it.store_path):
                await it.facts.wait_for("store.stuck")
                await anyio.sleep(0.6)  # all loops are late now
                manager.heard()
                await manager.hears("WATCHDOG=1")
            stopping.set()
            await it.facts.wait_for("daemon.stopped")
        assert it.facts.named("daemon.stuck") == []


async def test_a_store_held_by_another_program_for_long_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow transaction of somebody else's: the daemon says so, waits, and tells everything afterwards."""
    monkeypatch.setattr("notifier.store.connection.BUSY_TIMEOUT", 0.02)
    monkeypatch.setattr("notifier.store.committer.PASSING_PAUSE", 0.02)
    async with rig(tmp_path) as it:
        it.hubspot.add_task("a", pending=0.0, ends="never")
        async with it.daemon(it.settings("a")):
            await it.facts.wait_for("poll.changed")
            with hold_file(it.store_path):
                it.hubspot.end_task("a")
                await it.facts.wait_for("store.stuck")
                assert it.receiver.arrivals == []
            [arrival] = await it.receiver.wait_for(1)
            await it.facts.wait_for("attempt.finished")
        assert arrival.verified
