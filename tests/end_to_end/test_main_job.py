"""The main job: from tasks to delivered, signed callbacks."""

import json
from pathlib import Path

from rig import rig


async def test_every_ending_is_told_once_and_signed(tmp_path: Path) -> None:
    """A completed, a failed and a canceled import reach the receiver, each once, verified."""
    async with rig(tmp_path) as it:
        for task, ends in (("one", "complete"), ("two", "errors"), ("three", "canceled")):
            it.hubspot.add_task(task, pending=0.1, processing=0.2, ends=ends)
        async with it.daemon(it.settings(["one", "two", "three"])):
            arrivals = await it.receiver.wait_for(3)
            await it.facts.wait_for("attempt.finished", 3)
        assert len(it.receiver.arrivals) == 3
        assert all(arrival.verified for arrival in arrivals)
        told = {json.loads(arrival.body)["data"]["task_id"]: json.loads(arrival.body)["type"] for arrival in arrivals}
        assert told == {"one": "task.succeeded", "two": "task.failed", "three": "task.canceled"}
