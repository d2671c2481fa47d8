# SPDX-License-Identifier: GPL-3.0-or-later
"""What stacks are doing, told from the engine's answers: services, tasks, networks and the rest. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .desired import IMAGE, NAMESPACE
from .live import labels_of
from .outcome import describe_service
from .tasks import ENDED, Service, Task, is_job, kind_of, replicas_of, running_of, state_of
from .watch import Watch

_MODES = {
    "Replicated": "replicated",
    "Global": "global",
    "ReplicatedJob": "replicated-job",
    "GlobalJob": "global-job",
}


@dataclass(frozen=True)
class Snapshot:
    """What the engine says of one stack, or of all; each list is the JSON of one call."""

    services: Sequence[Service] = ()
    tasks: Sequence[Task] = ()
    nodes: Sequence[Mapping[str, Any]] = ()
    networks: Sequence[Mapping[str, Any]] = ()
    secrets: Sequence[Mapping[str, Any]] = ()
    configs: Sequence[Mapping[str, Any]] = ()
    volumes: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class _Names:
    """Names by id."""

    nodes: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)


def describe_stacks(snapshot: Snapshot, stack: str | None = None) -> dict[str, Any]:
    """Everything that carries the label of a stack, as ``swarm_stack_info`` returns it.

    :param stack: name of one stack; ``None`` for all
    :returns: ``exists``, ``stacks``, ``services``, ``tasks``, ``networks``, ``secrets``, ``configs`` and
        ``volumes``, all in a stable order
    """

    def own(items: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        found = [item for item in items if stack in {None, _stack_of(item)} and _stack_of(item)]
        return sorted(found, key=lambda item: (_stack_of(item), _name_of(item)))

    services = own(snapshot.services)
    names = _Names(
        {node["ID"]: str((node.get("Description") or {}).get("Hostname", "")) for node in snapshot.nodes},
        {network["Id"]: network["Name"] for network in snapshot.networks},
        {service["ID"]: service for service in services},
    )
    result: dict[str, Any] = {
        "services": [_describe_service(service, snapshot, names) for service in services],
        "tasks": _describe_tasks(snapshot.tasks, names),
        "networks": [_describe_network(network) for network in own(snapshot.networks)],
        "secrets": [_describe_file(secret) for secret in own(snapshot.secrets)],
        "configs": [_describe_file(config) for config in own(snapshot.configs)],
        "volumes": [_describe_volume(volume) for volume in own(snapshot.volumes)],
    }
    found = sorted({item["stack"] for items in result.values() for item in items})
    count = [item["stack"] for item in result["services"]]
    result["stacks"] = [{"name": name, "services": count.count(name)} for name in found]
    result["exists"] = bool(found)
    return result


def _stack_of(item: Mapping[str, Any]) -> str:
    return labels_of(item).get(NAMESPACE, "")


def _name_of(item: Mapping[str, Any]) -> str:
    return str(item.get("Name") or (item.get("Spec") or {}).get("Name", ""))


def _describe_service(service: Service, snapshot: Snapshot, names: _Names) -> dict[str, Any]:
    spec, status = service["Spec"], service.get("ServiceStatus") or {}
    template = spec.get("TaskTemplate", {})
    wanted, running = replicas_of(service), running_of(service)
    done = int(status.get("CompletedTasks") or 0)
    return {
        "stack": _stack_of(service),
        **describe_service(service, wanted, running),
        "image_given": (spec.get("Labels") or {}).get(IMAGE, ""),
        "mode": _MODES[kind_of(service)],
        "completed": done,
        "networks": sorted(
            names.networks.get(network["Target"], network["Target"])
            for network in template.get("Networks") or []
        ),
        "endpoint_mode": (spec.get("EndpointSpec") or {}).get("Mode", "vip"),
        "constraints": list((template.get("Placement") or {}).get("Constraints") or []),
        "labels": dict(spec.get("Labels") or {}),
        "created": service.get("CreatedAt", ""),
        "updated": service.get("UpdatedAt", ""),
        "update": _describe_update(service.get("UpdateStatus")),
        "problem": _problem_of(service, snapshot, wanted, done if is_job(service) else running),
    }


def _describe_update(status: Mapping[str, Any] | None) -> dict[str, str] | None:
    if not status:
        return None
    return {
        "state": status.get("State", ""),
        "started": status.get("StartedAt", ""),
        "completed": status.get("CompletedAt", ""),
        "message": status.get("Message", ""),
    }


def _problem_of(service: Service, snapshot: Snapshot, wanted: int, good: int) -> str | None:
    """Why fewer tasks run than there should be, in words; None if all do."""
    if good >= wanted:
        return None
    own = [task for task in snapshot.tasks if task.get("ServiceID") == service["ID"]]
    if own and all(state_of(task) == "complete" for task in own):
        return None
    return Watch([service["Spec"]["Name"]]).why_waiting(service, own, snapshot.nodes).message


def _describe_tasks(tasks: Iterable[Task], names: _Names) -> list[dict[str, Any]]:
    """In the order of ``docker stack ps``: by service and slot, the newest first."""
    own = [task for task in tasks if task.get("ServiceID") in names.services]
    newest_first = sorted(own, key=lambda task: str(task.get("CreatedAt", "")), reverse=True)
    described = [_describe_task(task, names) for task in newest_first]
    # the tasks of a global service have no slot, so they stand by node; the first slot of a job is 0
    return sorted(described, key=lambda task: (task["service"], task["slot"], task["node"]))


def _describe_task(task: Task, names: _Names) -> dict[str, Any]:
    service = names.services[task["ServiceID"]]
    status = task.get("Status") or {}
    container = status.get("ContainerStatus") or {}
    name = service["Spec"]["Name"]
    return {
        "stack": _stack_of(service),
        "service": name,
        "id": task["ID"],
        "name": f"{name}.{task.get('Slot') or task.get('NodeID', '')}",
        "slot": int(task.get("Slot") or 0),
        "image": ((task.get("Spec") or {}).get("ContainerSpec") or {}).get("Image", ""),
        "node": names.nodes.get(task.get("NodeID", ""), task.get("NodeID", "")),
        "desired_state": task.get("DesiredState", ""),
        "state": state_of(task),
        "since": status.get("Timestamp", ""),
        "message": status.get("Message", ""),
        "error": status.get("Err", ""),
        "exit_code": container.get("ExitCode") if state_of(task) in ENDED else None,
        "container": container.get("ContainerID", ""),
        "ports": _task_ports(status),
    }


def _task_ports(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Ports published on the node; the engine names each twice, for IPv4 and for IPv6."""
    result: list[dict[str, Any]] = []
    for port in (status.get("PortStatus") or {}).get("Ports") or []:
        described = {
            "target": port.get("TargetPort"),
            "published": port.get("PublishedPort"),
            "protocol": port.get("Protocol", "tcp"),
            "mode": port.get("PublishMode", "ingress"),
        }
        if described not in result:
            result.append(described)
    return result


def _describe_network(network: Mapping[str, Any]) -> dict[str, Any]:
    pools = (network.get("IPAM") or {}).get("Config") or []
    return {
        "stack": _stack_of(network),
        "name": network["Name"],
        "id": network["Id"],
        "driver": network.get("Driver", ""),
        "scope": network.get("Scope", ""),
        "attachable": bool(network.get("Attachable")),
        "internal": bool(network.get("Internal")),
        "subnets": [pool["Subnet"] for pool in pools if pool.get("Subnet")],
    }


def _describe_file(file: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "stack": _stack_of(file),
        "name": _name_of(file),
        "id": file["ID"],
        "created": file.get("CreatedAt", ""),
        "updated": file.get("UpdatedAt", ""),
    }


def _describe_volume(volume: Mapping[str, Any]) -> dict[str, Any]:
    return {"stack": _stack_of(volume), "name": volume["Name"], "driver": volume.get("Driver", "")}
