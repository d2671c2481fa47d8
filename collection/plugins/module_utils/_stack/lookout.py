# SPDX-License-Identifier: GPL-3.0-or-later
"""When to look at the swarm again: soon after the engine reports an event, else less and less often.

Events tell of the containers of the engine that is asked; what happens on other nodes is seen by looking
at intervals, and so is everything else that no event tells of.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

#: Seconds between two looks: after an event, and the longest without and with a stream of events.
SOON, WITHOUT_EVENTS, WITH_EVENTS = 0.05, 0.25, 0.5


class Events(Protocol):
    """A stream of events; ``engine.EventStream`` is one."""

    def wait(self, seconds: float) -> bool:
        """Wait for an event, at most so long; True if there was one."""

    def close(self) -> None:
        """Give the connection back."""


class Lookout:
    """Pauses between two looks.

    :param subscribe: opens the stream of events when the first pause is made; ``None`` from it, or in its
        place, means that there are no events
    """

    def __init__(self, subscribe: Callable[[], Events | None] | None = None) -> None:
        self._subscribe = subscribe
        self._events: Events | None = None
        self._next = SOON

    def pause(self, longest: float) -> None:
        """Return when it is time to look again, after ``longest`` seconds at the latest."""
        if self._subscribe is not None:
            self._events, self._subscribe = self._subscribe(), None
        seconds = max(min(self._next, longest), 0.0)
        if self._events is None:
            time.sleep(seconds)
        elif self._events.wait(seconds):
            # the manager learns of a container's new state a moment after the event
            self._next = SOON
            time.sleep(min(SOON, longest))
            return
        self._next = min(self._next * 1.5, WITHOUT_EVENTS if self._events is None else WITH_EVENTS)

    def close(self) -> None:
        """End the stream of events."""
        if self._events is not None:
            self._events.close()
