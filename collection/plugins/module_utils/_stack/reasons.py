# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a service does not run, in words, told from its tasks. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .tasks import Service, Task, state_of


@dataclass(frozen=True)
class Reason:
    """Why one service does not run."""

    service: str
    #: image_missing, port_taken, resources, constraints, node_unavailable, platform, addresses,
    #: mount_missing, rejected, crash_loop, ended, unhealthy, rolled_back, paused, pulling, starting, pending,
    #: no_task, not_updated, stopping or unknown
    cause: str
    message: str  # one or two sentences: cause, what to do
    task: str = ""  # id of the task that shows it
    task_error: str = ""
    exit_code: int | None = None
    node: str = ""
    log: tuple[str, ...] = ()  # the last lines the task wrote

    def as_dict(self) -> dict[str, Any]:
        """The reason as it is returned."""
        result = {
            key: getattr(self, key)
            for key in ("service", "cause", "message", "task_error", "exit_code", "node")
        }
        return {**result, "log": list(self.log)}

    def sentence(self) -> str:
        """The message with the last line of the log."""
        return f'{self.message} Its last words: "{self.log[-1].strip()[:300]}".' if self.log else self.message


#: (pattern in the error of a task, cause, words after "Service x "). ``{1}`` is the first group.
_ERRORS: tuple[tuple[str, str, str], ...] = (
    (
        r"no such image:? *([^\s,]+)?|(?:pull access denied|repository does not exist|manifest unknown)",
        "image_missing",
        "cannot start: the image {image} is not there; build or load it on the node, or correct its name.",
    ),
    (
        r"host-mode port already in use",
        "port_taken",
        "cannot be placed: its published port {ports} is taken on every node by {holder}.",
    ),
    (
        r"(?:address already in use|port is already allocated)",
        "port_taken",
        "cannot start: its published port {ports} is taken on the node; "
        "choose another port, or stop what holds it.",
    ),
    (
        r"insufficient resources",
        "resources",
        "cannot be placed: no node has {resources} free; ask for less, or add a node or stop something.",
    ),
    (
        r"max replicas per node limit exceed",
        "constraints",
        "cannot be placed: every node has as many replicas as max_replicas_per_node allows; "
        "add a node or raise it.",
    ),
    (
        r"scheduling constraints not satisfied",
        "constraints",
        "cannot be placed: no node meets its constraints ({constraints}); correct them, or label a node.",
    ),
    (
        r"unsupported platform",
        "platform",
        "cannot be placed: no node has the platform of the image {image}; "
        "use an image for the nodes' platform.",
    ),
    (
        r"missing plugin",
        "constraints",
        "cannot be placed: a volume, network or log driver it needs is on no node; install the plugin.",
    ),
    (
        r"no available i?p(?:v4)? addresses|could not find an available|pool.*exhausted"
        r"|node is missing network attach",
        "addresses",
        "cannot start: the addresses of its network are used up; give the network a larger subnet.",
    ),
    (
        r"bind source path does not exist: *(\S+)",
        "mount_missing",
        "cannot start: the path {1} to be mounted is not on the node; create it there.",
    ),
    (
        r"unhealthy container",
        "unhealthy",
        "starts, but its health check fails; "
        "see its log, and check the test or give it a longer start_period.",
    ),
    (
        r"no suitable node",
        "pending",
        "cannot be placed on any node ({error}); check 'docker node ls' and the placement of the service.",
    ),
)
_COMMAND_MISSING = re.compile(
    r'exec: \\?"([^"\\]+)\\?": (?:executable file not found|stat .*no such file|permission denied)'
)


def reason_of_task(service: Service, task: Task, times: int = 1) -> Reason:
    """Why a task ended or waits.

    :param times: how often tasks of its slot have ended so
    """
    status = task.get("Status", {})
    error = str(status.get("Err") or "")
    exit_code = (status.get("ContainerStatus") or {}).get("ExitCode")
    found = Reason(
        service=service["Spec"]["Name"],
        cause="unknown",
        message="",
        task=str(task.get("ID", "")),
        task_error=error,
        exit_code=exit_code if state_of(task) in {"failed", "complete"} else None,
        node=str(task.get("NodeID", "")),
    )
    cause, words = _words(service, task, error, found.exit_code, times)
    return replace(found, cause=cause, message=f"Service {found.service} {words}")


def _words(service: Service, task: Task, error: str, exit_code: int | None, times: int) -> tuple[str, str]:
    facts = _facts(service, error)
    for pattern, cause, words in _ERRORS:
        match = re.search(pattern, error, re.IGNORECASE)
        if match:
            return cause, words.replace("{1}", (match.groups() or ("",))[0] or "").format(**facts)
    missing = _COMMAND_MISSING.search(error)
    if missing:
        return (
            "rejected",
            f"cannot start: its command {missing[1]} is not in the image or cannot be run; correct it.",
        )
    if state_of(task) == "rejected":
        return "rejected", f"cannot start: the node refuses it ({error}); correct the service."
    if state_of(task) in {"failed", "complete"}:
        if exit_code == 137 and "non-zero exit (137)" in error:
            killed = " (killed, most often for want of memory: raise its memory limit)"
        else:
            killed = ""
        if error and not error.startswith("task: non-zero exit"):
            return "rejected", f"cannot start: {error}; correct the service."
        ended = f"ends with exit code {exit_code or 0}{killed}"
        if times > 1:
            return "crash_loop", f"{ended} again and again; see its log for the cause."
        return "ended", f"{ended} and is not started again; see its log for the cause."
    return _waiting_words(task, error)


def _waiting_words(task: Task, error: str) -> tuple[str, str]:
    state = state_of(task)
    if state == "new":
        return (
            "addresses",
            "gets no address: those of its network may be used up; give the network a larger subnet.",
        )
    if state == "pending":
        return "pending", f"waits for a node{f' ({error})' if error else ''}; check 'docker node ls'."
    if state == "preparing":
        return (
            "pulling",
            "is still fetching its image; wait longer (wait_timeout) or load the image beforehand.",
        )
    if state in {"starting", "ready"}:
        return (
            "starting",
            "has started, but its health check has not passed yet; wait longer or check the test.",
        )
    return "unknown", f"is in the state {state}{f' ({error})' if error else ''}."


def _facts(service: Service, error: str) -> dict[str, str]:
    template = service["Spec"].get("TaskTemplate", {})
    ports = (service["Spec"].get("EndpointSpec") or {}).get("Ports") or []
    wanted = (template.get("Resources") or {}).get("Reservations") or {}
    start_first = (service["Spec"].get("UpdateConfig") or {}).get("Order") == "start-first"
    holder = "another service; choose another port"
    if start_first:
        holder = (
            "its own former container or another service; use update_config.order stop-first or another port"
        )
    resources = []
    if wanted.get("MemoryBytes"):
        resources.append(f"{wanted['MemoryBytes'] / 2**20:.0f} MiB of memory")
    if wanted.get("NanoCPUs"):
        resources.append(f"{wanted['NanoCPUs'] / 1e9:g} CPUs")
    if wanted.get("GenericResources"):
        resources.append("its generic resources")
    return {
        "image": str(template.get("ContainerSpec", {}).get("Image", "")),
        "ports": ", ".join(str(port["PublishedPort"]) for port in ports if port.get("PublishedPort")),
        "resources": " and ".join(resources) or "what it reserves",
        "constraints": ", ".join((template.get("Placement") or {}).get("Constraints") or []) or "placement",
        "error": error,
        "holder": holder,
    }


def reason_of_update(service: Service, tasks: Sequence[Task]) -> Reason:
    """Why the engine has stopped or taken back an update."""
    status: Mapping[str, Any] = service.get("UpdateStatus") or {}
    state = str(status.get("State", ""))
    name = service["Spec"]["Name"]
    done = "taken back" if state.startswith("rollback") else "stopped"
    message = f"The update of service {name} was {done} by the engine: {status.get('Message', state)}."
    cause = "rolled_back" if state.startswith("rollback") else "paused"
    failed = [task for task in tasks if state_of(task) in {"failed", "rejected"}]
    if not failed:
        return Reason(name, cause, message)
    # the spec may be the old one again, so the task's own is what failed
    last = max(failed, key=lambda task: str(task.get("CreatedAt", "")))
    own = {**service, "Spec": {**service["Spec"], "TaskTemplate": last.get("Spec", {})}}
    why = reason_of_task(own, last, len(failed))
    return replace(
        why, cause=why.cause if why.cause != "unknown" else cause, message=f"{message} {why.message}"
    )
