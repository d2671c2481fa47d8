"""A service that is kept on its node, on a swarm of three: it goes on, moves nowhere, comes back."""

from __future__ import annotations

from ansible_collections.labyard.platform.plugins.modules.service_pin import run as pin
from tests.conftest import wait_until
from tests.integration.stack_helpers import service
from tests.nodes.node_stack import NodeStack
from tests.nodes.swarm_nodes import SwarmNodes


def test_service_when_kept_then_its_container_goes_on_and_it_waits_for_its_node(
    nodes: SwarmNodes, stack: NodeStack
) -> None:
    stack.deploy(web=service())
    (home,) = stack.places("web")
    (task,) = stack.tasks("web")
    options = {**nodes.connection(), "stack": stack.name, "service": "web"}
    kept = pin(options, check_mode=False)
    assert kept == {"changed": True, "constraint": f"node.hostname=={home}"}
    assert pin(options, check_mode=False) == {"changed": False, "constraint": f"node.hostname=={home}"}
    assert [each["ID"] for each in stack.tasks("web")] == [task["ID"]]

    nodes.drain(home)
    wait_until(lambda: "pending" in {each["Status"]["State"] for each in stack.tasks("web")}, 60, "it waits")
    assert not stack.places("web")
    nodes.availability(home, "active")
    wait_until(lambda: set(stack.places("web")) == {home}, 60, "it is back on its node")
    placement = {"constraints": [f"node.hostname=={home}"]}
    assert stack.deploy(web=service(deploy={"placement": placement})).actions == []
