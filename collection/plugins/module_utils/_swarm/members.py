# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a manager for the nodes of its swarm, and change them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from .._stack.errors import NotFound, OutOfSequence, StackError
from .._stack.nodes import name_of
from .._stack.tasks import ENDED, state_of
from .membership import Node, Wanted, check_quorum, check_struck_off, find_node, spec_for

_TRIES = 10


class StillBusy(StackError):
    """A node still has tasks that should have moved."""


class Api(Protocol):
    """The part of `engine.Engine` that is needed here."""

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any: ...

    def post(self, path: str, body: Any = None, params: Mapping[str, Any] | None = None) -> Any: ...

    def delete(self, path: str, params: Mapping[str, Any] | None = None) -> None: ...


def list_nodes(api: Api) -> list[Node]:
    """The nodes of the swarm, as the managers see them."""
    nodes: list[Node] = api.get("/nodes")
    return nodes


def change_node(api: Api, name: str, wanted: Wanted, dry_run: bool = False) -> tuple[Node, Node]:
    """Make a node what it is to be; the node before and after.

    Somebody else may change it at the same time: then it is read and changed again.

    :raises StackError: there is no such node, it may not stop being a manager, or the engine refuses
    """
    for turn in range(_TRIES):
        nodes = list_nodes(api)
        node = find_node(nodes, name)
        spec = spec_for(node, wanted)
        if spec == node["Spec"]:
            return node, node
        if spec.get("Role") == "worker":
            check_quorum(nodes, node)
        after = {**node, "Spec": spec}
        if dry_run:
            return node, after
        try:
            api.post(f"/nodes/{node['ID']}/update", spec, {"version": node["Version"]["Index"]})
            return node, after
        except OutOfSequence:
            if turn == _TRIES - 1:
                raise
    raise AssertionError("unreachable")


def strike_off(api: Api, name: str, dry_run: bool = False) -> Node | None:
    """Take a node that is down off the swarm's list; None if there is none of this name.

    :raises StackError: it still answers, it may not stop being a manager, or the engine refuses
    """
    nodes = list_nodes(api)
    if not any(name in (node["ID"], name_of(node)) for node in nodes):
        return None
    node = find_node(nodes, name)
    check_struck_off(node)
    check_quorum(nodes, node)
    if not dry_run:
        if node["Spec"].get("Role") == "manager":
            change_node(api, str(node["ID"]), Wanted(role="worker"))
        _delete(api, node)
    return node


def _delete(api: Api, node: Node) -> None:
    """A manager that was just demoted is refused for a moment, until all managers know."""
    deadline = time.monotonic() + 30
    while True:
        try:
            api.delete(f"/nodes/{node['ID']}", {"force": "true"})
            return
        except NotFound:
            return
        except StackError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def wait_until_empty(api: Api, node: Node, seconds: float) -> None:
    """Wait until no task runs on a node.

    :raises StillBusy: after ``seconds``, with the services that are still there
    """
    deadline = time.monotonic() + seconds
    while busy := tasks_on(api, node):
        if time.monotonic() > deadline:
            names = ", ".join(sorted(_services(api, busy)))
            raise StillBusy(
                f"After {seconds:g} seconds {name_of(node)} still runs {names}. Look at what they wait for "
                f"with docker node ps {name_of(node)}, or give wait_timeout more."
            )
        time.sleep(0.5)


def tasks_on(api: Api, node: Node) -> list[Mapping[str, Any]]:
    """The tasks on a node that have not ended."""
    tasks = api.get("/tasks", {"filters": {"node": [node["ID"]]}})
    return [task for task in tasks if state_of(task) not in ENDED]


def _services(api: Api, tasks: Sequence[Mapping[str, Any]]) -> set[str]:
    names = {service["ID"]: service["Spec"]["Name"] for service in api.get("/services")}
    return {names.get(task.get("ServiceID"), "a task of no service") for task in tasks}
