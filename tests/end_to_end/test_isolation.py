"""One dead receiver never delays another; ``tests/benchmarks/bench_isolation.py`` says by how much at most."""

from pathlib import Path

import anyio
from rig import SECRET, rig, webhook

from notifier.facts import AttemptFinished
from notifier.simulator.actions import Answer, Trickle
from notifier.simulator.receiver import Receiver

TASKS = 40
FOR_EVER = 60.0  # seconds: longer than the test may take


async def test_nobody_waits_for_another(tmp_path: Path) -> None:
    """All the healthy one is owed arrives while the first attempts at a hanging and a trickling receiver are still out."""
    async with rig(tmp_path) as it:
        hanging, trickling = Receiver([SECRET]), Receiver([SECRET])
        hanging.script(*["hang"] * TASKS)
        trickling.script(*[Trickle(Answer(200, body=b"." * 1000), interval=0.5)] * TASKS)
        for number in range(TASKS):
            it.hubspot.add_task(f"t{number}", pending=0.0, processing=0.0)
        async with hanging.serve() as hanging_url, trickling.serve() as trickling_url:
            callbacks = [
                webhook(hanging_url + "/hook", "hanging", timeout=FOR_EVER),
                webhook(trickling_url + "/hook", "trickling", timeout=FOR_EVER),
                webhook("http://127.0.0.1:1/hook", "refusing"),
                webhook(it.receiver_url + "/hook", "healthy"),
            ]
            settings = it.settings([f"t{number}" for number in range(TASKS)], callbacks)
            async with anyio.create_task_group() as group, it.daemon(settings):
                await hanging.wait_for(4)
                await trickling.wait_for(4)
                await it.facts.wait_for("attempt.finished", TASKS)
                group.cancel_scope.cancel()  # nobody waits for those that hang
        ended = [fact for fact in it.facts.seen if isinstance(fact, AttemptFinished)]
        assert {fact.callback for fact in ended} == {"healthy", "refusing"}
        assert (len(hanging.arrivals), len(trickling.arrivals)) == (4, 4)
