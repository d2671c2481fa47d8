"""A stack on the nodes, and what its tasks do."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._stack.outcome import Outcome
from tests.integration.stack_helpers import service, stack_module
from tests.nodes.swarm_nodes import SwarmNodes

#: How long the slow service takes to become healthy.
SLOW_SECONDS = 4


class NodeStack:
    """Calls of swarm_stack for one stack, with the manager of `nodes` as engine."""

    def __init__(self, nodes: SwarmNodes, name: str) -> None:
        self.nodes, self.name = nodes, name

    def deploy(self, *, check_mode: bool = False, options: Any = None, **services: Any) -> Outcome:
        """Deploy services, each a mapping of keys; `options` are those of the module."""
        given = {**self.nodes.connection(), **(options or {})}
        return stack_module(self.name, {"services": services}, check_mode=check_mode, **given)

    def remove(self, **options: Any) -> Outcome:
        """Remove the stack."""
        return stack_module(self.name, state="absent", **self.nodes.connection(), **options)

    def clear(self) -> None:
        """Have the services removed, without waiting until they are gone."""
        for found in self.nodes.client().services.list(filters={"name": f"{self.name}_"}):
            found.remove()

    def tasks(self, name: str) -> list[dict[str, Any]]:
        """All tasks of a service; none if it is not there."""
        found = self.nodes.client().services.list(filters={"name": f"{self.name}_{name}"})
        return [task for each in found for task in each.tasks()]

    def places(self, name: str) -> Counter[str]:
        """How many tasks of a service run on each node, and are to run there."""
        by_id = {node.id: node.attrs["Description"]["Hostname"] for node in self.nodes.client().nodes.list()}
        return Counter(
            by_id[task["NodeID"]]
            for task in self.tasks(name)
            if task["DesiredState"] == "running" and task["Status"]["State"] == "running"
        )


def placed(*constraints: str, replicas: int = 1, **keys: Any) -> dict[str, Any]:
    """A service with these constraints."""
    return service(deploy={"replicas": replicas, "placement": {"constraints": list(constraints)}}, **keys)


def slow(**keys: Any) -> dict[str, Any]:
    """A service that is healthy only some seconds after its start."""
    script = f"sleep {SLOW_SECONDS}; echo > /tmp/ready; exec sleep 100000"
    check = {"test": ["CMD", "cat", "/tmp/ready"], "interval": "1s", "retries": 60}
    return service(**{"command": ["sh", "-c", script], "healthcheck": check, **keys})
