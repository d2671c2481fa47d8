"""A doorbell for workers that read a queue in a file: the sender rings, so that nobody looks all the time.

It is a named pipe beside the queue. A ring is a byte in it and carries nothing; it wakes one reader.
Rings that nobody hears are lost, and rings without a message are harmless: readers look before they
wait, and again after a while.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from pathlib import Path
from typing import Any

from huey.storage import SqliteStorage

_LOOK_ANYWAY = 1.0  # seconds


class Doorbell:
    """The pipe at `path`, made when it is not there; opened on first use."""

    def __init__(self, path: Path):
        self._path = path
        self._reader: int | None = None
        self._lock = threading.Lock()

    def ring(self) -> None:
        """Wake one of those who wait, if anybody does."""
        # Without the pipe or a reader of it nobody waits; a full pipe rings already.
        with contextlib.suppress(OSError):
            descriptor = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            try:
                os.write(descriptor, b"!")
            finally:
                os.close(descriptor)

    def wait(self, seconds: float) -> None:
        """Return at the next ring that nobody else takes, or after `seconds`. Raises OSError."""
        poll = select.poll()
        poll.register(self._open(), select.POLLIN)
        if poll.poll(seconds * 1000):
            with contextlib.suppress(BlockingIOError):  # another one has taken it
                os.read(self._open(), 1)

    def _open(self) -> int:
        with self._lock:
            if self._reader is None:
                with contextlib.suppress(FileExistsError):
                    os.mkfifo(self._path, 0o600)
                # For writing too: it never comes to an end then, however many senders come and go.
                self._reader = os.open(self._path, os.O_RDWR | os.O_NONBLOCK)
            return self._reader


class RungStorage(SqliteStorage):
    """huey's queue in a SQLite file, whose readers wait for a ring."""

    blocking = True  # says to huey that `dequeue` waits by itself

    def __init__(self, name: str, filename: str, **options: Any):
        super().__init__(name, filename=filename, **options)
        self._bell = Doorbell(Path(f"{filename}.bell"))

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        """Add a message and wake a reader."""
        super().enqueue(data, priority)
        self._bell.ring()

    def dequeue(self) -> bytes | None:
        """The next message; waits a second for one at most."""
        data: bytes | None = super().dequeue()
        if data is None:
            self._bell.wait(_LOOK_ANYWAY)
            data = super().dequeue()
        return data
