"""Whether what a deployment needs fits on a node, and which resource is missing if not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._request.resources import Needs

_GIB, _MIB = 1024**3, 1024**2


@dataclass(frozen=True)
class Room:
    """What one node has, or what is left of it."""

    hostname: str
    cpus: float  # cores
    memory: int  # bytes
    generic: Mapping[str, int] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)  # see models.Node


@dataclass(frozen=True)
class Obstacle:
    """What is missing: the kind of resource, how much is asked for and how much there is, in words."""

    kind: str  # cpu, memory, gpu, ports, image or constraints
    wanted: str
    largest: str  # the most that one node has


def find_obstacle(needs: Needs, cpus: float, rooms: Sequence[Room]) -> Obstacle | None:
    """What keeps every one of `rooms` from taking it; None if one can, or if none is known.

    `cpus`: the cores to count with, the limit or what is set aside.
    """
    if not rooms:
        return None
    fitting = [room for room in rooms if all(meets(room, text) for text in needs.constraints)]
    if not fitting:
        return Obstacle("constraints", " and ".join(needs.constraints), "no node that fits")
    asked: dict[str, float] = {"cpu": cpus, "memory": needs.memory, "gpu": needs.gpus}
    for kind, amount in asked.items():
        largest = max(_has(room, kind, needs) for room in fitting)
        if amount > largest:
            return Obstacle(kind, say_amount(kind, amount), say_amount(kind, largest))
    if any(all(a <= _has(room, kind, needs) for kind, a in asked.items()) for room in fitting):
        return None
    together = " and ".join(say_amount(kind, amount) for kind, amount in asked.items() if amount)
    return Obstacle("memory", together, "not all of it on one node")


def meets(room: Room, constraint: str) -> bool:
    """Whether a node meets a constraint (`node.labels.disk==ssd`, `node.role != manager`).

    One that cannot be read is left to the swarm to refuse.
    """
    for operator in ("!=", "=="):
        name, found, value = (part.strip() for part in constraint.partition(operator))
        if found:
            same = str(room.attributes.get(name, "")).lower() == value.lower()
            return same is (operator == "==")
    return True


def say_amount(kind: str, amount: float) -> str:
    """An amount with its unit: 2 cores, 1.5 GiB, 512 MiB, 1 GPU."""
    if kind == "memory":
        return f"{amount / _GIB:.4g} GiB" if amount >= _GIB else f"{amount / _MIB:.4g} MiB"
    number = f"{amount:.4g}"
    unit = "core" if kind == "cpu" else "GPU"
    return f"{number} {unit}" if number == "1" else f"{number} {unit}s"


def _has(room: Room, kind: str, needs: Needs) -> float:
    if kind == "cpu":
        return room.cpus
    return room.memory if kind == "memory" else room.generic.get(needs.gpu_name, 0)
