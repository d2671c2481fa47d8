"""Watching one run from its start to its end.

The files that the run writes are the only channel between the two, so a supervisor that takes
over after a crash of the first one continues where that one stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .process import RunProcess, end_process

_LOOK_EVERY = 0.2  # seconds between looks at the file of events, at least
_REST = 10  # a look that took long is followed by a rest of so many times its length: the run has the machine
_LONGEST_REST = 2.0  # seconds
_BEAT_EVERY = 1.0  # seconds between renewals of the lease, and looks for a cancel


class Watcher(Protocol):
    """What a supervisor tells the rest of the console."""

    def take_events(self, folder: Path) -> None:
        """New events may stand in the run's file in `folder`."""

    def beat(self) -> bool:
        """Renew the lease; True if a person asked to cancel. Raises LeaseLost."""


@dataclass(frozen=True)
class Verdict:
    """How the watching ended."""

    reason: str | None  # None: the run ended by itself; else "timeout" or "cancelled"


def supervise_run(
    run: RunProcess,
    folder: Path,
    timeout_left: float,
    watcher: Watcher,
    reap: Callable[[], object] = lambda: None,
) -> Verdict:
    """Watch `run` until it has ended, by itself, by time-out (seconds left) or by cancelling.

    `reap` collects the exit of a child of this process. No process of the run is left on return; the
    last of its events are left to whoever records its end.
    An exception (LeaseLost above all) leaves the run alone: whoever holds the lease watches it.
    """
    deadline = time.monotonic() + timeout_left
    next_beat = time.monotonic() + _BEAT_EVERY  # the claim is young
    reason: str | None = None
    while run.find() is not None and reason is None:
        reap()
        began = time.monotonic()
        watcher.take_events(folder)
        now = time.monotonic()
        if now >= next_beat:
            next_beat = now + _BEAT_EVERY
            if watcher.beat():
                reason = "cancelled"
        if now >= deadline:
            reason = reason or "timeout"
        run.wait(min(max(_LOOK_EVERY, _REST * (now - began)), _LONGEST_REST))
    end_process(run)
    reap()
    return Verdict(reason)
