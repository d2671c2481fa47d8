# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment asks of the swarm: the sidecar's `resources`, filled with its parameters. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .spec import Configuration

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Needs:
    """What one container of the service takes of one node, and what it takes of the swarm."""

    cpu_limit: float = 0.0  # cores; a node with fewer refuses the container
    cpu: float = 0.0  # cores that are set aside
    memory: int = 0  # bytes that are set aside
    gpus: int = 0
    gpu_name: str = ""  # the generic resource of the nodes
    ports: tuple[int, int] | None = None  # the first and last that may be published; one is taken
    image: str = ""
    constraints: tuple[str, ...] = ()  # as in `docker service create --constraint`
    parameters: Mapping[str, str] = field(default_factory=dict)  # kind of resource to parameter


def read_needs(configuration: Configuration, given: Mapping[str, Any]) -> Needs | None:
    """The needs of a deployment with the parameters `given` (by public name; the rest are defaults).

    None if the configuration does not say what it takes.
    """
    if not configuration.resources:
        return None
    install = configuration.phases.get("install")
    fields = (*install.fields, *install.operator_fields) if install else ()
    values = {f.name: f.default for f in fields if f.default is not None} | dict(given)
    found: dict[str, Any] = {}
    for resource in configuration.resources:
        amount = values.get(resource.parameter)
        part = float(values.get(resource.reserved, 1) or 0) if resource.reserved else 1.0
        if resource.kind == "image":
            found["image"] = resource.name.format_map(values)
        elif amount is None:
            continue
        elif resource.kind == "cpu":
            found["cpu_limit"], found["cpu"] = float(amount), float(amount) * part
        elif resource.kind == "memory":
            found["memory"] = int(float(amount) * _MIB * part)
        elif resource.kind == "gpu":
            found["gpus"], found["gpu_name"] = int(amount), resource.name
        elif resource.kind == "ports" and len(amount) == 2:
            found["ports"] = (int(amount[0]), int(amount[1]))
        elif resource.kind == "constraints":
            found["constraints"] = tuple(map(str, amount))
    return Needs(**found, parameters={r.kind: r.parameter for r in configuration.resources})
