"""What the nodes of the swarm had, and when: written down at each look of the meter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from labyard.models import NodeCapacity

_GIB = 1024**3
_SIZES = ("cpu", "memory", "gpu")
_TICK = timedelta(microseconds=1)
_HOUR = timedelta(hours=1) // _TICK


@dataclass(frozen=True)
class NodeHours:
    """What there was in a time."""

    cpu: Fraction  # core-hours
    memory: Fraction  # GiB-hours
    gpu: Fraction  # GPU-hours
    nodes: int  # that were up at some moment of it
    since: datetime | None  # when a node was seen for the first time ever; None: never


def note_capacities(
    session: Session, nodes: Sequence[Mapping[str, Any]], at: datetime, patience: timedelta
) -> None:
    """Write down what a look at the swarm saw at `at`; `nodes` are as `usage_info` returns them as capacity.

    What a node had at one look it had until the next, if it was up at both. `patience`: the longest time
    between two looks that is no silence; what was before a silence ends with it. A look before the last one
    (the clock went back) changes nothing.
    """
    last = session.scalar(select(func.max(NodeCapacity.end)))
    if last is not None and at <= last:
        return
    known = {one.node: one for one in session.scalars(select(NodeCapacity).where(NodeCapacity.is_open))}
    made = []
    for seen in (node for node in nodes if node["up"]):
        before = known.pop(seen["node"], None)
        if before is not None and at - before.end <= patience:
            before.end = at
            if all(getattr(before, name) == seen[name] for name in _SIZES):
                continue
        if before is not None:
            before.is_open = False
        sizes = {name: seen[name] for name in _SIZES}
        made.append(NodeCapacity(node=seen["node"], name=seen["name"], start=at, end=at, **sizes))
    for gone in known.values():
        gone.is_open = False
    session.flush()  # of a node there is one open interval at a time
    session.add_all(made)


def read_node_hours(session: Session, start: datetime, end: datetime) -> NodeHours:
    """What all nodes together had in [start, end), exactly."""
    rows = session.scalars(select(NodeCapacity).where(NodeCapacity.end > start, NodeCapacity.start < end))
    cpu, memory, gpu, nodes = 0, 0, 0, set()
    for row in rows:
        ticks = (min(row.end, end) - max(row.start, start)) // _TICK
        cpu, memory, gpu = cpu + row.cpu * ticks, memory + row.memory * ticks, gpu + row.gpu * ticks
        nodes.add(row.node)
    return NodeHours(
        cpu=Fraction(cpu, 10**9 * _HOUR),
        memory=Fraction(memory, _GIB * _HOUR),
        gpu=Fraction(gpu, _HOUR),
        nodes=len(nodes),
        since=session.scalar(select(func.min(NodeCapacity.start))),
    )
