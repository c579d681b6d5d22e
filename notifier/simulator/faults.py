"""Which fault strikes which request."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from notifier.clock import uniform01
from notifier.errors import UnknownName
from notifier.simulator.modes import MODES, Mode


@dataclass(slots=True)
class Fault:
    """A mode that is switched on."""

    name: str
    task_id: str | None  # None: every request
    probability: float  # of striking a request, 0 to 1
    left: int | None  # strikes left; None: no end
    retry_after: int  # seconds

    @property
    def mode(self) -> Mode:
        """What it does."""
        return MODES[self.name]

    def concerns(self, task_id: str | None) -> bool:
        """Tell whether a request about this task could be struck."""
        return self.left != 0 and self.task_id in {None, task_id}

    def strike(self) -> None:
        """Count one strike."""
        if self.left is not None:
            self.left -= 1


class Faults:
    """The faults that are switched on; those of one task go before those of all, older before newer."""

    def __init__(self, draw: Callable[[], float] = uniform01) -> None:
        self._draw = draw
        self._on: list[Fault] = []

    def set(
        self,
        name: str,
        *,
        task_id: str | None = None,
        probability: float = 1.0,
        count: int | None = None,
        retry_after: int = 2,
    ) -> None:
        """Switch a mode on, for one task or all, for ``count`` strikes or until cleared.

        :raises UnknownName: when there is no such mode.
        """
        if name not in MODES:
            near = difflib.get_close_matches(name, MODES, n=1)
            raise UnknownName(f"no fault mode {name!r}" + (f"; did you mean {near[0]}?" if near else ""))
        self._on.append(Fault(name, task_id, probability, count, retry_after))
        self._on.sort(key=lambda fault: fault.task_id is None)

    def clear(self, name: str | None = None) -> None:
        """Switch a mode off, or all of them."""
        self._on = [fault for fault in self._on if name not in {None, fault.name}]

    def pick(self, task_id: str | None) -> Fault | None:
        """Draw the fault that strikes this request, and count the strike."""
        for fault in self._on:
            if fault.concerns(task_id) and self._draw() < fault.probability:
                fault.strike()
                return fault
        return None
