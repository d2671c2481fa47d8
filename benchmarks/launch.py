"""How much longer a notebook takes by way of the console than by the bare Engine API call.

console: from the POST of the command to the answer that says COMPLETED.
bare:    from the call `services/create` with the very spec that the console's run made, to the
         task that runs. Swarm calls a task running once its health check was good, so both wait
         for JupyterLab's first answer. Network and secret are there before the clock starts; the
         console makes both while it ticks.

Both are looked at every 50 ms. Who goes first changes from pair to pair.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import docker

from .console import started_console

_LOOK_EVERY = 0.05  # seconds
_LONGEST = 180.0  # seconds for one launch
_PARAMS = {"cpu_limit": 1.0, "memory_limit": 1024}
_MARK = "labyard.benchmark"  # the label by which all bare objects are found again


@dataclass(frozen=True)
class Pair:
    """One launch each way, in seconds."""

    console: float
    bare: float
    first: str  # which of the two was measured first
    steps: dict[str, float]  # what of the console's time went into each step of the run

    @property
    def ratio(self) -> float:
        """How many times as long the console took."""
        return self.console / self.bare


def measure_launches(pairs: int) -> list[Pair]:
    """Launch a notebook `pairs` times each way, in turn; all of it is removed again."""
    engine = docker.from_env(timeout=60)
    try:
        with started_console(engine) as console:
            # Unmeasured: it warms what can be warm, and its service is the spec of the bare way.
            _, _, spec = _launch_by_console(console, engine, "warm-up")
            _launch_bare(engine, spec)
            return [_measure_pair(console, engine, spec, number) for number in range(pairs)]
    finally:
        _remove_bare(engine)
        engine.close()


def print_table(pairs: list[Pair]) -> None:
    """The measured pairs, their summary and the steps, as Markdown tables on standard output."""
    print("Launch of a notebook: console (POST to COMPLETED) against the bare Engine API call\n")
    print("| pair | first | console, s | bare, s | ratio |")
    print("|---:|---|---:|---:|---:|")
    for number, pair in enumerate(pairs, start=1):
        print(f"| {number} | {pair.first} | {pair.console:.2f} | {pair.bare:.2f} | {pair.ratio:.2f} |")
    columns = [[getattr(pair, name) for pair in pairs] for name in ("console", "bare", "ratio")]
    print(f"| median | | {' | '.join(f'{statistics.median(column):.2f}' for column in columns)} |")
    print(f"| min to max | | {' | '.join(map(_spread, columns))} |")
    print("\nWhere the console's time goes\n")
    print("| step | median, s | min to max |")
    print("|---|---:|---:|")
    for step in pairs[0].steps:
        seconds = [pair.steps[step] for pair in pairs]
        print(f"| {step} | {statistics.median(seconds):.2f} | {_spread(seconds)} |")


def _spread(column: list[float]) -> str:
    return f"{min(column):.2f} to {max(column):.2f}"


def _measure_pair(console: Any, engine: docker.DockerClient, spec: dict[str, Any], number: int) -> Pair:
    if number % 2:
        bare = _launch_bare(engine, spec)
        seconds, steps, _ = _launch_by_console(console, engine, f"pair-{number}")
        return Pair(seconds, bare, "bare", steps)
    seconds, steps, _ = _launch_by_console(console, engine, f"pair-{number}")
    return Pair(seconds, _launch_bare(engine, spec), "console", steps)


def _launch_by_console(
    console: Any, engine: docker.DockerClient, name: str
) -> tuple[float, dict[str, float], dict[str, Any]]:
    """Seconds to COMPLETED, seconds of each step, and the spec of the service on the swarm.

    The deployment is removed.
    """
    body = {"plan": "notebook", "phase": "install", "name": name, "params": _PARAMS}
    begun = time.monotonic()
    command = console.issue(**body)
    path = f"commands/{command['id']}"
    while command["state"] not in (5, 9):
        _wait(begun)
        command = console.call("GET", path).json()
    seconds = time.monotonic() - begun
    assert command["state"] == 5, command["message"]
    (service,) = engine.services.list(filters={"label": f"labyard.deployment={command['deployment']['id']}"})
    spec: dict[str, Any] = copy.deepcopy(service.attrs["Spec"])
    removal = console.issue(plan="notebook", phase="remove", name=name, params={"keep_data": False})
    assert console.finish(removal)["state"] == 5
    return seconds, _steps_of(command, seconds), spec


def _steps_of(command: dict[str, Any], seconds: float) -> dict[str, float]:
    """Seconds of each step as the console shows them; the first row is what lies outside the steps."""
    steps = {task["name"]: float(task["seconds"] or 0) for task in command["tasks"]}
    return {"queue, start of the play, end": seconds - sum(steps.values()), **steps}


def _launch_bare(engine: docker.DockerClient, spec: dict[str, Any]) -> float:
    """Seconds until a service of that spec runs; it is removed."""
    with _surroundings(engine, spec) as own:
        begun = time.monotonic()
        answer = engine.api.post(
            f"{engine.api.base_url}/v{engine.api.api_version}/services/create", json=own, timeout=60
        )
        answer.raise_for_status()
        service = answer.json()["ID"]
        while not any(
            task["Status"]["State"] == "running" for task in engine.api.tasks(filters={"service": service})
        ):
            _wait(begun)
        return time.monotonic() - begun


@contextmanager
def _surroundings(engine: docker.DockerClient, spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The spec under a name of its own, with network, secret and an empty volume that go at the end."""
    own = copy.deepcopy(spec)
    own["Name"] = "labyard-benchmark"
    own["Labels"] = {_MARK: "bare"}
    container = own["TaskTemplate"]["ContainerSpec"]
    container["Labels"] = {_MARK: "bare"}
    network = engine.networks.create("labyard-benchmark", driver="overlay", labels={_MARK: "bare"})
    own["TaskTemplate"]["Networks"] = [{"Target": network.id}]
    for position, secret in enumerate(container.get("Secrets") or []):
        name = f"labyard-benchmark-{position}"
        made = engine.secrets.create(name=name, data=b"no-secret-at-all", labels={_MARK: "bare"})
        secret |= {"SecretID": made.id, "SecretName": name}
    for mount in container.get("Mounts") or []:
        mount["Source"] = "labyard-benchmark"
        mount.get("VolumeOptions", {})["Labels"] = {_MARK: "bare"}
    try:
        yield own
    finally:
        _remove_bare(engine)


def _remove_bare(engine: docker.DockerClient) -> None:
    """Remove what carries the mark, and wait until it is gone."""
    from .console import load_test_helpers

    load_test_helpers().remove_labelled(engine, _MARK)


def _wait(begun: float) -> None:
    if time.monotonic() - begun > _LONGEST:
        raise TimeoutError(f"no notebook after {_LONGEST:g} s")
    time.sleep(_LOOK_EVERY)
