"""How long it takes to look at a stack of a hundred services, in several ways.

Ansible:          a whole play that only prints a line: what any play costs
swarm_stack_info: a whole play with that one task
command line:     docker stack services, and then docker stack ps, which together tell about the same

Each round measures all ways once, in another order; ratios are of one and the same round.
"""

from __future__ import annotations

import importlib
import os
import statistics
import time
from collections.abc import Callable

from .bench import Bench, run_command

SERVICES = 100


def measure_info(bench: Bench, rounds: int) -> None:
    """Make a stack of a hundred services, measure, print a Markdown table, and remove it."""
    stack = f"labyard-bench-{os.urandom(3).hex()}"
    ways: list[tuple[str, Callable[[], None]]] = [
        ("Ansible, a play that prints a line", lambda: bench.play(stack, {"ansible.builtin.debug": {}})),
        (
            "swarm_stack_info",
            lambda: bench.play(stack, {"labyard.platform.swarm_stack_info": {"name": stack}}),
        ),
        ("docker stack services and ps", lambda: _look_by_command(stack)),
    ]
    seconds: dict[str, list[float]] = {name: [] for name, _ in ways}
    try:
        bench.helpers.stack_module(stack, bench.document(SERVICES), wait_timeout=400.0)
        calls = _count_calls(bench, stack)
        for number in range(rounds):
            start = number % len(ways)
            for name, look in ways[start:] + ways[:start]:
                begun = time.monotonic()
                look()
                seconds[name].append(time.monotonic() - begun)
    finally:
        bench.helpers.stack_module(stack, state="absent", wait_timeout=400.0)
    _print_table(seconds, calls)


def _look_by_command(stack: str) -> None:
    run_command(["docker", "stack", "services", stack])
    run_command(["docker", "stack", "ps", "--no-trunc", stack])


def _count_calls(bench: Bench, stack: str) -> int:
    info = importlib.import_module("ansible_collections.labyard.platform.plugins.modules.swarm_stack_info")
    with bench.helpers.recorded_calls() as sent:
        found = info.run({"name": stack})
    assert len(found["services"]) == SERVICES
    return len(sent)


def _print_table(seconds: dict[str, list[float]], calls: int) -> None:
    print(f"\nLooking at a stack of {SERVICES} services ({calls} calls of swarm_stack_info to the engine)\n")
    print("| way | median, s | min to max |")
    print("|---|---:|---:|")
    for name, column in seconds.items():
        print(f"| {name} | {statistics.median(column):.2f} | {min(column):.2f} to {max(column):.2f} |")
