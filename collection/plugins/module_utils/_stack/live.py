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
    hidden_networks: dict[str, str] = field(default_factory=dict)  # names by id: host and its kin, not listed

    @property
    def network_names(self) -> dict[str, str]:
        """Names of networks by id."""
        names = {network["Id"]: name for name, network in self.all_networks.items()}
        return {**self.hidden_networks, **names}


def labels_of(item: Mapping[str, Any]) -> dict[str, str]:
    """Labels of a network, service, secret or config."""
    return item.get("Labels") or (item.get("Spec") or {}).get("Labels") or {}


def identity_of(item: Mapping[str, Any] | None) -> str:
    """The id of a network, service, secret or config."""
    found = item or {}
    return str(found.get("ID") or found.get("Id") or "")


def network_options(network: Mapping[str, Any]) -> dict[str, str]:
    """The driver options of a live network that somebody has asked for; the engine adds one of its own."""
    options: Mapping[str, str] = network.get("Options") or {}
    return {key: value for key, value in options.items() if not key.endswith(".vxlanid_list")}


def network_body(network: Mapping[str, Any]) -> dict[str, Any]:
    """The body of the call that makes a network like this live one."""
    body: dict[str, Any] = {
        key: network[key]
        for key in ("Name", "Driver", "Internal", "Attachable", "EnableIPv6", "Labels")
        if network.get(key)
    }
    pools = (network.get("IPAM") or {}).get("Config") or []
    body["IPAM"] = {
        "Driver": (network.get("IPAM") or {}).get("Driver") or "default",
        "Config": [{"Subnet": pool["Subnet"]} for pool in pools if pool.get("Subnet")],
    }
    return {**body, "Options": network_options(network), "CheckDuplicate": True}


def of_stack(objects: Objects, stack: str) -> Objects:
    """The objects that belong to a stack."""
    return {name: item for name, item in objects.items() if labels_of(item).get(NAMESPACE) == stack}
