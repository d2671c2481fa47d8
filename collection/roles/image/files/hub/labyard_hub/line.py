"""Who starts first. Nodes on which dozens start at once have no time left for the hub, and all are late."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

_NANO = 1_000_000_000
_A_CORE, _LEAST = 2, 4  # starts at once for each core; half of the time they wait for something else


class Line:
    """So many at a time; the others wait in the order in which they came. For one event loop."""

    def __init__(self) -> None:
        self._going = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self, places: int) -> AsyncIterator[None]:
        """Wait until fewer than `places` go on, and go on as long as the block does."""
        if self._going < places and not self._waiting:
            self._going += 1
        else:
            await self._wait()
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self) -> None:
        """Until somebody who leaves hands their place over."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # it was handed over a moment before
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(None)
                return
        self._going -= 1


def places_of(nodes: Sequence[Mapping[str, Any]]) -> int:
    """How many may start at once on these nodes (GET /nodes): two for each core that takes tasks."""
    cores = sum(
        int(((node.get("Description") or {}).get("Resources") or {}).get("NanoCPUs") or 0)
        for node in nodes
        if (node.get("Status") or {}).get("State") == "ready"
        and (node.get("Spec") or {}).get("Availability") == "active"
    )
    return max(_LEAST, _A_CORE * cores // _NANO)
