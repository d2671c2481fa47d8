"""A morning at the platform: people come, ask for a notebook, and wait in the queues that there are.

Discrete events (simpy). What is simulated, for each start:

- a place at the console's workers, or one of the hub's starts (others are sent away and come again);
- the hub's one process, or the play of the console around the start;
- the writes of the swarm's state, which one manager makes one after another;
- the network of the notebook on its node, which the engine makes one after another;
- a core of the node for as long as JupyterLab needs to begin.

The order is first come, first served; nodes take turns. Times are drawn from the measured spread.
"""

from __future__ import annotations

import math
import random
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import simpy

from .settings import Settings
from .units import Cost

Units = Mapping[str, Cost]
Way = Literal["hub", "console"]
#: Seconds after which who was sent away by the hub comes again (JupyterHub: spawn_throttle_retry_range).
_COMES_AGAIN = (30.0, 60.0)
_CONSOLE_DEADLINE = 240.0  # seconds from which on a start counts as failed: notebook_wait_timeout


@dataclass(frozen=True)
class Morning:
    """So many people, who come within so many seconds."""

    name: str
    people: int
    within: float  # seconds

    def arrivals(self, chance: random.Random) -> list[float]:
        """When they come, most of them in the middle."""
        return sorted(chance.triangular(0, self.within, self.within / 2) for _ in range(self.people))


@dataclass(frozen=True)
class Outcome:
    """What people saw. Times are seconds from the first request to the notebook that answers."""

    waits: Sequence[float]
    failed: int  # starts that passed their deadline; their owners come again
    sent_away: int  # answers of the hub that say: come again
    busy: Mapping[str, float]  # share of the time in which each part was in use, until the last start

    def quantile(self, share: float) -> float:
        """The wait that this share of people had at most."""
        ordered = sorted(self.waits)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    @property
    def busiest(self) -> str:
        """The part that all wait for."""
        return max(self.busy, key=lambda name: self.busy[name])


def simulate(morning: Morning, way: Way, settings: Settings, units: Units, seed: int = 1) -> Outcome:
    """Let the morning pass; the same seed gives the same morning."""
    return _Platform(way, settings, units, random.Random(seed)).run(morning)  # noqa: S311 - no secret


def play_seconds(units: Units) -> float:
    """What the console's run takes around the start itself: queue, play, looking, result."""
    start = units["start_20_own"].low / 20 + units["notebook_cpu"].low
    return max(0.0, units["install_alone"].low - start)


class _Part:
    """Something of which so many can be used at once, and for how long it was."""

    def __init__(self, world: simpy.Environment, places: int) -> None:
        self.places, self.used = places, 0.0
        self.resource = simpy.Resource(world, max(1, places))
        self._world = world

    def hold(self, seconds: float) -> Generator[Any, Any, None]:
        """Wait for a place, and keep it for so long."""
        with self.resource.request() as request:
            yield request
            yield self._world.timeout(seconds)
            self.used += seconds


class _Platform:
    def __init__(self, way: Way, settings: Settings, units: Units, chance: random.Random) -> None:
        self.way, self.units, self.chance = way, units, chance
        self.world = world = simpy.Environment()
        hosts = settings.notebook_hosts
        self.hub, self.manager = _Part(world, 1), _Part(world, 1)
        self.engines = [_Part(world, 1) for _ in range(hosts)]
        self.cores = [_Part(world, settings.worker_cores) for _ in range(hosts)]
        places = (
            settings.hub_starts if way == "hub" else settings.worker_replicas * settings.worker_concurrency
        )
        self.places = _Part(world, places)
        self.deadline = settings.hub_start_timeout if way == "hub" else _CONSOLE_DEADLINE
        self.turn = 0
        self.waits: list[float] = []
        self.failed = self.sent_away = 0

    def run(self, morning: Morning) -> Outcome:
        for at in morning.arrivals(self.chance):
            self.world.process(self._person(at))
        self.world.run()
        end = max(self.world.now, 1.0)
        parts = {
            "places of the hub" if self.way == "hub" else "places of the workers": [self.places],
            "the hub's process": [self.hub],
            "the manager's writes": [self.manager],
            "networks on the nodes": self.engines,
            "cores of the nodes": self.cores,
        }
        busy = {
            name: sum(part.used for part in group) / sum(part.places for part in group) / end
            for name, group in parts.items()
        }
        return Outcome(self.waits, self.failed, self.sent_away, busy)

    def _person(self, at: float) -> Generator[Any, Any, None]:
        yield self.world.timeout(at)
        begun = self.world.now
        while True:
            if self.way == "hub":
                while self.places.resource.count >= self.places.places:
                    self.sent_away += 1
                    yield self.world.timeout(self.chance.uniform(*_COMES_AGAIN))
            took = yield self.world.process(self._start())
            if took <= self.deadline:
                break
            self.failed += 1
        self.waits.append(self.world.now - begun)

    def _start(self) -> Generator[Any, Any, float]:
        """One start with a place held; how long it took from there."""
        with self.places.resource.request() as place:
            yield place
            begun = self.world.now
            if self.way == "hub":
                yield from self.hub.hold(self._draw("hub_start_cpu"))
            else:
                yield self.world.timeout(play_seconds(self.units))
            yield from self.manager.hold(self._draw("state_writes") * self._draw("create_at_150") / 1000)
            node, self.turn = self.turn % len(self.engines), self.turn + 1
            network, notebook = (
                ("start_20_own", "notebook_cpu")
                if self.way == "console"
                else ("start_20_shared", "hub_notebook_cpu")
            )
            yield from self.engines[node].hold(self._draw(network) / 20)
            yield from self.cores[node].hold(self._draw(notebook))
            took = self.world.now - begun
            self.places.used += took
        return took

    def _draw(self, name: str) -> float:
        cost = self.units[name]
        return self.chance.triangular(cost.low, cost.high, cost.median)
