"""Verdicts that are remembered for a moment: a page of JupyterLab is a hundred requests."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from .ways import Way

REMEMBERED_SECONDS = 5.0  # after which a person whose account was closed is refused at the latest
_MOST = 10_000


@dataclass(frozen=True)
class Verdict:
    """Whether a pass is good, and where it leads. `status` is 200, 401, 403, 404 or 503."""

    status: int
    way: Way | None = None
    words: str = ""  # why not


class Verdicts:
    """Good verdicts by deployment and cookie; refusals are never remembered. Safe for threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], tuple[float, Verdict]] = OrderedDict()

    def recall(self, deployment: str, cookie: str) -> Verdict | None:
        """The verdict of a moment ago."""
        with self._lock:
            at, verdict = self._kept.get((deployment, cookie), (0.0, None))
        return verdict if verdict and self._clock() - at < REMEMBERED_SECONDS else None

    def keep(self, deployment: str, cookie: str, verdict: Verdict) -> None:
        """Remember a good verdict."""
        if verdict.status != 200:
            return
        with self._lock:
            self._kept.pop((deployment, cookie), None)
            self._kept[deployment, cookie] = (self._clock(), verdict)
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
