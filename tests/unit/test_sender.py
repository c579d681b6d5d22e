"""What one attempt sends."""

import json
import time
from contextlib import aclosing

from rig import SECRET, webhook

from notifier.clock import ManualClock
from notifier.delivery.formats import format_of
from notifier.delivery.sender import Sender, courier_to
from notifier.delivery.trial import first_claim, fresh_sample
from notifier.model import EventType
from notifier.simulator.receiver import Receiver


async def test_signed_with_the_machines_time() -> None:
    """A receiver compares with its own clock: one set an hour ahead a moment ago, and not followed yet, is what counts."""
    clock = ManualClock(wall=time.time() - 3600)
    clock.clock.now()
    clock.wall += 3600
    receiver = Receiver([SECRET])
    async with receiver.serve() as url:
        callback = webhook(url + "/hook")
        event = fresh_sample(EventType.TASK_SUCCEEDED)
        claim = first_claim(event, callback, format_of(callback).render(event))
        async with aclosing(courier_to(callback)) as courier:
            await Sender(callback, courier=courier, clock=clock.clock, redact=str).send(claim)
    [arrival] = receiver.arrivals
    assert arrival.headers["webhook-timestamp"] == str(int(clock.wall))
    assert arrival.verified
    assert json.loads(arrival.body)["type"] == "task.succeeded"
