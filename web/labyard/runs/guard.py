"""Ending a run whose lease cannot be renewed, before another host may start it again.

The guard looks at a clock and at processes alone: a database that does not answer, or that never
returns from a call, cannot keep it from its work.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from .claim import GIVE_UP
from .process import RunProcess, end_leftovers, end_process

log = logging.getLogger(__name__)

_LOOK_EVERY = 1.0  # seconds


def _now() -> float:
    """Seconds that nobody sets, and that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass
class Held:
    """A run of this worker and when its lease was renewed last."""

    process: RunProcess
    folder: Path
    renewed: float = field(default_factory=_now)
    given_up: bool = False

    def renew(self, asked: float) -> None:
        """The lease was renewed by a statement sent at `asked` (see `asking`)."""
        self.renewed = max(self.renewed, asked)

    @staticmethod
    def asking() -> float:
        """The time before a renewal is sent: the lease counts from then on at the latest."""
        return _now()


class LeaseGuard:
    """Watches over all runs of a worker, from a thread of its own.

    `give_up`: seconds without a renewal after which a run is ended.
    """

    def __init__(self, give_up: float = GIVE_UP.total_seconds()):
        self._give_up = give_up
        self._held: dict[RunProcess, Held] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def hold(self, process: RunProcess, folder: Path) -> Held:
        """Watch over the run from now on; whoever held it before does no longer."""
        held = Held(process, folder)
        with self._lock:
            self._held[process] = held
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="lease-guard", daemon=True)
                self._thread.start()
        return held

    def release(self, held: Held) -> None:
        """The run has ended, or somebody else looks after it."""
        with self._lock:
            if self._held.get(held.process) is held:
                del self._held[held.process]

    def look(self) -> None:
        """End the runs that are overdue, each in a thread of its own."""
        with self._lock:
            overdue = [
                h for h in self._held.values() if not h.given_up and _now() - h.renewed > self._give_up
            ]
            for held in overdue:
                held.given_up = True
        for held in overdue:
            threading.Thread(target=self._end, args=(held,), name="lease-lost", daemon=True).start()

    def _loop(self) -> None:
        while True:
            self.look()
            time.sleep(_LOOK_EVERY)

    def _end(self, held: Held) -> None:
        log.warning("the lease of the run in %s could not be renewed: it is ended", held.folder)
        end_process(held.process)
        end_leftovers(held.folder)
        self.release(held)
