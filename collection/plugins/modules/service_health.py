#!/usr/bin/python
# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: what a deployment's stack is doing, as the swarm itself says."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_health
short_description: Read the health of a stack's services from the swarm
version_added: 0.1.0
author:
  - The Labyard authors
description:
  - Reads the services of a stack, how many of their tasks run, and what they were started with.
  - Made for the service roles of this collection, which change one thing of a running service and
    keep the rest.
options:
  stack:
    description:
      - Name of the stack.
    type: str
    required: true
extends_documentation_fragment:
  - labyard.platform.docker
attributes:
  check_mode:
    support: full
    description: Nothing is changed.
  action_group:
    support: full
    description: Use C(group/labyard.platform.docker) in C(module_defaults) to set the connection once.
  diff_mode:
    support: none
    description: Nothing is changed.
"""

EXAMPLES = r"""
- name: Look at the stack demo
  labyard.platform.service_health:
    stack: demo
  register: demo

- name: Show its health
  ansible.builtin.debug:
    var: demo.health
"""

RETURN = r"""
health:
  description:
    - V(missing) without any service, V(stopped) when none is wanted or all have ended by themselves
      without an error, V(running) when as many tasks run as are wanted, else V(degraded).
  returned: success
  type: str
  choices: [running, stopped, degraded, missing]
services:
  description:
    - The services by their name in the stack, each with what it was started with.
    - C(pins) are the constraints that name a node, see M(labyard.platform.service_pin).
    - C(volumes) has C(driver) and C(driver_opts) by name of a volume, empty for one on its node.
    - Text in C(environment) that O(labyard.platform.swarm_stack#module:templates=literal) has made safe is
      shown as the containers see it.
  returned: success
  type: dict
  sample:
    notebook:
      image: labyard/notebook-minimal:3f1c9a2b7d04
      replicas: 1
      running: 1
      ended: false
      environment: {}
      cpu_limit: 1.0
      memory_limit: 1024
      pins: []
      ports: [20000]
      secrets: {token: demo_token}
      volumes: {demo_home: {}}
volumes:
  description: Names of the stack's volumes on the engine that was asked.
  returned: success
  type: list
  elements: str
"""

from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._stack.engine import (
    connect_engine,
    docker_argument_spec,
)
from ansible_collections.labyard.platform.plugins.module_utils._stack.module import run_module
from ansible_collections.labyard.platform.plugins.module_utils._stack.pin import pins_of
from ansible_collections.labyard.platform.plugins.module_utils._stack.ports import STACK_LABEL, read_volumes
from ansible_collections.labyard.platform.plugins.module_utils._stack.templates import unescape_templates

IMAGE_LABEL = "com.docker.stack.image"
_NANO = 1_000_000_000
_MEBI = 1024 * 1024


def read_stack(api: Any, stack: str) -> dict[str, Any]:
    """The document that this module returns, for `stack`. `api` is the engine of a manager."""
    wanted = {"label": [f"{STACK_LABEL}={stack}"]}
    services = {}
    for service in api.get("/services", {"status": "true", "filters": wanted}):
        state = describe_service(service)
        if state["running"] < state["replicas"]:
            tasks = api.get("/tasks", {"filters": {"service": [service["ID"]]}})
            state["ended"] = ended_by_itself(tasks)
        services[service["Spec"]["Name"].removeprefix(f"{stack}_")] = state
    return {
        "health": judge_health(list(services.values())),
        "services": services,
        "volumes": read_volumes(api, stack),
    }


def describe_service(service: dict[str, Any]) -> dict[str, Any]:
    """What matters of a service object of the Engine API: CPU in cores, memory in MiB."""
    spec = service["Spec"]
    template = spec["TaskTemplate"]
    container = template["ContainerSpec"]
    limits = (template.get("Resources") or {}).get("Limits") or {}
    status = service.get("ServiceStatus") or {}
    ports = (spec.get("EndpointSpec") or {}).get("Ports") or ()
    return {
        "image": (spec.get("Labels") or {}).get(IMAGE_LABEL) or container["Image"],
        "replicas": status.get("DesiredTasks", 0),
        "running": status.get("RunningTasks", 0),
        "ended": False,
        "environment": _environment(container.get("Env") or []),
        "cpu_limit": limits.get("NanoCPUs", 0) / _NANO,
        "memory_limit": limits.get("MemoryBytes", 0) // _MEBI,
        "pins": pins_of(spec),
        "ports": sorted(port["PublishedPort"] for port in ports if port.get("PublishedPort")),
        "secrets": {
            secret["File"]["Name"]: secret["SecretName"]
            for secret in container.get("Secrets") or ()
            if secret.get("File")
        },
        "volumes": {
            mount["Source"]: _driver(mount)
            for mount in container.get("Mounts") or ()
            if mount["Type"] == "volume" and mount.get("Source")
        },
    }


def _driver(mount: dict[str, Any]) -> dict[str, Any]:
    """Driver and options of a volume as a compose file has them; empty if the service names none."""
    config = (mount.get("VolumeOptions") or {}).get("DriverConfig") or {}
    if not config.get("Options"):
        return {}
    return {"driver": config.get("Name") or "local", "driver_opts": config["Options"]}


def _environment(entries: list[str]) -> dict[str, str]:
    """The values as the containers see them, where the swarm fills in nothing of its own."""
    pairs = (entry.split("=", 1) for entry in entries if "=" in entry)
    return {name: unescape_templates(value) for name, value in pairs}


def ended_by_itself(tasks: list[dict[str, Any]]) -> bool:
    """Whether the newest of `tasks` ended without an error, so that the swarm starts no other."""
    newest = max(tasks, key=lambda task: task["CreatedAt"], default=None)
    return newest is not None and newest["Status"]["State"] == "complete"


def judge_health(services: list[dict[str, Any]]) -> str:
    """One word for all services together."""
    if not services:
        return "missing"
    if all(service["replicas"] == 0 or service["ended"] for service in services):
        return "stopped"
    if all(service["running"] >= service["replicas"] for service in services):
        return "running"
    return "degraded"


def argument_spec() -> dict[str, Any]:
    """The options, see DOCUMENTATION."""
    return {**docker_argument_spec(), "stack": {"type": "str", "required": True}}


def run(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Look at the stack; the result is the module's.

    Raises StackError with a sentence for the person who reads it.
    """
    return {"changed": False, **read_stack(connect_engine(options), options["stack"])}


def main() -> None:
    """Run the module."""
    run_module(argument_spec(), run)


if __name__ == "__main__":
    main()
