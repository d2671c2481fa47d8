"""What one start and one running server cost the hub, which is one process."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import docker

from benchmarks.hubs import Operator, started_hub

from .units import Cost, cost

_ROUNDS, _PEOPLE = 3, 4
_QUIET = 60.0  # seconds in which nothing happens, to see what running servers cost
_LONGEST = 180.0  # seconds for one round
_SERVICE = "com.docker.swarm.service.name"


def measure_hub(engine: docker.DockerClient) -> dict[str, Cost]:
    """CPU time of hub, proxy and notebook for a start, and of the hub for servers that only run."""
    starts: list[float] = []
    routes: list[float] = []
    notebooks: list[float] = []
    with tempfile.TemporaryDirectory() as folder, started_hub(Path(folder)) as (url, token):
        operator = Operator(url, token)
        operator.wait_until_there()
        hub = _container(engine, "_hub")
        stack = str(hub.labels[_SERVICE]).removesuffix("_hub")
        proxy = _container(engine, f"{stack}_proxy")
        idle = _cpu_of_a_while(hub)
        for number in range(_ROUNDS):
            before = _cpu(hub), _cpu(proxy)
            people = [f"s{number}{secrets.token_hex(3)}" for _ in range(_PEOPLE)]
            operator.ask_for(people)
            _wait_until_ready(operator, people)
            starts.append((_cpu(hub) - before[0]) / _PEOPLE)
            routes.append((_cpu(proxy) - before[1]) / _PEOPLE)
            notebooks += [_cpu(each) for each in _notebooks(engine, stack)[:_PEOPLE]]
        running = [(_cpu_of_a_while(hub) - idle) / (_ROUNDS * _PEOPLE) * 1000]
        memory = [_memory(hub)]
    how = f"{_PEOPLE} at once, {_ROUNDS} times"
    return {
        "hub_start_cpu": cost(starts, "s", f"CPU time of the hub for one start by its interface, {how}"),
        "hub_proxy_start_cpu": cost(routes, "s", f"CPU time of the hub's proxy for one start, {how}"),
        "hub_notebook_cpu": cost(
            notebooks, "s", f"CPU time of a notebook of the hub until it answers, {how}"
        ),
        "hub_server_cpu": cost(running, "ms", "CPU time of the hub in a second for each server that runs"),
        "hub_memory": cost(memory, "MiB", f"memory of the hub with {_ROUNDS * _PEOPLE} servers"),
    }


def _wait_until_ready(operator: Operator, people: Sequence[str]) -> None:
    """The hub is asked seldom, for to answer is work as well."""
    end = time.monotonic() + _LONGEST
    while not all(operator.is_ready(name) for name in people):
        if time.monotonic() > end:
            raise TimeoutError(f"notebooks of the hub are not ready after {_LONGEST:g} s")
        time.sleep(3)


def _container(engine: docker.DockerClient, service: str) -> Any:
    """The container of the one service of a benchmark's hub whose name ends so."""
    (found,) = [
        each
        for each in engine.containers.list(filters={"label": _SERVICE})
        if each.labels[_SERVICE].startswith("bench-hub-") and each.labels[_SERVICE].endswith(service)
    ]
    return found


def _notebooks(engine: docker.DockerClient, stack: str) -> list[Any]:
    """Newest first."""
    return list(engine.containers.list(filters={"label": f"labyard.hub={stack}"}))


def _cpu(container: Any) -> float:
    """Seconds of CPU time that it has used."""
    stats = container.client.api.stats(container.id, stream=False, one_shot=True)
    return float(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9


def _cpu_of_a_while(container: Any) -> float:
    """Seconds of CPU time in a second, while nobody asks for anything."""
    begun = _cpu(container), time.monotonic()
    time.sleep(_QUIET)
    return (_cpu(container) - begun[0]) / (time.monotonic() - begun[1])


def _memory(container: Any) -> float:
    """MiB, without the cache of files."""
    stats = container.client.api.stats(container.id, stream=False, one_shot=True)["memory_stats"]
    return float(stats["usage"] - stats["stats"].get("total_inactive_file", 0)) / (1 << 20)
