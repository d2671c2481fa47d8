# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at a swarm: what of the Engine's documents the meter needs. Pure.

Formats: https://docs.docker.com/reference/api/engine/version/v1.41/ (ServiceList, TaskList, NodeList,
ContainerList, ContainerStats, SystemEvents, SystemDataUsage, SystemInfo).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import UsageError
from .moments import read_time
from .nodes import NodeSeen, count_gpus
from .owners import SHAPE, Names, Selection, clean, name_owner

RUNNING = "running"
#: States of a task that has come to its end and whose timestamp is that end.
ENDED = frozenset({"complete", "failed", "shutdown"})
#: States of one that has gone otherwise: when it ended is not what the timestamp says.
GONE = frozenset({"rejected", "orphaned", "remove"})
_TASK_LABEL = "com.docker.swarm.task.id"


@dataclass(frozen=True)
class TaskSeen:
    """A task as a manager shows it; moments in ms since 1970."""

    id: str
    state: str
    since: int  # when it came into that state
    created: int
    node_up: bool  # its node answers the managers
    names: Names
    rates: Mapping[str, int]  # cpu in billionths of a core, memory in bytes, gpu in pieces


@dataclass(frozen=True)
class ContainerSeen:
    """What a node knows of a task's container."""

    created: int | None = None
    started: int | None = None
    died: int | None = None
    ran: bool = False  # it has been started, whether or not it still runs


@dataclass(frozen=True)
class Sample:
    """Counters of a container since its start, and the memory that it has now."""

    at: int  # ms since 1970, by the clock of its node
    cpu: int  # nanoseconds of CPU time
    memory: int  # bytes, without files that can be dropped
    received: int  # bytes
    sent: int


@dataclass(frozen=True)
class VolumeSeen:
    """A volume of a node; one in a shared store is the same on all nodes."""

    id: str
    created: int
    size: int  # bytes
    names: Names


@dataclass(frozen=True)
class Look:
    """All that was seen at one moment."""

    at: int  # ms since 1970, by the Engine's clock
    source: str
    tasks: Sequence[TaskSeen]
    containers: Mapping[str, ContainerSeen] = field(default_factory=dict)  # by task
    samples: Mapping[str, Sample] = field(default_factory=dict)  # by task
    volumes: Sequence[VolumeSeen] | None = None  # None: nobody looked
    volume_nodes: frozenset[str] = frozenset()  # nodes whose volumes were looked at
    nodes: Sequence[NodeSeen] = ()  # and what they have
    notes: Sequence[str] = ()


def read_tasks(
    services: Iterable[Mapping[str, Any]],
    tasks: Iterable[Mapping[str, Any]],
    nodes: Iterable[Mapping[str, Any]],
    selection: Selection,
) -> list[TaskSeen]:
    """The tasks of the services that are selected, from what the Engine lists."""
    labels = {service["ID"]: service["Spec"].get("Labels") or {} for service in services}
    service_names = {service["ID"]: service["Spec"].get("Name", "") for service in services}
    up = {node["ID"]: (node.get("Status") or {}).get("State") == "ready" for node in nodes}
    hosts = {node["ID"]: (node.get("Description") or {}).get("Hostname", "") for node in nodes}
    found = []
    for task in tasks:
        spec = task.get("Spec") or {}
        container = spec.get("ContainerSpec") or {}
        own = _labels(container.get("Labels") or {}, labels.get(task["ServiceID"], {}))
        status = task.get("Status") or {}
        since, created = read_time(status.get("Timestamp")), read_time(task.get("CreatedAt"))
        if since is None or created is None or not selection.fits(own):
            continue
        node, service = task.get("NodeID", ""), service_names.get(task["ServiceID"], task["ServiceID"])
        about = {
            "service": service,
            "node": hosts.get(node, node),
            "image": str(container.get("Image", "")).split("@")[0],
        }
        found.append(
            TaskSeen(
                id=task["ID"],
                state=str(status.get("State", "new")),
                since=since,
                created=created,
                node_up=up.get(node, False),
                names=name_owner(own, f"service:{service}", about),
                rates=read_rates(spec.get("Resources") or {}),
            )
        )
    return found


def _labels(container: Mapping[str, str], service: Mapping[str, str]) -> dict[str, str]:
    """A service says whose a task is, and the task itself, which never changes, at what shape it runs."""
    return {**container, **service, **({SHAPE: container[SHAPE]} if SHAPE in container else {})}


def read_rates(resources: Mapping[str, Any]) -> dict[str, int]:
    """What a task holds: what is reserved or, without a reservation, its limit; what has neither is left out.

    GPUs are generic resources whose kind has `gpu` in its name.
    """
    reserved, limits = resources.get("Reservations") or {}, resources.get("Limits") or {}
    found = {
        "cpu": int(reserved.get("NanoCPUs") or limits.get("NanoCPUs") or 0),
        "memory": int(reserved.get("MemoryBytes") or limits.get("MemoryBytes") or 0),
        "gpu": sum(count_gpus(generic) for generic in reserved.get("GenericResources") or ()),
    }
    return {name: rate for name, rate in found.items() if rate > 0}


def read_containers(
    listed: Iterable[Mapping[str, Any]], events: Iterable[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """What a node knows of the containers of its tasks, by task, as plain values (see `join_nodes`).

    `events` are the Engine's events `start` and `die`; it forgets all but the last 256 of its events.
    """
    found: dict[str, dict[str, Any]] = {}
    for container in listed:
        task = (container.get("Labels") or {}).get(_TASK_LABEL)
        if task:
            ran = container.get("State") not in ("created", None)
            found[task] = {"created": int(container.get("Created") or 0) * 1000, "ran": ran}
    for event in events:
        task = ((event.get("Actor") or {}).get("Attributes") or {}).get(_TASK_LABEL)
        word = {"start": "started", "die": "died"}.get(str(event.get("Action")))
        if task and word:
            about = found.setdefault(task, {})
            about[word] = int(event.get("timeNano") or 0) // 1_000_000
            about["ran"] = True
    return found


def read_sample(stats: Mapping[str, Any]) -> dict[str, int] | None:
    """The figures of the document of GET /containers/<id>/stats (cgroup 1 and 2); None if it has gone."""
    at = read_time(stats.get("read"))
    cpu = ((stats.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage")
    memory = stats.get("memory_stats") or {}
    if at is None or cpu is None or memory.get("usage") is None:
        return None
    more = memory.get("stats") or {}
    idle = more.get("total_inactive_file", more.get("inactive_file", 0))
    networks = (stats.get("networks") or {}).values()
    return {
        "at": at,
        "cpu": int(cpu),
        "memory": max(0, int(memory["usage"]) - int(idle)),
        "received": sum(int(one.get("rx_bytes") or 0) for one in networks),
        "sent": sum(int(one.get("tx_bytes") or 0) for one in networks),
    }


def read_volumes(listed: Iterable[Mapping[str, Any]], node: str, host: str) -> list[dict[str, Any]]:
    """The volumes of a node whose size is known, from GET /system/df, as plain values."""
    found = []
    for volume in listed:
        size = (volume.get("UsageData") or {}).get("Size", -1)
        created = read_time(volume.get("CreatedAt"))
        if created is None or size is None or size < 0:
            continue
        options = volume.get("Options") or {}
        shared = volume.get("Driver", "local") != "local" or "device" in options
        place = f"{volume.get('Driver')}:{options.get('device', '')}" if shared else node
        found.append(
            {
                "id": f"{place}/{volume['Name']}",
                "name": volume["Name"],
                "created": created,
                "size": int(size),
                "labels": dict(volume.get("Labels") or {}),
                "node": "" if shared else host,
            }
        )
    return found


def join_nodes(look: Look, nodes: Sequence[Mapping[str, Any]], selection: Selection) -> Look:
    """The look with what single nodes have said (results of `look: node`); raises UsageError."""
    containers: dict[str, ContainerSeen] = {}
    samples: dict[str, Sample] = {}
    volumes: dict[str, VolumeSeen] = {}
    looked: set[str] = set()
    notes = list(look.notes)
    for position, node in enumerate(nodes):
        try:
            containers |= {task: ContainerSeen(**about) for task, about in node["containers"].items()}
            samples |= {task: Sample(**figures) for task, figures in node["samples"].items()}
            if node.get("volumes") is not None:
                looked.add(node["id"])
                _add_volumes(volumes, node["volumes"], selection)
            apart = abs(int(node["at"]) - look.at)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            text = "is no look at a node; give what usage_info returned as node"
            raise UsageError(f"nodes[{position}]: {text} ({error!r})") from error
        if apart > _APART:
            notes.append(
                f"The clock of node {node.get('name', '')} is {apart / 1000:.0f} s from that of the manager: "
                "set both by NTP."
            )
    return replace(
        look,
        containers=containers,
        samples=samples,
        volumes=sorted(volumes.values(), key=lambda volume: volume.id) if looked else None,
        volume_nodes=frozenset(looked),
        notes=notes,
    )


_APART = 120_000  # ms; looks at nodes take their time


def _add_volumes(
    known: dict[str, VolumeSeen], listed: Iterable[Mapping[str, Any]], selection: Selection
) -> None:
    """Add the selected ones; of a shared volume the largest size that a node has seen counts."""
    for volume in listed:
        labels = volume["labels"]
        if not selection.fits(labels):
            continue
        details = {"volume": volume["name"], "node": volume["node"]}
        names = name_owner(labels, f"volume:{clean(volume['name'], 50)}", details)
        seen = VolumeSeen(volume["id"], int(volume["created"]), int(volume["size"]), names)
        if volume["id"] not in known or known[volume["id"]].size < seen.size:
            known[volume["id"]] = seen
