# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop services that do not come to run, so that the swarm does not try again and again."""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from typing import Any

from .client import SwarmClient
from .desired import PAUSED
from .errors import EngineError, OutOfSequence
from .tasks import Service, Task, current_tasks, failed_tasks, kind_of, replicas_of, slot_of, state_of


def pause_services(client: SwarmClient, stack: str, names: Collection[str]) -> list[str]:
    """Set those of the services ``names`` to 0 replicas of which nothing runs well, returning their names.

    The number that a service had is kept in a label, for the next deployment.
    """
    paused = []
    for name in sorted(names):
        for _ in range(5):
            try:
                service = client.service(name)
                if not is_hopeless(service, client.tasks(stack)):
                    break
                version = service["Version"]["Index"]
                client.update_service(service["ID"], version, paused_spec(service))
                paused.append(name)
                break
            except OutOfSequence:
                continue
            except EngineError:
                break
    return paused


def is_hopeless(service: Service, tasks: Sequence[Task]) -> bool:
    """Whether a replicated service has no task that runs well: a former one, or one that has not crashed."""
    if kind_of(service) != "Replicated" or replicas_of(service) == 0:
        return False
    own = [task for task in tasks if task.get("ServiceID") == service["ID"]]
    current = current_tasks(service, own)
    crashed = {slot_of(task) for task in failed_tasks(service, current)}
    ids = {task["ID"] for task in current}
    return not any(
        state_of(task) == "running" and not (task["ID"] in ids and slot_of(task) in crashed) for task in own
    )


def paused_spec(service: Service) -> dict[str, Any]:
    """The spec of a service with no replicas, and a label that remembers how many there were."""
    spec = copy.deepcopy(dict(service["Spec"]))
    spec["Labels"] = {**(spec.get("Labels") or {}), PAUSED: str(replicas_of(service))}
    spec["Mode"] = {"Replicated": {"Replicas": 0}}
    return spec
