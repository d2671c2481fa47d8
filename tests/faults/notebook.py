"""The real notebook on an engine of the campaign's own: a node in a container, whose dockerd is killed."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import yaml
from docker.types import ServiceMode

from tests.conftest import PLAN, REPOSITORY, wait_until
from tests.nodes.swarm_nodes import MANAGER, SwarmNodes

from .house import House, Servers, open_house
from .victims import Scene, kill_dockerd

IMAGE = "labyard/notebook-minimal:current"
_ORPHANS_WITHIN = 120.0  # seconds


@contextmanager
def open_node(folder: Path) -> Iterator[SwarmNodes]:
    """A swarm of one node with the notebook's image."""
    engine = docker.from_env(timeout=120)
    nodes = SwarmNodes(engine, folder, names=(MANAGER,), group="faults")
    try:
        folder.mkdir(parents=True)
        nodes.start()
        nodes.load_image(IMAGE)
        yield nodes
    finally:
        nodes.stop()
        engine.close()


@contextmanager
def open_notebook_house(folder: Path, nodes: SwarmNodes, servers: Servers | None = None) -> Iterator[House]:
    """A console that deploys notebooks on the engine of `nodes`."""
    options = nodes.connection()
    with open_house(
        folder,
        servers,
        DOCKER_HOST=options["docker_host"],
        DOCKER_TLS_VERIFY="1",
        DOCKER_CERT_PATH=str(nodes.folder),
        REQUESTS_CA_BUNDLE="",  # else these would count, and not the node's own authority
        CURL_CA_BUNDLE="",
    ) as house:
        plans = REPOSITORY / "inventories" / "local" / "plans.yml"
        (plan,) = yaml.safe_load(plans.read_text(encoding="utf-8"))
        about = {name: value for name, value in plan.items() if name != "name"}
        answer = house.console.call("PUT", f"plans/{PLAN}", about)
        assert answer.ok, answer.text
        house.plan = PLAN
        yield house


def notebook_params(chance: random.Random, phase: str) -> dict[str, Any]:
    """Parameters of a phase of the notebook."""
    if phase == "remove":
        return {"keep_data": False}
    return {"cpu_limit": round(chance.uniform(0.2, 0.9), 1), "memory_limit": 256}


def look_at_swarm(nodes: SwarmNodes, deployment_id: str) -> str | None:
    """Whether services, networks, secrets or volumes of a deployment are there."""
    client, chosen = nodes.client(), {"label": f"labyard.deployment={deployment_id}"}
    kinds = (client.services, client.networks, client.secrets, client.volumes)
    return "there" if any(kind.list(filters=chosen) for kind in kinds) else None


def find_orphans(house: House, nodes: SwarmNodes) -> float:
    """Make an orphan on either side, kill the engine, and wait until both are listed.

    The seconds from the fault's end until then.
    """
    chance = random.Random(0)  # noqa: S311 - chance that can be repeated, no secret
    body = {"plan": PLAN, "phase": "install", "name": "orphan", "params": notebook_params(chance, "install")}
    ended = house.console.finish(house.console.issue(**body))
    assert ended["state"] == 5, ended
    mine, strange = str(ended["deployment"]["id"]), "zzzzzzzz"
    client = nodes.client()
    (service,) = client.services.list(filters={"label": f"labyard.deployment={mine}"})
    labels = {**service.attrs["Spec"]["Labels"], "labyard.deployment": strange}
    labels["com.docker.stack.namespace"] = f"test-{strange}"
    none = ServiceMode("replicated", replicas=0)
    client.services.create(IMAGE, name=f"test-{strange}_notebook", labels=labels, mode=none)
    service.remove()
    kill_dockerd(Scene(house, (), chance, nodes))
    begun = time.monotonic()

    def are_listed() -> bool:
        answer = house.console.call("GET", "orphans")
        found = {item["deployment"] for item in answer.json()["items"]} if answer.ok else set()
        return {mine, strange} <= found

    wait_until(are_listed, _ORPHANS_WITHIN, f"both orphans are listed: {house.logs()}")
    return time.monotonic() - begun
