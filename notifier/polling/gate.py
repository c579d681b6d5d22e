"""What the last answers say of the whole account: whether it may be asked, and how soon again. No I/O.

==========================  =========================================================================================
answer                      the account
==========================  =========================================================================================
429, 423, 477               waits as long as HubSpot says: they are about the account, whichever task was asked for
5xx, 408 with Retry-After   waits as long as HubSpot says, 30 s at most: it may be about one task only
5xx, 408, no answer         goes on; from the third in a row without a good answer between it waits 1, 2, 4 … 30 s, so
                            that one task that always fails never delays the others
401, 403 MISSING_SCOPES     is rejected: one probe after 30 s, 60 s … 5 min, until an answer shows it is accepted
a status, 400, 403, 404     is well: HubSpot took the credentials
any other                   is as it was: a proxy's page says nothing of it
==========================  =========================================================================================

Several polls are in flight at once, and one trouble meets them all: an answer to a question asked before the pause began
is *belated*. It is the same trouble and makes no pause longer that grows with trouble after trouble.
"""

import math
from dataclasses import dataclass, field

from notifier.http import Failure
from notifier.hubspot.answers import Answer, Busy, Forbidden, Refused, Running, Seen, Throttled, UnknownTask

ABOUT_THE_ACCOUNT = frozenset({423, 477})
FAILURES_BEFORE_PAUSE = 3  # in a row
LONGEST_FAILURE_PAUSE = 30.0  # seconds
FIRST_PROBE = 30.0  # seconds
LONGEST_PROBE = 300.0  # seconds


@dataclass(frozen=True, slots=True)
class Pause:
    """The account waits."""

    seconds: float
    reason: str


@dataclass(slots=True)
class Gate:
    """The standing of one account between polls."""

    rejected: bool = False
    strikes: int = 0  # 429s and busy answers in a row
    failures: int = 0  # polls in a row that brought no answer about a task
    _probes: int = field(default=0, init=False)

    def note(self, answer: Answer | Failure, *, belated: bool = False) -> Pause | None:
        """Take in an answer; gives the pause that follows from it."""
        if isinstance(answer, Refused):
            return self._refused(answer, belated=belated)
        if isinstance(answer, Throttled):
            self.strikes += not belated
            return Pause(answer.seconds, f"429 {answer.policy or ''}".strip())
        if isinstance(answer, Busy) and (answer.told or answer.status in ABOUT_THE_ACCOUNT):
            self.strikes += not belated
            longest = math.inf if answer.status in ABOUT_THE_ACCOUNT else LONGEST_FAILURE_PAUSE
            return Pause(min(answer.seconds, longest), f"{answer.status}")
        if isinstance(answer, Busy | Failure):
            return None if belated else self._failed(answer)
        if isinstance(answer, Seen | Running | UnknownTask | Forbidden):
            self.rejected, self.strikes, self.failures, self._probes = False, 0, 0, 0
        return None

    def _refused(self, answer: Refused, *, belated: bool) -> Pause | None:
        self.rejected = True
        if belated:
            return None
        self._probes += 1
        return Pause(min(FIRST_PROBE * 2.0 ** min(self._probes - 1, 10), LONGEST_PROBE), f"{answer.status}")

    def _failed(self, answer: Busy | Failure) -> Pause | None:
        self.failures += 1
        reason = f"{answer.status}" if isinstance(answer, Busy) else answer.reason
        if isinstance(answer, Busy):
            self.strikes += 1
        if self.failures < FAILURES_BEFORE_PAUSE:
            return None
        return Pause(min(2.0 ** min(self.failures - FAILURES_BEFORE_PAUSE, 10), LONGEST_FAILURE_PAUSE), reason)

    @property
    def concurrency(self) -> int | None:
        """Polls in flight while the account is in trouble: one, a probe; None: no bound of the gate's."""
        return 1 if self.rejected or self.failures >= FAILURES_BEFORE_PAUSE else None
