# SPDX-License-Identifier: GPL-3.0-or-later
"""What the nodes of a swarm have to do with a service: which are lost, and which it could run on. Pure.

A node is the engine's JSON of it. How constraints are read:
https://docs.docker.com/reference/cli/docker/service/create/#constraint
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .reasons import Reason
from .tasks import ENDED, Service, Task, state_of

Node = Mapping[str, Any]

#: Causes that say that there is no room for a service on the nodes that take tasks.
_NO_ROOM = {"constraints", "pending", "resources", "port_taken", "platform"}
_CONSTRAINT = re.compile(r"^\s*([^=!\s]+)\s*(==|!=)\s*(.*?)\s*$")


def without_lost(tasks: Iterable[Task], nodes: Sequence[Node]) -> list[Task]:
    """The tasks, those on nodes that are down as ``orphaned``: nobody knows what became of them.

    The swarm itself calls them so only after a day, and until then repeats what it last heard.
    """
    down = {node["ID"] for node in nodes if _status(node) == "down"}
    return [
        {**task, "Status": {**task.get("Status", {}), "State": "orphaned"}}
        if task.get("NodeID") in down and state_of(task) not in ENDED
        else task
        for task in tasks
    ]


def name_of(node: Node) -> str:
    """The host name of a node."""
    return str((node.get("Description") or {}).get("Hostname") or node["ID"])


def why_unusable(node: Node) -> str:
    """Why a node takes no tasks, in words after its name; empty if it takes some."""
    if _status(node) != "ready":
        return f"is {_status(node)}"
    availability = str((node.get("Spec") or {}).get("Availability", "active"))
    return {"active": "", "drain": "is drained", "pause": "is paused"}.get(availability, f"is {availability}")


def meets(node: Node, constraints: Collection[str]) -> bool:
    """Whether a node meets constraints, such as ``node.labels.disk == fast``, all of them."""
    return all(_meets(node, constraint) for constraint in constraints)


def explain_placement(reason: Reason, service: Service, nodes: Sequence[Node]) -> Reason:
    """The reason of a service that cannot be placed, with the nodes that would do if they took tasks."""
    if reason.cause not in _NO_ROOM or not nodes or reason.node:
        return reason
    constraints = _constraints(service)
    fitting = [node for node in nodes if meets(node, constraints)]
    unusable = [node for node in fitting if why_unusable(node)]
    if not unusable:
        return reason
    words = " and ".join(sorted(f"{name_of(node)} {why_unusable(node)}" for node in unusable))
    if len(unusable) < len(fitting):
        message = f"{reason.message} Nodes that take no tasks now were left out: {words}."
        return replace(reason, message=message)
    group = f"that meets its constraints ({', '.join(constraints)})" if constraints else "in the swarm"
    message = (
        f"Service {reason.service} cannot be placed: {words}, and there is no other node {group}; "
        "bring a node back ('docker node ls'), or let the service run elsewhere."
    )
    return replace(reason, cause="node_unavailable", message=message)


def reason_without_task(service: Service, own: Sequence[Task], nodes: Sequence[Node]) -> Reason:
    """Why there is no task of a service as it now is. Constraints are blamed only where nodes show it.

    The swarm makes tasks of a replicated service whatever its constraints, those of a global one only where
    the constraints are met.

    :param own: tasks of former versions of the service
    """
    name = service["Spec"]["Name"]
    constraints = _constraints(service)
    is_global = not {"Replicated", "ReplicatedJob"} & set(service["Spec"].get("Mode") or {"Replicated": {}})
    if is_global and nodes and not any(meets(node, constraints) and not why_unusable(node) for node in nodes):
        words = f"no node meets its constraints ({', '.join(constraints)}); correct them, or label a node."
        reason = Reason(name, "constraints", f"Service {name} cannot be placed: {words}")
        return explain_placement(reason, service, nodes)
    if own:
        return Reason(
            name,
            "not_updated",
            f"Service {name} still has its former tasks only: the swarm has not begun to replace them. "
            f"Wait longer, or see 'docker service ps {name}' and the log of the manager's engine.",
        )
    return Reason(
        name,
        "no_task",
        f"The swarm has made no task for service {name}, and says no reason. Wait longer, or see the log of "
        "the manager's engine; a restart of that engine makes the swarm look at all services anew.",
    )


def _status(node: Node) -> str:
    return str((node.get("Status") or {}).get("State", "unknown"))


def _constraints(service: Service) -> list[str]:
    template = service["Spec"].get("TaskTemplate") or {}
    return list((template.get("Placement") or {}).get("Constraints") or [])


def _meets(node: Node, constraint: str) -> bool:
    found = _CONSTRAINT.match(constraint)
    if not found:
        return False
    key, operator, wanted = found.groups()
    have = _value(node, key)
    if key == "node.ip":
        with contextlib.suppress(ValueError):
            inside = ipaddress.ip_address(have) in ipaddress.ip_network(wanted, strict=False)
            return inside == (operator == "==")
        return False
    return (have.casefold() == wanted.casefold()) == (operator == "==")


def _value(node: Node, key: str) -> str:
    spec, description = node.get("Spec") or {}, node.get("Description") or {}
    platform, status = description.get("Platform") or {}, node.get("Status") or {}
    kind, _, label = key.partition(".labels.")
    if label:
        labels = spec.get("Labels") if kind == "node" else (description.get("Engine") or {}).get("Labels")
        return str((labels or {}).get(label, ""))
    values = {
        "node.id": node["ID"],
        "node.hostname": description.get("Hostname", ""),
        "node.role": spec.get("Role", ""),
        "node.ip": status.get("Addr", ""),
        "node.platform.os": platform.get("OS", ""),
        "node.platform.arch": platform.get("Architecture", ""),
    }
    return str(values.get(key, ""))
