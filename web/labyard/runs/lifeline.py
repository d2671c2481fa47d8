"""A run ends by itself when its worker is gone and other hosts could start it again.

The worker writes into the run's folder until when its lease holds; the run looks there. It is used
where several hosts share a database: a worker that was killed cannot end its run any more.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

_FILE = "lifeline"
_LOOK_EVERY = 1.0  # seconds


def throw_lifeline(folder: Path, seconds: float) -> None:
    """Let the run in `folder` live for `seconds` from now; until the next call, or for good."""
    # Always as long and in one go: a reader sees the old text or the new one, and a full disk is no
    # hindrance once the file is there.
    text = f"{_now() + seconds:020.3f}".encode("ascii")
    descriptor = os.open(folder / _FILE, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, text, 0)
    finally:
        os.close(descriptor)


def lifeline_broke(folder: Path) -> bool:
    """Whether the run in `folder` has outlived its lease. Without a file it never does."""
    try:
        return _now() > float((folder / _FILE).read_text(encoding="ascii") or "inf")
    except FileNotFoundError:
        return False


def hang_on(folder: Path) -> None:
    """Send this process, the run in `folder`, a SIGTERM when it has outlived its lease."""
    if (folder / _FILE).exists():
        threading.Thread(target=_watch, args=(folder,), name="lifeline", daemon=True).start()


def _watch(folder: Path) -> None:
    while not lifeline_broke(folder):
        time.sleep(_LOOK_EVERY)
    os.kill(os.getpid(), signal.SIGTERM)


def _now() -> float:
    """Seconds that are the same for all processes of a machine, and that nobody sets."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
