"""What the parts of the platform bear, and what so many notebooks ask of them. Pure.

A limit grows with the number of notebooks; where it is reached, something breaks. Costs are measured
(units.json) or published (each limit names its source).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from .settings import Settings
from .units import Cost

Way = Literal["hub", "console", "both"]
Units = Mapping[str, Cost]
MOST = 1_000_000  # notebooks; what bears more than these bounds nothing


@dataclass(frozen=True)
class Use:
    """What a person's notebook does, on average: assumptions, said in docs/scale.md."""

    active: float = 0.5  # share of running notebooks that somebody works in
    sockets: float = 3.0  # WebSockets of an open JupyterLab: kernels, events, a terminal
    requests: float = 0.1  # a second, of an open JupyterLab at work
    messages: float = 1.0  # a second, over its WebSockets
    starts_a_day: float = 1.0  # of each notebook
    memory: float = 1.0  # GiB set aside for each (a plan's default)
    class_share: float = 0.1  # share of people who begin in the same minute, each with a live page open
    cores: float = 0.1  # set aside for each


@dataclass(frozen=True)
class Limit:
    """Something of which there is so much."""

    name: str
    way: Way  # notebooks of the hub, of the console, or both
    unit: str
    need: Callable[[float, Settings, Units, Use], float]  # of so many notebooks
    room: Callable[[Settings], float]
    remedy: str
    source: str  # measured, set by a role, or the address of what is published


def breaks_at(limit: Limit, settings: Settings, units: Units, use: Use) -> int:
    """The smallest number of notebooks that it does not bear; MOST if it bears any number."""
    room = limit.room(settings)
    low, high = 0, MOST
    while low < high:
        middle = (low + high) // 2
        if limit.need(middle, settings, units, use) > room:
            high = middle
        else:
            low = middle + 1
    return low


def share(limit: Limit, notebooks: int, settings: Settings, units: Units, use: Use) -> float:
    """How much of what there is so many notebooks take; more than 1: it breaks."""
    return limit.need(notebooks, settings, units, use) / limit.room(settings)


def order(limits: list[Limit], settings: Settings, units: Units, use: Use) -> list[tuple[Limit, int]]:
    """Limits with the number of notebooks at which they break, the first to break first."""
    found = [(limit, breaks_at(limit, settings, units, use)) for limit in limits]
    return sorted(found, key=lambda one: one[1])


def hosts_for(notebooks: int, settings: Settings, use: Use) -> int:
    """Nodes for so many notebooks: by memory, by CPU, and by what one bridge holds; one more may fail."""
    by_memory = notebooks * use.memory / (settings.worker_memory - 4)  # GiB for the node itself
    by_cores = notebooks * use.cores / settings.worker_cores
    by_bridge = notebooks / BRIDGE_PORTS
    return -int(-max(by_memory, by_cores, by_bridge) // 1) + 1


#: Containers in one bridge of a node: all of overlay networks are in docker_gwbridge.
BRIDGE_PORTS = 1000


def line_through(units: Units, name: str, at: float) -> float:
    """A cost that was measured at several numbers of services, drawn on to another one.

    The smallest times count: on a machine that others use as well, the others are theirs.
    """
    points = sorted(
        (int(key.rpartition("_at_")[2]), one.low)
        for key, one in units.items()
        if key.startswith(f"{name}_at_")
    )
    if len(points) < 2:
        raise ValueError(f"{name} was measured at {len(points)} numbers of services, and a line takes two")
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    return mean_y + max(slope, 0) * (at - mean_x)
