# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading tasks of a swarm: which are current, which run, which have failed. Pure.

States: https://docs.docker.com/engine/swarm/how-swarm-mode-works/swarm-task-states/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Task = Mapping[str, Any]
Service = Mapping[str, Any]

ENDED = frozenset({"complete", "failed", "rejected", "shutdown", "orphaned", "remove"})


def state_of(task: Task) -> str:
    """The state a task is in."""
    return str(task.get("Status", {}).get("State", "new"))


def is_wanted(task: Task) -> bool:
    """Whether the swarm means the task to run, or to run to its end."""
    return task.get("DesiredState") in {"running", "ready", "accepted", "complete"}


def slot_of(task: Task) -> str:
    """What a task is one of: a slot of a replicated service, a node of a global one."""
    return str(task.get("Slot") or f"node {task.get('NodeID', '')}")


def kind_of(service: Service) -> str:
    """Replicated, Global, ReplicatedJob or GlobalJob."""
    return next(iter(service["Spec"].get("Mode") or {}), "Replicated")


def is_job(service: Service) -> bool:
    """Whether the service is to run to an end."""
    return kind_of(service).endswith("Job")


def replicas_of(service: Service) -> int:
    """How many tasks there should be; for a global service, how many the swarm has made."""
    mode, kind = service["Spec"].get("Mode") or {}, kind_of(service)
    if kind == "Replicated":
        replicas = (mode.get("Replicated") or {}).get("Replicas")
        return 1 if replicas is None else int(replicas)
    if kind == "ReplicatedJob":
        completions = (mode["ReplicatedJob"] or {}).get("TotalCompletions")
        return 1 if completions is None else int(completions)
    return int((service.get("ServiceStatus") or {}).get("DesiredTasks") or 0)


def running_of(service: Service) -> int:
    """How many tasks run that are to run; the swarm's own count has those in it that are being stopped."""
    status = service.get("ServiceStatus") or {}
    running = int(status.get("RunningTasks") or 0)
    return running if is_job(service) else min(running, int(status.get("DesiredTasks") or 0))


def condition_of(service: Service) -> str:
    """The restart condition: any, on-failure or none."""
    policy = service["Spec"].get("TaskTemplate", {}).get("RestartPolicy") or {}
    return str(policy.get("Condition") or "any")


def current_tasks(service: Service, tasks: Iterable[Task]) -> list[Task]:
    """The tasks that were made from the present spec of the service, oldest first.

    The swarm replaces a task if its spec differs in anything but the placement.
    """
    template = _comparable(service["Spec"].get("TaskTemplate", {}))
    own = [task for task in tasks if task.get("ServiceID") == service["ID"]]
    if is_job(service):
        iteration = _iteration(service.get("JobStatus", {}).get("JobIteration"))
        found = [task for task in own if _iteration(task.get("JobIteration")) == iteration]
    else:
        found = [task for task in own if _comparable(task.get("Spec", {})) == template]
    return sorted(found, key=lambda task: str(task.get("CreatedAt", "")))


def failed_tasks(service: Service, tasks: Iterable[Task]) -> list[Task]:
    """Tasks that ended although they should not have."""
    ends_well = is_job(service) or condition_of(service) != "any"
    bad = {"failed", "rejected"} if ends_well else {"failed", "rejected", "complete"}
    return [
        task
        for task in tasks
        if state_of(task) in bad and not (state_of(task) == "complete" and is_wanted(task))
    ]


def _comparable(template: Mapping[str, Any]) -> dict[str, Any]:
    """What a change of replaces the task. The engine writes Runtime out in services only."""
    return {key: value for key, value in template.items() if key not in {"Placement", "Runtime"}}


def _iteration(value: Any) -> int:
    return int((value or {}).get("Index", 0))
