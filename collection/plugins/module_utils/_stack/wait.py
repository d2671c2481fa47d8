# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting on the swarm: until services run, until tasks and networks are gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from .client import SwarmClient
from .errors import NotConverged, StackError
from .live import Objects
from .lookout import Lookout
from .nodes import Node, name_of, without_lost
from .reasons import Reason
from .tasks import ENDED, Task, state_of
from .watch import Limits, Watch

LOG_LINES = 10
#: Seconds between two looks at the nodes, and before the first: most stacks run by then.
NODES_EVERY = 1.0


def wait_until_converged(
    client: SwarmClient,
    stack: str,
    names: Collection[str],
    *,
    timeout: float,
    limits: Limits,
    touched: Collection[str] = (),
    known: Collection[str] = (),
    hide: Sequence[str] = (),
) -> Objects:
    """Wait until the services ``names`` of a stack all run, returning the services as they are then.

    :param timeout: seconds for all of them together
    :param touched: those that were just created or updated
    :param known: ids of tasks that had ended before
    :param hide: texts that must not be shown, as in the log of a task
    :raises NotConverged: with a reason for each service that does not run
    """
    lookout = Lookout(lambda: client.events(stack))
    try:
        return _watch(client, stack, Watch(names, limits, touched, set(known)), timeout, lookout, hide)
    finally:
        lookout.close()


def _watch(
    client: SwarmClient, stack: str, watch: Watch, timeout: float, lookout: Lookout, hide: Sequence[str]
) -> Objects:
    nodes: Sequence[Node] = ()
    nodes_read = time.monotonic()
    end = nodes_read + timeout
    while True:
        services = client.services(stack)
        tasks: list[Task] = list(client.tasks(stack))
        now = time.monotonic()
        if now - nodes_read >= NODES_EVERY:
            nodes, nodes_read = client.nodes(), now
        look = watch.look(services, tasks, now, nodes)
        if look.converged:
            # the tasks were read after the services, whose own counts can be of the moment before
            return client.services(stack) if watch.touched else services
        if look.failed:
            raise _not_converged(client, look.failed, hide)
        if now >= end:
            late = [watch.why_waiting(services[name], tasks) for name in look.waiting]
            late = [replace(reason, message=f"{reason.message} ({timeout:g} s are over.)") for reason in late]
            raise _not_converged(client, late, hide)
        lookout.pause(min(end - now, watch.next_settling(now)))


def wait_until_gone(client: SwarmClient, stack: str, timeout: float) -> list[str]:
    """Wait until no task of a removed stack is left.

    :returns: names of nodes that are down and have containers of the stack; those end when it comes back
    :raises StackError: after ``timeout`` seconds
    """

    left: list[Task] = []

    def gone() -> bool:
        left[:] = unended_tasks(client, stack)
        return not left

    lookout = Lookout(lambda: client.events(stack))
    try:
        in_time = poll(gone, timeout, lookout)
    finally:
        lookout.close()
    if not in_time:
        raise StackError(
            f"{len(left)} containers of the stack {stack} have not stopped within {timeout:g} s; "
            "raise wait_timeout, or lower their stop_grace_period."
        )
    holders = {task["NodeID"] for task in _held_tasks(client, stack)}
    return sorted(name_of(node) for node in client.nodes() if node["ID"] in holders) if holders else []


def unended_tasks(client: SwarmClient, stack: str) -> list[Task]:
    """Tasks of a stack that still hold something, as far as it can be known.

    Of a removed job the swarm keeps the tasks: those that have ended, and those that never got a node.
    A node that is down cannot say that its tasks have ended.
    """
    tasks = _held_tasks(client, stack)
    if not tasks:
        return []
    return [task for task in without_lost(tasks, client.nodes()) if state_of(task) not in ENDED]


def _held_tasks(client: SwarmClient, stack: str) -> list[Task]:
    return [task for task in client.tasks(stack) if state_of(task) not in ENDED and task.get("NodeID")]


def poll(condition: Callable[[], bool], timeout: float, lookout: Lookout | None = None) -> bool:
    """Ask ``condition`` until it is true; False if it is not within ``timeout`` seconds."""
    lookout = lookout or Lookout()
    end = time.monotonic() + timeout
    while not condition():
        left = end - time.monotonic()
        if left <= 0:
            return False
        lookout.pause(left)
    return True


def _not_converged(client: SwarmClient, reasons: Sequence[Reason], hide: Sequence[str]) -> NotConverged:
    """The error, with logs and names of nodes filled in for the first few services."""
    full = []
    for index, reason in enumerate(reasons):
        if index < 5:
            wants_log = reason.task and reason.cause in {"crash_loop", "ended", "unhealthy", "starting"}
            lines = client.task_log(reason.task, LOG_LINES) if wants_log else []
            reason = replace(
                reason,
                node=client.node_name(reason.node) if reason.node else "",
                log=tuple(_hide(line, hide) for line in lines),
            )
        full.append(reason)
    message = " ".join(reason.sentence() for reason in full[:3])
    if len(full) > 3:
        message += f" {len(full) - 3} more services do not run either."
    return NotConverged(message, [reason.as_dict() for reason in full])


def _hide(line: str, hide: Sequence[str]) -> str:
    for text in hide:
        line = line.replace(text, "********")
    return line
