# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stack is: the objects of the swarm as the engine gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .desired import NAMESPACE

Objects = dict[str, dict[str, Any]]  # the engine's JSON, by name


@dataclass(frozen=True)
class LiveStack:
    """A stack as it is. Every object carries the label of the stack, but for ``*_external``."""

    services: Objects = field(default_factory=dict)
    networks: Objects = field(default_factory=dict)
    secrets: Objects = field(default_factory=dict)
    configs: Objects = field(default_factory=dict)
    all_networks: Objects = field(default_factory=dict)  # the swarm's and this machine's
    all_secrets: Objects = field(default_factory=dict)
    all_configs: Objects = field(default_factory=dict)

    @property
    def network_names(self) -> dict[str, str]:
        """Names of networks by id."""
        return {network["Id"]: name for name, network in self.all_networks.items()}


def labels_of(item: Mapping[str, Any]) -> dict[str, str]:
    """Labels of a network, service, secret or config."""
    return item.get("Labels") or (item.get("Spec") or {}).get("Labels") or {}


def identity_of(item: Mapping[str, Any] | None) -> str:
    """The id of a network, service, secret or config."""
    found = item or {}
    return str(found.get("ID") or found.get("Id") or "")


def of_stack(objects: Objects, stack: str) -> Objects:
    """The objects that belong to a stack."""
    return {name: item for name, item in objects.items() if labels_of(item).get(NAMESPACE) == stack}
