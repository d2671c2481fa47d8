"""Where swarm_stack's services run on a swarm of three nodes, and what it says when they cannot."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import NotConverged
from tests.integration.stack_helpers import service
from tests.nodes.node_stack import NodeStack, placed
from tests.nodes.swarm_nodes import SwarmNodes


def assert_no_change(stack: NodeStack, **services: Any) -> None:
    """Neither check mode nor a second run finds anything to do."""
    assert stack.deploy(check_mode=True, **services).actions == []
    assert stack.deploy(**services).actions == []


def test_spread_over_labels_then_tasks_on_all_nodes_and_even_by_label(
    nodes: SwarmNodes, stack: NodeStack
) -> None:
    for name, zone in (("node1", "a"), ("node2", "b"), ("node3", "b")):
        nodes.label(name, zone=zone)
    placement = {"preferences": [{"spread": "node.labels.zone"}]}
    web = service(deploy={"replicas": 8, "placement": placement})
    assert stack.deploy(web=web).services[0]["running"] == 8
    # without the preference it would be three and three and two
    assert stack.places("web") == {"node1": 4, "node2": 2, "node3": 2}
    assert_no_change(stack, web=web)


def test_constraint_then_only_where_it_is_met(nodes: SwarmNodes, stack: NodeStack) -> None:
    nodes.label("node2", disk="fast")
    services = {
        "labelled": placed("node.labels.disk == fast", replicas=3),
        "workers": placed("node.role == worker", replicas=4),
        "named": placed("node.hostname != node1", "node.hostname != node2"),
    }
    stack.deploy(**services)
    assert stack.places("labelled") == {"node2": 3}
    assert stack.places("workers") == {"node2": 2, "node3": 2}
    assert stack.places("named") == {"node3": 1}
    assert_no_change(stack, **services)


def test_constraint_that_moves_then_tasks_move(nodes: SwarmNodes, stack: NodeStack) -> None:
    stack.deploy(web=placed("node.hostname == node2", replicas=2))
    outcome = stack.deploy(web=placed("node.hostname == node3", replicas=2))
    assert [action["action"] for action in outcome.actions] == ["update"]
    assert stack.places("web") == {"node3": 2}


@pytest.mark.parametrize("mode", ["replicated", "global"])
def test_constraint_that_no_node_meets_then_it_is_named(stack: NodeStack, mode: str) -> None:
    placement = {"constraints": ["node.labels.disk == none-such"]}
    with pytest.raises(NotConverged, match="no node meets its constraints") as failure:
        stack.deploy(web=service(deploy={"mode": mode, "placement": placement}))
    (reason,) = failure.value.reasons
    assert (reason["cause"], reason["service"]) == ("constraints", f"{stack.name}_web")
    assert "node.labels.disk" in reason["message"]


def test_global_then_one_on_each_node(stack: NodeStack) -> None:
    workers = {"mode": "global", "placement": {"constraints": ["node.role == worker"]}}
    services = {"agent": service(deploy={"mode": "global"}), "worker": service(deploy=workers)}
    stack.deploy(**services)
    assert stack.places("agent") == {"node1": 1, "node2": 1, "node3": 1}
    assert stack.places("worker") == {"node2": 1, "node3": 1}
    assert_no_change(stack, **services)


def test_max_replicas_per_node_then_no_more_and_too_many_are_explained(stack: NodeStack) -> None:
    def limited(replicas: int) -> dict[str, Any]:
        return service(deploy={"replicas": replicas, "placement": {"max_replicas_per_node": 2}})

    stack.deploy(web=limited(6))
    assert stack.places("web") == {"node1": 2, "node2": 2, "node3": 2}
    with pytest.raises(NotConverged, match="max_replicas_per_node") as failure:
        stack.deploy(web=limited(7))
    assert failure.value.reasons[0]["cause"] == "constraints"
    assert stack.places("web") == {"node1": 2, "node2": 2, "node3": 2}


def test_more_memory_than_any_node_has_then_it_says_so(stack: NodeStack) -> None:
    wanted = {"resources": {"reservations": {"memory": "9000g"}}}
    with pytest.raises(NotConverged, match="no node has 9216000 MiB of memory free") as failure:
        stack.deploy(web=service(deploy=wanted))
    assert failure.value.reasons[0]["cause"] == "resources"


def test_overlay_then_a_service_reaches_another_on_another_node_by_name(stack: NodeStack) -> None:
    page = {"command": ["sh", "-c", "echo hello > /tmp/index.html; exec busybox httpd -f -p 8080 -h /tmp"]}
    fetch = " && ".join(f"busybox wget -q -O - http://{name}:8080/" for name in ("web", "tasks.web"))
    job = {"mode": "replicated-job", "placement": {"constraints": ["node.hostname == node2"]}}
    services = {
        "web": placed("node.hostname == node3", **page),
        "client": service(command=["sh", "-c", f"until {fetch}; do sleep 1; done"], deploy=job),
    }
    stack.deploy(**services)
    (task,) = stack.tasks("client")
    assert task["Status"]["State"] == "complete"
    assert_no_change(stack, **services)
