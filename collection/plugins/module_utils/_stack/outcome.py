# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call did, as it is returned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What was done to a stack, and what there is now."""

    changed: bool
    message: str
    actions: list[dict[str, str]] = field(default_factory=list)
    services: list[dict[str, Any]] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=dict)  # for the diff: "kind name" -> readable form
    after: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def describe_service(service: Mapping[str, Any], replicas: int, running: int) -> dict[str, Any]:
    """One service as it is returned."""
    ports = (service["Spec"].get("EndpointSpec") or {}).get("Ports") or []
    return {
        "name": service["Spec"]["Name"],
        "id": service["ID"],
        "image": service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"],
        "replicas": replicas,
        "running": running,
        "ports": [
            {
                "target": port.get("TargetPort"),
                "published": port.get("PublishedPort") or None,
                "protocol": port.get("Protocol", "tcp"),
                "mode": port.get("PublishMode", "ingress"),
            }
            for port in ports
        ],
    }
