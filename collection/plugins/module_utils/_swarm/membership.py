# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node of a swarm is to be, against what it is. Pure.

A node is the engine's JSON of it (https://docs.docker.com/reference/api/engine/ -> Node). Managers agree by
majority (https://docs.docker.com/engine/swarm/raft/), so none may go if the rest would have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._stack.errors import StackError
from .._stack.nodes import name_of

Node = Mapping[str, Any]


class NoSuchNode(StackError):
    """No node of the swarm has this name."""


class SeveralNodes(StackError):
    """Several nodes of the swarm have this name."""


class QuorumAtRisk(StackError):
    """The managers that would be left could agree on nothing."""


class NodeIsAlive(StackError):
    """A node that still answers is not struck off the list."""


@dataclass(frozen=True)
class Wanted:
    """What a node is to be; None and an empty mapping: as it is.

    :param role: manager or worker
    :param availability: active, pause or drain
    :param labels: to set
    :param label_prefix: labels that begin with this and are not in ``labels`` are taken away; empty: none are
    """

    role: str | None = None
    availability: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    label_prefix: str = ""


def find_node(nodes: Sequence[Node], name: str) -> Node:
    """The node with this id or host name; of several with one host name, the one that is not down.

    A machine that was set up anew leaves its old entry behind, which is down for ever.

    :raises NoSuchNode:
    :raises SeveralNodes:
    """
    found = [node for node in nodes if node["ID"] == name]
    found = found or [node for node in nodes if name_of(node) == name]
    alive = [node for node in found if not is_down(node)] or found
    if not alive:
        known = ", ".join(sorted(name_of(node) for node in nodes)) or "none"
        raise NoSuchNode(f"The swarm has no node {name}. Its nodes are: {known}.")
    if len(alive) > 1:
        ids = ", ".join(sorted(node["ID"] for node in alive))
        raise SeveralNodes(f"Several nodes are called {name}: {ids}. Name one of them by its id.")
    return alive[0]


def is_down(node: Node) -> bool:
    """Whether the managers have not heard of a node for too long, or it left."""
    return bool((node.get("Status") or {}).get("State") == "down")


def spec_for(node: Node, wanted: Wanted) -> dict[str, Any]:
    """The node's spec as it is to be; equal to the one that it has if nothing is to change."""
    spec = dict(node["Spec"])
    labels = dict(spec.get("Labels") or {})
    if wanted.label_prefix:
        labels = {name: text for name, text in labels.items() if not name.startswith(wanted.label_prefix)}
    changed = {
        "Labels": {**labels, **wanted.labels},
        "Role": wanted.role or spec.get("Role"),
        "Availability": wanted.availability or spec.get("Availability"),
    }
    # an absent key and an empty mapping are the same to the engine
    return {**spec, **{key: value for key, value in changed.items() if value or spec.get(key)}}


def check_quorum(nodes: Sequence[Node], leaving: Node) -> None:
    """Check that the managers can still agree when ``leaving`` is none of them any more.

    :raises QuorumAtRisk: with what to do first
    """
    if not _is_manager(leaving):
        return
    rest = [node for node in nodes if _is_manager(node) and node["ID"] != leaving["ID"]]
    reachable = [node for node in rest if _reachable(node)]
    if not rest:
        raise QuorumAtRisk(
            f"{name_of(leaving)} is the only manager, and a swarm without one is no more. Make another node "
            "a manager first."
        )
    if len(reachable) <= len(rest) // 2:
        away = ", ".join(sorted(name_of(node) for node in rest if not _reachable(node)))
        raise QuorumAtRisk(
            f"Without {name_of(leaving)}, {len(reachable)} of {len(rest)} managers could be reached. That is "
            "no majority: they could agree on nothing. "
            f"Bring back {away}, or make other nodes managers, first."
        )


def check_struck_off(node: Node) -> None:
    """Check that a node may be struck off the list.

    :raises NodeIsAlive:
    """
    if not is_down(node):
        raise NodeIsAlive(
            f"{name_of(node)} still answers the managers. Let it leave the swarm first, on it with "
            "docker swarm leave; then it can be struck off."
        )


def _is_manager(node: Node) -> bool:
    return bool(node["Spec"].get("Role") == "manager")


def _reachable(node: Node) -> bool:
    return bool((node.get("ManagerStatus") or {}).get("Reachability") == "reachable")
