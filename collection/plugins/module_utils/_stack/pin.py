# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Services whose data lie on one node: the swarm would start them anywhere, beside empty volumes."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from .engine import Engine
from .errors import NotFound, OutOfSequence, StackError

_TRIES = 5


def pin_service(engine: Engine, name: str, *, dry_run: bool = False) -> tuple[bool, str]:
    """Have the swarm run a service on the node where it runs now, and nowhere else from then on.

    Its container goes on: the swarm starts none anew for a constraint that its node fulfils. In a swarm
    of one node nothing is changed.

    :param name: full name of the service
    :returns: whether something was (with ``dry_run``: would be) changed, and the constraint, "" without one
    :raises StackError: there is no such service, it runs on no node or on several, or the engine refused
    """
    nodes = engine.get("/nodes")
    for _ in range(_TRIES):
        try:
            service = engine.get(f"/services/{name}")
        except NotFound as error:
            raise StackError(f"There is no service {name}: start it first, then it has a node.") from error
        held = pins_of(service["Spec"])
        if held or len(nodes) == 1:
            return False, held[0] if held else ""
        tasks = engine.get("/tasks", {"filters": {"service": [service["ID"]], "desired-state": ["running"]}})
        constraint = find_pin(name, tasks, nodes)
        if dry_run:
            return True, constraint
        try:
            _update(engine, service, constraint)
        except OutOfSequence:  # somebody changed it meanwhile
            continue
        return True, constraint
    raise StackError(f"Service {name} is being changed by others all the time: run this again.")


def pins_of(spec: Mapping[str, Any]) -> list[str]:
    """The constraints of a service's spec that name a node."""
    placement = spec["TaskTemplate"].get("Placement") or {}
    squeezed = [text.replace(" ", "") for text in placement.get("Constraints") or ()]
    return [text for text in squeezed if text.startswith(("node.hostname==", "node.id=="))]


def find_pin(name: str, tasks: Sequence[Mapping[str, Any]], nodes: Sequence[Mapping[str, Any]]) -> str:
    """The constraint that only the node of the running one of ``tasks`` fulfils.

    By host name, which a node that was set up anew has again; by id where two nodes share one.

    :raises StackError: not exactly one node runs it
    """
    running = {
        task["NodeID"] for task in tasks if task["Status"]["State"] == "running" and task.get("NodeID")
    }
    if len(running) != 1:
        where = "no node" if not running else "several nodes"
        raise StackError(f"Service {name} runs on {where}: it can be kept on its node when it runs on one.")
    (node,) = running
    names = {each["ID"]: each["Description"]["Hostname"] for each in nodes}
    hostname = names.get(node, "")
    if hostname and list(names.values()).count(hostname) == 1:
        return f"node.hostname=={hostname}"
    return f"node.id=={node}"


def _update(engine: Engine, service: Mapping[str, Any], constraint: str) -> None:
    spec = copy.deepcopy(service["Spec"])
    placement = spec["TaskTemplate"].get("Placement") or {}
    placement["Constraints"] = [*(placement.get("Constraints") or ()), constraint]
    spec["TaskTemplate"]["Placement"] = placement
    version = {"version": service["Version"]["Index"]}
    engine.post(f"/services/{service['ID']}/update", spec, params=version)
