"""The nodes of the swarm: what they have, and what is left of it now."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._request.resources import Needs
from labyard.clock import Clock, utc_now
from labyard.commands.capacity import Obstacle, Room, find_obstacle
from labyard.models import Node

_NANO = 1_000_000_000
_LABEL = "labyard.deployment"


class Engine(Protocol):
    """What is asked of docker's low-level client."""

    def nodes(self) -> list[dict[str, Any]]:
        """GET /nodes."""

    def services(self) -> list[dict[str, Any]]:
        """GET /services."""

    def tasks(self, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """GET /tasks."""

    def images(self, name: str) -> list[dict[str, Any]]:
        """GET /images/json with this reference."""


@dataclass(frozen=True)
class SwarmRoom:
    """What is free on the nodes that take tasks now, and which ports are published."""

    rooms: tuple[Room, ...]
    ports: frozenset[int] = field(default_factory=frozenset)


def save_nodes(session: Session, seen: Sequence[Mapping[str, Any]], clock: Clock = utc_now) -> None:
    """Write down which nodes the swarm has (`seen`: GET /nodes), for the preflight of commands."""
    now = clock()
    known = {node.id: node for node in session.scalars(select(Node))}
    for about in seen:
        room = read_room(about)
        node = known.get(about["ID"]) or Node(id=about["ID"])
        node.hostname, node.cpus, node.memory = room.hostname, room.cpus, room.memory
        node.generic, node.attributes, node.seen_at = dict(room.generic), dict(room.attributes), now
        node.state = str((about.get("Status") or {}).get("State") or "unknown")
        node.availability = str((about.get("Spec") or {}).get("Availability") or "")
        node.manager = _manager_of(about)
        session.add(node)
    session.execute(delete(Node).where(Node.id.not_in([about["ID"] for about in seen])))


def _manager_of(node: Mapping[str, Any]) -> str:
    """leader, reachable or unreachable; empty for a worker."""
    status = node.get("ManagerStatus") or {}
    return "leader" if status.get("Leader") else str(status.get("Reachability") or "")


def read_room(node: Mapping[str, Any]) -> Room:
    """A node of the Engine's API as what it has."""
    spec, about = node.get("Spec") or {}, node.get("Description") or {}
    has, platform = about.get("Resources") or {}, about.get("Platform") or {}
    hostname = str(about.get("Hostname") or "")
    attributes = {
        "node.id": node["ID"],
        "node.hostname": hostname,
        "node.role": spec.get("Role", ""),
        "node.platform.os": platform.get("OS", ""),
        "node.platform.arch": platform.get("Architecture", ""),
        **{f"node.labels.{k}": v for k, v in (spec.get("Labels") or {}).items()},
        **{f"engine.labels.{k}": v for k, v in ((about.get("Engine") or {}).get("Labels") or {}).items()},
    }
    return Room(
        hostname,
        int(has.get("NanoCPUs") or 0) / _NANO,
        int(has.get("MemoryBytes") or 0),
        _count_generic(has.get("GenericResources")),
        attributes,
    )


def read_free_room(engine: Engine, deployment_id: str) -> SwarmRoom:
    """What others leave: reservations of tasks of all services but those of `deployment_id`."""
    others = {
        s["ID"]: s for s in engine.services() if (s["Spec"].get("Labels") or {}).get(_LABEL) != deployment_id
    }
    taken: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for task in engine.tasks(filters={"desired-state": ["running", "accepted"]}):
        if task.get("ServiceID") in others and task.get("NodeID"):
            resources = (task.get("Spec") or {}).get("Resources") or {}
            taken[task["NodeID"]].append(resources.get("Reservations") or {})
    rooms = [_subtract(read_room(n), taken[n["ID"]]) for n in engine.nodes() if _takes_tasks(n)]
    ports = {
        int(port["PublishedPort"])
        for service in others.values()
        for port in (service["Spec"].get("EndpointSpec") or {}).get("Ports") or ()
        if port.get("PublishedPort")
    }
    return SwarmRoom(tuple(rooms), frozenset(ports))


def find_lack(engine: Engine, deployment_id: str, needs: Needs) -> str:
    """What the swarm cannot give the deployment now, as a sentence that says what to do; "" if nothing."""
    free = read_free_room(engine, deployment_id)
    if not free.rooms:
        return "No node of the swarm takes containers now. An operator looks at `docker node ls`."
    obstacle = find_obstacle(needs, needs.cpu, free.rooms) or _ports_or_image(engine, needs, free)
    if obstacle is None:
        return ""
    sentences = {
        "constraints": "No node that takes containers now is one with {wanted}: an operator mends the plan "
        "or the nodes.",
        "ports": "All ports from {wanted} are taken: remove a deployment that is not used, or an operator "
        "widens the range.",
        "image": "The image {wanted} is not on this swarm: an operator makes it (`make up`, or site.yml with "
        "--tags images), then retry.",
    }
    other = "No node has {wanted} free now ({largest} at most): retry later, or ask for less."
    if obstacle.kind in ("cpu", "memory", "gpu"):
        other = f"There is not enough {_WORDS[obstacle.kind]}. {other}"
    return sentences.get(obstacle.kind, other).format(wanted=obstacle.wanted, largest=obstacle.largest)


_WORDS = {"cpu": "CPU", "memory": "memory", "gpu": "GPU"}


def _ports_or_image(engine: Engine, needs: Needs, free: SwarmRoom) -> Obstacle | None:
    if needs.ports:
        first, last = needs.ports
        if all(port in free.ports for port in range(first, last + 1)):
            return Obstacle("ports", f"{first} to {last}", "none")
    if needs.image and not engine.images(name=needs.image):
        return Obstacle("image", needs.image, "none")
    return None


def _takes_tasks(node: Mapping[str, Any]) -> bool:
    spec, status = node.get("Spec") or {}, node.get("Status") or {}
    return spec.get("Availability") == "active" and status.get("State") == "ready"


def _subtract(room: Room, reservations: Sequence[Mapping[str, Any]]) -> Room:
    generic = Counter(room.generic)
    for taken in reservations:
        generic.subtract(_count_generic(taken.get("GenericResources")))
    return replace(
        room,
        cpus=room.cpus - sum(int(r.get("NanoCPUs") or 0) for r in reservations) / _NANO,
        memory=room.memory - sum(int(r.get("MemoryBytes") or 0) for r in reservations),
        generic=dict(generic),
    )


def _count_generic(resources: Iterable[Mapping[str, Any]] | None) -> dict[str, int]:
    """Generic resources by kind: named ones are counted, discrete ones have a number."""
    found: Counter[str] = Counter()
    for resource in resources or ():
        if named := resource.get("NamedResourceSpec"):
            found[str(named.get("Kind"))] += 1
        if discrete := resource.get("DiscreteResourceSpec"):
            found[str(discrete.get("Kind"))] += int(discrete.get("Value") or 0)
    return dict(found)
