"""The benchmark `scale`: unit costs that are measured here, and what follows from them."""

from __future__ import annotations

import docker

from .measure_console import measure_console
from .measure_edge import measure_edge
from .measure_hub import measure_hub
from .measure_swarm import measure_swarm
from .page import tables, write_page
from .units import read_units, write_units


def measure_units() -> None:
    """Measure all unit costs on this machine, and write them down as soon as a part has been measured."""
    engine = docker.from_env(timeout=60)
    try:
        for measure in (measure_swarm, measure_edge, measure_console, measure_hub):
            found = measure(engine)
            write_units(found)
            for name, cost in found.items():
                print(f"{name}: {cost.words()}")
    finally:
        engine.close()


def print_scale(*, write: bool = False) -> None:
    """Print what follows from the unit costs that were written down last, or write it into docs/scale.md."""
    found = tables(read_units())
    if write:
        write_page(found)
        return
    for name, table in found.items():
        print(f"\n{name}\n\n{table}")
