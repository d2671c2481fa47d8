# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the nodes of a swarm have, whether or not anybody uses it. Pure.

Format: https://docs.docker.com/reference/api/engine/version/v1.41/ (NodeList).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class NodeSeen:
    """A node as a manager shows it."""

    node: str  # its id
    name: str  # of its host
    cpu: int  # billionths of a core
    memory: int  # bytes
    gpu: int  # pieces
    up: bool  # it answers the managers


def read_nodes(nodes: Iterable[Mapping[str, Any]]) -> list[NodeSeen]:
    """The nodes that have said what they have, from what the Engine lists, by id."""
    found = []
    for node in nodes:
        about = node.get("Description") or {}
        has = about.get("Resources")
        if not has:  # one that is joining has not said anything yet
            continue
        found.append(
            NodeSeen(
                node=node["ID"],
                name=str(about.get("Hostname", "")),
                cpu=int(has.get("NanoCPUs") or 0),
                memory=int(has.get("MemoryBytes") or 0),
                gpu=sum(count_gpus(generic) for generic in has.get("GenericResources") or ()),
                up=(node.get("Status") or {}).get("State") == "ready",
            )
        )
    return sorted(found, key=lambda seen: seen.node)


def count_gpus(generic: Mapping[str, Any]) -> int:
    """How many GPUs a generic resource is: its kind has `gpu` in its name, otherwise none."""
    discrete, named = generic.get("DiscreteResourceSpec") or {}, generic.get("NamedResourceSpec") or {}
    if "gpu" in str(discrete.get("Kind", "")).lower():
        return int(discrete.get("Value") or 0)
    return int("gpu" in str(named.get("Kind", "")).lower())
