"""How long it takes to deploy a stack, and to find that there is nothing to change, in several ways.

floor:         the bare Engine API: a network and the services, until all tasks run (looked at every 50 ms)
swarm_stack:   a whole ansible-playbook play with one task, until it ends; it ends when all services run.
               By default a service counts once it has kept running for a second; `hold: 0` leaves that out
command line:  docker stack deploy --detach=false
docker_stack:  a whole play with community.docker.docker_stack, which does not wait, and then until all run

All stacks are of the same sleeping containers, without virtual addresses and health checks. Each round
measures all ways once, in another order; ratios are of one and the same round.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import docker

from .bench import LABEL, Bench, run_command
from .community import community_environment
from .stack_info import measure_info

FLOOR = "bare Engine API"


@dataclass
class Way:
    """One way of deploying a stack, in seconds: the first time, and again with nothing to change."""

    name: str
    deploy: Callable[[Bench, str, int], None]
    again: Callable[[Bench, str, int], None] | None
    first: list[float] = field(default_factory=list)
    unchanged: list[float] = field(default_factory=list)


def measure_stacks(rounds: int, slow: bool) -> None:
    """Measure stacks of 2 and of 20 services, and looking at one of 100, printing Markdown tables.

    All that was made is removed.

    :param slow: measure the command line with 20 services too, which takes longer than 100 s each time
    """
    helpers = importlib.import_module("tests.integration.stack_helpers")
    engine = docker.from_env(timeout=60)
    community = community_environment()
    try:
        with tempfile.TemporaryDirectory(prefix="labyard-bench-") as folder:
            bench = Bench(engine, Path(folder), helpers.ensure_image(engine), community, helpers)
            for services in (2, 20):
                ways = _ways(bench, services, slow)
                for number in range(rounds):
                    _measure_round(bench, ways[number % len(ways) :] + ways[: number % len(ways)], services)
                _print_tables(ways, services)
                print(f"\nLoad average of the machine at the end: {os.getloadavg()[0]:.1f}")
            _print_calls(bench)
            measure_info(bench, rounds)
    finally:
        engine.close()


def _ways(bench: Bench, services: int, slow: bool) -> list[Way]:
    ways = [
        Way(FLOOR, _deploy_bare, None),
        Way("swarm_stack", _deploy_ours(hold=1.0), _deploy_ours(hold=1.0)),
        Way("swarm_stack, hold: 0", _deploy_ours(hold=0.0), None),
    ]
    if services <= 2 or slow:
        ways.append(Way("docker stack deploy --detach=false", _deploy_by_command, _deploy_by_command))
    if bench.community is not None:
        ways.append(Way("docker_stack, until all run", _deploy_by_community, _play_community))
    return ways


def _measure_round(bench: Bench, ways: list[Way], services: int) -> None:
    for way in ways:
        stack = f"labyard-bench-{os.urandom(3).hex()}"
        try:
            way.first.append(_seconds(way.deploy, bench, stack, services))
            if way.again is not None:
                way.unchanged.append(_seconds(way.again, bench, stack, services))
        finally:
            bench.helpers.stack_module(stack, state="absent")


def _seconds(step: Callable[[Bench, str, int], None], bench: Bench, stack: str, services: int) -> float:
    begun = time.monotonic()
    step(bench, stack, services)
    return time.monotonic() - begun


def _deploy_bare(bench: Bench, stack: str, services: int) -> None:
    """The calls that have to be made, and no others."""
    labels, api = {LABEL: stack}, bench.engine.api
    network = api.create_network(f"{stack}_default", driver="overlay", labels=labels)["Id"]
    container = {
        "Image": bench.image,
        "Args": ["sleep", "100000"],
        "Init": True,
        "StopGracePeriod": 10**9,
        "Labels": labels,
    }
    for number in range(services):
        answer = api.post(
            f"{api.base_url}/v{api.api_version}/services/create",
            json={
                "Name": f"{stack}_s{number}",
                "Labels": labels,
                "TaskTemplate": {"ContainerSpec": container, "Networks": [{"Target": network}]},
                "EndpointSpec": {"Mode": "dnsrr"},
            },
            timeout=60,
        )
        answer.raise_for_status()
    bench.wait_until_all_run(stack, services)


def _deploy_ours(hold: float) -> Callable[[Bench, str, int], None]:
    def deploy(bench: Bench, stack: str, services: int) -> None:
        options = {"name": stack, "compose": [bench.document(services)], "hold": hold}
        bench.play(stack, {"labyard.platform.swarm_stack": options})

    return deploy


def _deploy_by_command(bench: Bench, stack: str, services: int) -> None:
    path = bench.folder / f"{stack}.json"
    path.write_text(json.dumps(bench.document(services)))
    run_command(["docker", "stack", "deploy", "--detach=false", "-c", str(path), stack])


def _deploy_by_community(bench: Bench, stack: str, services: int) -> None:
    _play_community(bench, stack, services)
    bench.wait_until_all_run(stack, services)


def _play_community(bench: Bench, stack: str, services: int) -> None:
    options = {"name": stack, "compose": [bench.document(services)]}
    bench.play(stack, {"community.docker.docker_stack": options}, bench.community)


def _print_tables(ways: list[Way], services: int) -> None:
    floor = next(way.first for way in ways if way.name == FLOOR)
    print(f"\nFirst deployment of {services} services until all run\n")
    print("| way | median, s | min to max | of the bare Engine API | min to max |")
    print("|---|---:|---:|---:|---:|")
    for way in ways:
        print(f"| {way.name} | {_row(way.first, floor)} |")
    again = [way for way in ways if way.unchanged]
    base = next((way for way in again if way.deploy is _deploy_by_community), again[0])
    print(f"\nDeployment of {services} services with nothing to change\n")
    print(f"| way | median, s | min to max | of {_short(base)} | min to max |")
    print("|---|---:|---:|---:|---:|")
    for way in again:
        print(f"| {_short(way)} | {_row(way.unchanged, base.unchanged)} |")


def _short(way: Way) -> str:
    return way.name.removesuffix(", until all run")


def _row(seconds: list[float], base: list[float]) -> str:
    ratios = [own / other for own, other in zip(seconds, base, strict=True)]
    return " | ".join(
        cell
        for column in (seconds, ratios)
        for cell in (f"{statistics.median(column):.2f}", f"{min(column):.2f} to {max(column):.2f}")
    )


def _print_calls(bench: Bench) -> None:
    """Calls that swarm_stack makes to the engine; those of a deployment depend on how long it takes."""
    print("\nCalls that swarm_stack makes to the engine\n")
    print("| services | first deployment (writing) | nothing to change (writing) | swarm_stack_info |")
    print("|---:|---:|---:|---:|")
    info = importlib.import_module("ansible_collections.labyard.platform.plugins.modules.swarm_stack_info")
    for services in (2, 20):
        stack = f"labyard-bench-{os.urandom(3).hex()}"
        cells = []
        try:
            for _ in range(2):
                with bench.helpers.recorded_calls() as sent:
                    bench.helpers.stack_module(stack, bench.document(services))
                writing = sum(method != "GET" for method, _ in sent)
                cells.append(f"{len(sent)} ({writing})")
            with bench.helpers.recorded_calls() as sent:
                info.run({"name": stack})
            cells.append(str(len(sent)))
        finally:
            bench.helpers.stack_module(stack, state="absent")
        print(f"| {services} | {' | '.join(cells)} |")
