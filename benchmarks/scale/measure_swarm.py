"""Unit costs of the swarm, measured on an engine of its own in a container, where nobody else writes.

Services are created by the Engine API, with a spec as long as that of a notebook. Those that are only to
be there have no replicas, or one that no node may run: they take room in the swarm's state and no container.
"""

from __future__ import annotations

import importlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import docker

from .units import Cost, cost

EXISTING = (0, 50, 150, 600)  # services that are there while one more is made
_ROUNDS = 15
_CONTAINERS = 20
_NODE = "node1"
_LONGEST = 120.0  # seconds
_CALLS = {
    "tasks_by_label": "GET /tasks with a label that one service has",
    "tasks_by_service": "GET /tasks of one service by its id",
    "services_all": "GET /services of all deployments, with their state",
}


def measure_swarm(engine: docker.DockerClient) -> dict[str, Cost]:
    """Create, remove, list; bytes in the swarm's state; memory of the engine for containers and networks."""
    found: dict[str, Cost] = {}
    with _swarm(engine) as (nodes, image):
        api = nodes.client().api
        found |= _measure_writes(api, image)
        found |= _measure_lists(api, image)
        found |= _measure_snapshot(nodes, api, image)
        found |= _measure_starts(nodes, api, image)
    return found


@contextmanager
def _swarm(engine: docker.DockerClient) -> Iterator[tuple[Any, str]]:
    helpers = importlib.import_module("tests.integration.stack_helpers")
    swarm_nodes = importlib.import_module("tests.nodes.swarm_nodes")
    with tempfile.TemporaryDirectory(prefix="labyard-scale-") as folder:
        nodes = swarm_nodes.SwarmNodes(engine, Path(folder), names=(_NODE,), group="scale")
        try:
            nodes.start()
            image = helpers.ensure_image(engine)
            nodes.load_image(image)
            yield nodes, image
        finally:
            nodes.stop()


def spec_of(
    image: str, name: str, *, replicas: int = 0, runs: bool = True, network: str = ""
) -> dict[str, Any]:
    """A service as the Engine API takes it, with about as many words as that of a notebook."""
    labels = {
        "com.docker.stack.image": "labyard/notebook-minimal:dfbd5dcccf00",
        "com.docker.stack.namespace": name,
        "labyard.console": "n0lsnb5r8q50",
        "labyard.deployment": name,
        "labyard.owner": "ada",
        "labyard.plan": "notebook",
        "labyard.project": "default",
    }
    container = {
        "Image": image,
        "Command": ["sleep", "100000"],
        "Init": True,
        "Labels": labels,
        "Env": [f"SETTING_{number}=a value of some length, {number}" for number in range(12)],
        "Mounts": [{"Type": "tmpfs", "Target": "/home"}],
        "StopGracePeriod": 1_000_000_000,
    }
    template: dict[str, Any] = {
        "ContainerSpec": container,
        "Resources": {"Limits": {"MemoryBytes": 16 << 20}},
        "Placement": {"Constraints": [] if runs else ["node.labels.nowhere==true"]},
        "Networks": [{"Target": network}] if network else [],
    }
    return {
        "Name": name,
        "Labels": labels,
        "TaskTemplate": template,
        "Mode": {"Replicated": {"Replicas": replicas}},
        "EndpointSpec": {"Mode": "dnsrr"},
    }


def _create(api: Any, spec: dict[str, Any]) -> str:
    answer = api.post(f"{api.base_url}/v{api.api_version}/services/create", json=spec)
    answer.raise_for_status()
    return str(answer.json()["ID"])


def _milliseconds(call: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1000


def _measure_writes(api: Any, image: str) -> dict[str, Cost]:
    found, there = dict[str, Cost](), 0
    for existing in EXISTING:
        while there < existing:
            _create(api, spec_of(image, f"idle{there}"))
            there += 1
        made, removed = list[float](), list[float]()
        for number in range(_ROUNDS):
            spec, ids = spec_of(image, f"one{existing}x{number}"), list[str]()
            made.append(_milliseconds(lambda spec=spec, ids=ids: ids.append(_create(api, spec))))  # type: ignore[misc]  # bound now
            removed.append(_milliseconds(lambda ids=ids: api.remove_service(ids[0])))  # type: ignore[misc]  # bound now
        how = f"of a service without replicas over the Engine API (TLS), {existing} others there"
        found[f"create_at_{existing}"] = cost(made, "ms", f"services/create {how}")
        found[f"remove_at_{existing}"] = cost(removed, "ms", f"removal {how}")
    _remove_all(api)
    return found


def _measure_lists(api: Any, image: str) -> dict[str, Cost]:
    """What it takes to find the one task of a service among many: by label, and by the service's id."""
    found, there, last = dict[str, Cost](), 0, ""
    for existing in (50, 150, 600):
        while there < existing:
            last = _create(api, spec_of(image, f"wait{there}", replicas=1, runs=False))
            there += 1
        _wait(lambda existing=existing: len(api.tasks()) >= existing, f"{existing} tasks")  # type: ignore[misc]  # bound now
        label = {"label": f"labyard.deployment=wait{there - 1}"}
        ways: dict[str, Callable[[], Any]] = {
            "tasks_by_label": lambda label=label: api.tasks(filters=label),  # type: ignore[misc]  # bound now
            "tasks_by_service": lambda last=last: api.tasks(filters={"service": last}),  # type: ignore[misc]  # bound now
            "services_all": lambda: api.services(filters={"label": "labyard.deployment"}, status=True),
        }
        for name, call in ways.items():
            took = [_milliseconds(call) for _ in range(_ROUNDS)]
            found[f"{name}_at_{existing}"] = cost(
                took, "ms", f"one call, {existing} services with a task each"
            )
    return found


def _measure_snapshot(nodes: Any, api: Any, image: str) -> dict[str, Cost]:
    """Bytes of a service with its task in a snapshot of the state, by the growth from 600 on."""
    sizes = [_snapshot_bytes(nodes, api)]
    for step in range(3):
        for number in range(200):
            _create(api, spec_of(image, f"more{step}x{number}", replicas=1, runs=False))
        _wait(lambda step=step: len(api.tasks()) >= 600 + 200 * (step + 1), "tasks")  # type: ignore[misc]  # bound now
        sizes.append(_snapshot_bytes(nodes, api))
    grown = [(after - before) / 200 for before, after in pairwise(sizes)]
    how = "growth of the swarm's snapshot by 200 services with one waiting task each, divided by 200"
    _remove_all(api)
    return {"state_bytes": cost(grown, "bytes", how)}


def _snapshot_bytes(nodes: Any, api: Any) -> int:
    """Have the swarm write its state down, and say how long that is."""
    _set_snapshot_interval(nodes, 20)
    before = _newest_snapshot(nodes)
    for number in range(60):
        api.remove_service(_create(api, spec_of("nothing", f"tick{number}")))
    _wait(lambda: _newest_snapshot(nodes)[0] != before[0], "a snapshot")
    _set_snapshot_interval(nodes, 100_000)
    return _newest_snapshot(nodes)[1]


def _set_snapshot_interval(nodes: Any, entries: int) -> None:
    nodes.client().swarm.reload()
    nodes.client().swarm.update(snapshot_interval=entries)


def _newest_snapshot(nodes: Any) -> tuple[str, int]:
    """Name and bytes of the newest snapshot; an empty name if there is none."""
    folder = "/var/lib/docker/swarm/raft/snap-v3-encrypted"
    line = nodes.run(_NODE, "sh", "-c", f"ls -lt {folder} 2>/dev/null | sed -n 2p").split()
    return (line[-1], int(line[4])) if line else ("", 0)


def _measure_starts(nodes: Any, api: Any, image: str) -> dict[str, Cost]:
    """Writes of the state for one start, and memory of the engine for containers with a network each."""
    shared = api.create_network("shared", driver="overlay")["Id"]
    _start(api, [spec_of(image, "first", replicas=1, network=shared)])
    writes, seconds = list[float](), list[float]()
    for number in range(8):
        before, begun = _state_index(api), time.perf_counter()
        _start(api, [spec_of(image, f"writes{number}", replicas=1, network=shared)])
        seconds.append(time.perf_counter() - begun)
        _settle(api)
        writes.append(float(_state_index(api) - before - 1))
    memory = {"engine_memory_shared": list[float](), "engine_memory_own": list[float]()}
    shims, waits = list[float](), {"start_20_shared": list[float](), "start_20_own": list[float]()}
    for turn in range(3):
        for own in (False, True):
            kind = "own" if own else "shared"
            before_engine, before_shims = _memory(nodes)
            networks = [
                api.create_network(f"own{turn}x{number}", driver="overlay")["Id"] if own else shared
                for number in range(_CONTAINERS)
            ]
            specs = [
                spec_of(image, f"{kind}{turn}x{number}", replicas=1, network=network)
                for number, network in enumerate(networks)
            ]
            waits[f"start_20_{kind}"].append(_start(api, specs))
            after_engine, after_shims = _memory(nodes)
            memory[f"engine_memory_{kind}"].append((after_engine - before_engine) / _CONTAINERS)
            shims.append((after_shims - before_shims) / _CONTAINERS)
    what = "of a service with one container, from services/create to the task that runs"
    by_kind = {"shared": "in one shared network", "own": "each in an overlay network of its own"}
    found = {
        "state_writes": cost(
            writes, "writes", "writes of the swarm's state by one start, as its index counts them"
        ),
        "start_alone": cost(seconds, "s", f"start {what}, busybox"),
        "shim_memory": cost(shims, "KiB", "resident memory of containerd-shim for one container more"),
    }
    for kind, words in by_kind.items():
        how = f"resident memory of dockerd and containerd for one container more, {words}"
        found[f"engine_memory_{kind}"] = cost(memory[f"engine_memory_{kind}"], "KiB", how)
        found[f"start_20_{kind}"] = cost(
            waits[f"start_20_{kind}"], "s", f"20 containers until all run, {words}"
        )
    return found


def _start(api: Any, specs: Sequence[dict[str, Any]]) -> float:
    """Seconds until a container of each runs."""
    begun = time.perf_counter()
    ids = {_create(api, spec) for spec in specs}

    def all_run() -> bool:
        running = {task["ServiceID"] for task in api.tasks() if task["Status"]["State"] == "running"}
        return ids <= running

    _wait(all_run, "all run")
    return time.perf_counter() - begun


def _settle(api: Any) -> None:
    """Wait until nothing is written for a second."""
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < 1:
        newest = max(item["Version"]["Index"] for item in (*api.tasks(), *api.services()))
        if newest != seen:
            seen, since = newest, time.monotonic()
        time.sleep(0.1)


def _state_index(api: Any) -> int:
    """The number of the last write, by making one: a config, which is removed."""
    made = api.create_config("index", b"x")["ID"]
    index = int(api.inspect_config(made)["Version"]["Index"])
    api.remove_config(made)
    return index


def _memory(nodes: Any) -> tuple[float, float]:
    """KiB of dockerd with containerd, and of all shims, resident."""
    engine = shims = 0.0
    for line in nodes.run(_NODE, "ps", "-e", "-o", "rss=,comm=").splitlines():
        kib, name = line.split(None, 1)
        if name.startswith("containerd-shim"):
            shims += float(kib)
        elif name in ("dockerd", "containerd"):
            engine += float(kib)
    return engine, shims


def _remove_all(api: Any) -> None:
    for service in api.services():
        api.remove_service(service["ID"])
    _wait(lambda: not api.tasks(), "no task is left")


def _wait(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + _LONGEST
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {_LONGEST:g} s: {what}")
        time.sleep(0.05)
