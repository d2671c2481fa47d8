# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging from what the engine says, look by look, whether a stack has come to run. Pure.

The clock is passed in, seconds of any origin. ``wait.py`` is the loop around this.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from .live import Objects
from .nodes import Node, explain_placement, reason_without_task, without_lost
from .reasons import Reason, reason_of_task, reason_of_update
from .tasks import (
    ENDED,
    Service,
    Task,
    condition_of,
    current_tasks,
    failed_tasks,
    is_job,
    is_wanted,
    kind_of,
    replicas_of,
    slot_of,
    state_of,
)

#: Failures after which waiting on is of no use, by cause; others have the number of ``crashes``.
_PATIENCE = {"image_missing": 1, "ended": 1, "port_taken": 2, "unhealthy": 2}
_UPDATE_ENDED_BADLY = {"paused", "rollback_started", "rollback_paused", "rollback_completed"}


@dataclass(frozen=True)
class Limits:
    """When to stop hoping. Times are seconds."""

    hold: float = 1.0  # how long a service without health check must keep running
    pending_grace: float = 10.0  # how long a task may find no node
    crashes: int = 3  # ended tasks of one slot that make a crash loop


@dataclass(frozen=True)
class Look:
    """What one look at the stack told."""

    converged: bool
    failed: tuple[Reason, ...] = ()
    waiting: tuple[str, ...] = ()  # names of services that are not there yet


@dataclass
class Watch:
    """Follows services from look to look until all have converged or some have failed."""

    names: Collection[str]
    limits: Limits = field(default_factory=Limits)
    touched: Collection[str] = ()  # services that this call created or updated
    known: set[str] = field(default_factory=set)  # ids of tasks that had ended before this call
    _looked: bool = False
    _since: dict[str, float] = field(default_factory=dict)  # service -> running without a break since
    _pending: dict[str, float] = field(default_factory=dict)  # task -> without a node since
    _failures: dict[tuple[str, str], dict[str, Task]] = field(default_factory=dict)
    _empty: dict[str, float] = field(default_factory=dict)
    _nodes: Sequence[Node] = ()

    def look(self, services: Objects, tasks: Sequence[Task], now: float, nodes: Sequence[Node] = ()) -> Look:
        """Take in the services and tasks of the stack as they are at ``now``.

        :param nodes: those of the swarm, where they are known: what is on nodes that are down does not count
        """
        self._nodes = nodes
        tasks = without_lost(tasks, nodes)
        waiting: list[str] = []
        failed: list[Reason] = []
        if not self._looked:
            self._looked = True
            self._remember_the_past(services, tasks)
        for name in sorted(self.names):
            service = services.get(name)
            if service is None:
                failed.append(Reason(name, "unknown", f"Service {name} was removed by somebody else."))
                continue
            own = [task for task in tasks if task.get("ServiceID") == service["ID"]]
            reason = self._failure(service, own, now, room_is_coming=any(map(_is_leaving, tasks)))
            if reason:
                failed.append(explain_placement(reason, service, nodes))
            elif not self._has_settled(service, own, now):
                waiting.append(name)
        return Look(not waiting and not failed, tuple(failed), tuple(waiting))

    def _remember_the_past(self, services: Objects, tasks: Sequence[Task]) -> None:
        """Failures of untouched services before this call say nothing, if the swarm tries again by itself."""
        retried = {
            service["ID"]
            for name, service in services.items()
            if name not in self.touched and condition_of(service) != "none" and not _max_attempts(service)
        }
        self.known |= {
            task["ID"] for task in tasks if state_of(task) in ENDED and task.get("ServiceID") in retried
        }

    def next_settling(self, now: float) -> float:
        """Seconds until the next service that runs has run for long enough; infinite if there is none."""
        moments = [since + self.limits.hold - now for since in self._since.values()]
        return min((seconds for seconds in moments if seconds > 0), default=math.inf)

    def why_waiting(
        self, service: Service, tasks: Sequence[Task], nodes: Sequence[Node] | None = None
    ) -> Reason:
        """The best that can be said of a service that has not converged in time.

        :param nodes: those of the swarm; ``None``: as at the last look
        """
        nodes = self._nodes if nodes is None else nodes
        return explain_placement(
            self._why_waiting(service, without_lost(tasks, nodes), nodes), service, nodes
        )

    def _why_waiting(self, service: Service, tasks: Sequence[Task], nodes: Sequence[Node]) -> Reason:
        name = service["Spec"]["Name"]
        own = [task for task in tasks if task.get("ServiceID") == service["ID"]]
        current = current_tasks(service, own)
        failed = failed_tasks(service, current)
        unready = [task for task in current if is_wanted(task) and state_of(task) not in {"running", *ENDED}]
        if failed and (not unready or state_of(unready[-1]) in {"ready", "new", "assigned", "accepted"}):
            return reason_of_task(service, failed[-1], len(failed))
        if unready:
            return reason_of_task(service, unready[-1])
        if not current:
            return reason_without_task(service, own, nodes)
        return Reason(name, "stopping", f"Service {name} is still stopping its former tasks; wait longer.")

    def _failure(
        self, service: Service, own: Sequence[Task], now: float, room_is_coming: bool
    ) -> Reason | None:
        name = service["Spec"]["Name"]
        update = (service.get("UpdateStatus") or {}).get("State")
        if name in self.touched and update in _UPDATE_ENDED_BADLY:
            return reason_of_update(service, [task for task in own if task["ID"] not in self.known])
        current = current_tasks(service, own)
        for task in failed_tasks(service, current):
            if task["ID"] not in self.known:
                self._failures.setdefault((name, slot_of(task)), {})[task["ID"]] = task
        for (owner, slot), failures in self._failures.items():
            recovered = any(slot_of(task) == slot and state_of(task) == "running" for task in current)
            if owner == name and not recovered and (reason := self._enough(service, failures)):
                return reason
        if room_is_coming:
            self._pending.clear()
        return self._stuck(service, current, now)

    def _enough(self, service: Service, failures: Mapping[str, Task]) -> Reason | None:
        last = max(failures.values(), key=lambda task: str(task.get("CreatedAt", "")))
        attempts = _max_attempts(service)
        final = condition_of(service) == "none" or 0 < attempts < len(failures)
        reason = reason_of_task(service, last, 1 if final else max(2, len(failures)))
        patience = _PATIENCE.get(reason.cause, self.limits.crashes)
        return reason if final or len(failures) >= patience else None

    def _stuck(self, service: Service, current: Sequence[Task], now: float) -> Reason | None:
        """A task for which there is no node, for longer than the grace."""
        for task in current:
            if state_of(task) != "pending" or not task.get("Status", {}).get("Err") or not is_wanted(task):
                self._pending.pop(task["ID"], None)
                continue
            since = self._pending.setdefault(task["ID"], now)
            if now - since >= self.limits.pending_grace:
                return reason_of_task(service, task)
        if kind_of(service) in {"Global", "GlobalJob"} and not current:
            name = service["Spec"]["Name"]
            if now - self._empty.setdefault(name, now) >= self.limits.pending_grace:
                reason = reason_without_task(service, (), self._nodes)
                return reason if reason.cause != "no_task" else None
        return None

    def _has_settled(self, service: Service, own: Sequence[Task], now: float) -> bool:
        name = service["Spec"]["Name"]
        if not _is_complete(service, own, name in self.touched):
            self._since.pop(name, None)
            return False
        since = self._since.setdefault(name, now)
        needs_hold = name in self.touched and replicas_of(service) > 0 and not is_job(service)
        if _asks_for_monitor(service) and name in self.touched:
            return (service.get("UpdateStatus") or {}).get("State") in {None, "completed"}
        return not needs_hold or _has_health_check(service) or now - since >= self.limits.hold


def _is_complete(service: Service, own: Sequence[Task], touched: bool) -> bool:
    """Whether as many tasks run (or have ended well) as should, and no former one is left."""
    current = current_tasks(service, own)
    wanted = replicas_of(service)
    ids = {task["ID"] for task in current}
    if is_job(service):
        done = {slot_of(task) for task in current if state_of(task) == "complete"}
        return len(done) >= (wanted if kind_of(service) == "ReplicatedJob" else max(wanted, 1))
    good = {
        slot_of(task)
        for task in current
        if state_of(task) == "running" and task.get("DesiredState") == "running"
    }
    if condition_of(service) != "any":
        good |= {slot_of(task) for task in current if state_of(task) == "complete"}
    if kind_of(service) == "Global":
        wanted = max(1, len({slot_of(task) for task in current if task.get("DesiredState") == "running"}))
    former = [task for task in own if task["ID"] not in ids and task.get("DesiredState") == "running"]
    if wanted == 0 and any(map(_is_leaving, own)):
        return False
    return len(good) >= wanted and not former and (wanted > 0 or not good)


def _is_leaving(task: Task) -> bool:
    """Whether a task is being stopped: it holds its port and its memory until it has ended."""
    return not is_wanted(task) and state_of(task) not in ENDED


def _max_attempts(service: Service) -> int:
    policy = service["Spec"].get("TaskTemplate", {}).get("RestartPolicy") or {}
    return int(policy.get("MaxAttempts") or 0)


def _has_health_check(service: Service) -> bool:
    container = service["Spec"]["TaskTemplate"].get("ContainerSpec") or {}
    test = (container.get("Healthcheck") or {}).get("Test") or ["NONE"]
    return bool(test[0] != "NONE")


def _asks_for_monitor(service: Service) -> bool:
    """Whether the document names a monitor time, so that an update is only done when the engine says so."""
    update = service.get("UpdateStatus")
    return bool(update) and bool((service["Spec"].get("UpdateConfig") or {}).get("Monitor"))
