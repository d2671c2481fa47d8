"""A worker's hands: at most so many commands at once, however it is woken."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable


class Crew:
    """Takes commands as long as there are any, with up to `size` threads of others at once.

    Being woken says only that something may wait: by a message of the queue, lost or doubled, or by
    the sweep. `take_next` sees one command through and says whether there was one.
    """

    def __init__(self, size: int, take_next: Callable[[], bool]):
        self._size = size
        self._take_next = take_next
        self._leaving = False
        self._places = threading.BoundedSemaphore(size)
        self._calls = itertools.count(1)
        self._last_call = 0

    def work(self) -> None:
        """Work in this thread until nothing waits; at once back if all places are taken."""
        self._last_call = next(self._calls)
        while self._places.acquire(blocking=False):
            try:
                seen = self._last_call
                while not self._leaving and self._take_next():
                    pass
            finally:
                self._places.release()
            if seen == self._last_call:
                return
            # Somebody called while this thread was about to leave, and found no place: look again.

    def call(self) -> None:
        """Work in a thread of its own, if there is a place."""
        threading.Thread(target=self.work, name="crew", daemon=True).start()

    def finish(self, seconds: float) -> bool:
        """Take nothing any more, and wait so long for what is in hand; whether nothing is left then.

        There is no way back: the hands are kept.
        """
        self._leaving = True
        deadline = time.monotonic() + seconds
        return all(
            self._places.acquire(timeout=max(0.0, deadline - time.monotonic())) for _ in range(self._size)
        )
