"""swarm_stack while nodes are drained, end, or are cut off."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import (
    EngineUnreachable,
    NotAManager,
    NotConverged,
)
from ansible_collections.labyard.platform.plugins.module_utils._stack.outcome import Outcome
from ansible_collections.labyard.platform.plugins.modules.swarm_stack_info import run as info
from tests.conftest import wait_until
from tests.integration.stack_helpers import service
from tests.nodes.node_stack import NodeStack, placed, slow
from tests.nodes.swarm_nodes import SwarmNodes

#: All tasks at once; one after another each update would take many seconds.
AT_ONCE = {"update_config": {"parallelism": 0}}


@contextmanager
def deploying(stack: NodeStack, **arguments: Any) -> Iterator[Future[Outcome]]:
    """A deployment in the background; its outcome is there when this ends."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(stack.deploy, **arguments)


def wait_for_tasks(stack: NodeStack, name: str, node: str) -> None:
    """Wait until a service has a container on a node."""
    identity = stack.nodes.client().nodes.list(filters={"name": node})[0].id
    wait_until(
        lambda: any(
            task.get("NodeID") == identity and task["Status"]["State"] == "starting"
            for task in stack.tasks(name)
        ),
        30,
        f"{name} starts on {node}",
    )


def test_drained_node_then_tasks_move_and_nothing_is_wrong(nodes: SwarmNodes, stack: NodeStack) -> None:
    services = {
        "web": service(deploy={"replicas": 6, **AT_ONCE}),
        "agent": service(deploy={"mode": "global", **AT_ONCE}),
    }
    stack.deploy(**services)
    nodes.drain("node3")
    assert stack.deploy(**services).actions == []
    assert stack.places("web") == {"node1": 3, "node2": 3}
    assert stack.places("agent") == {"node1": 1, "node2": 1}
    changed = {name: {**each, "environment": {"A": "1"}} for name, each in services.items()}
    assert len(stack.deploy(**changed).actions) == 2
    nodes.availability("node3", "active")
    assert stack.deploy(**changed).actions == []
    assert stack.places("agent") == {"node1": 1, "node2": 1, "node3": 1}


def test_service_for_a_drained_node_then_the_reason_names_it(nodes: SwarmNodes, stack: NodeStack) -> None:
    nodes.drain("node3")
    with pytest.raises(NotConverged, match="node3 is drained") as failure:
        stack.deploy(web=placed("node.hostname == node3"))
    assert failure.value.reasons[0]["cause"] == "node_unavailable"


@pytest.mark.parametrize("mode", ["replicated", "global"])
def test_service_for_a_node_that_is_down_then_the_reason_names_it(
    nodes: SwarmNodes, stack: NodeStack, mode: str
) -> None:
    nodes.kill("node3")
    nodes.wait_for_states({"node3": "down"})
    placement = {"constraints": ["node.hostname == node3"]}
    with pytest.raises(NotConverged, match="node3 is down") as failure:
        stack.deploy(web=service(deploy={"mode": mode, "placement": placement}))
    assert failure.value.reasons[0]["cause"] == "node_unavailable"


def test_node_killed_in_mid_deploy_then_converges_on_the_others(nodes: SwarmNodes, stack: NodeStack) -> None:
    with deploying(stack, web=slow(deploy={"replicas": 3})) as done:
        wait_for_tasks(stack, "web", "node3")
        nodes.kill("node3")
    assert done.result().services[0]["running"] == 3
    places = stack.places("web")
    assert sum(places.values()) == 3
    assert set(places) == {"node1", "node2"}


def test_node_killed_in_mid_deploy_of_what_must_run_there_then_the_reason_names_it(
    nodes: SwarmNodes, stack: NodeStack
) -> None:
    placement = {"constraints": ["node.hostname == node3"]}
    with deploying(stack, web=slow(deploy={"placement": placement})) as done:
        wait_for_tasks(stack, "web", "node3")
        nodes.kill("node3")
    with pytest.raises(NotConverged, match="node3 is down"):
        done.result()


def test_update_while_a_node_is_down_then_converges(nodes: SwarmNodes, stack: NodeStack) -> None:
    services = {
        "web": service(deploy={"replicas": 3, **AT_ONCE}),
        "agent": service(deploy={"mode": "global", **AT_ONCE}),
    }
    stack.deploy(**services)
    nodes.kill("node3")
    nodes.wait_for_states({"node3": "down"})
    changed = {name: {**each, "environment": {"A": "1"}} for name, each in services.items()}
    assert len(stack.deploy(**changed).actions) == 2
    assert set(stack.places("web")) == {"node1", "node2"}
    assert stack.deploy(check_mode=True, **changed).actions == []
    found = info({"name": stack.name, **nodes.connection()})
    running = {task["node"] for task in found["tasks"] if task["state"] == task["desired_state"] == "running"}
    assert running == {"node1", "node2"}


def test_cut_off_node_then_tasks_move_and_come_back_as_they_should(
    nodes: SwarmNodes, stack: NodeStack
) -> None:
    web = service(deploy={"replicas": 3})
    stack.deploy(web=web)
    nodes.cut("node3")
    nodes.wait_for_states({"node3": "down"})
    stack.deploy(web=web)
    assert set(stack.places("web")) == {"node1", "node2"}
    nodes.heal("node3")
    nodes.wait_for_states({"node3": "ready"})
    own = {"label": f"com.docker.stack.namespace={stack.name}"}
    wait_until(
        lambda: not nodes.client("node3").containers.list(filters=own), 30, "the former task has ended"
    )
    assert stack.deploy(web=web).actions == []


def test_scale_to_nothing_and_removal_while_a_node_is_down_then_done(
    nodes: SwarmNodes, stack: NodeStack
) -> None:
    services = {"web": service(deploy={"replicas": 3}), "idle": service(deploy={"replicas": 3})}
    stack.deploy(**services)
    nodes.kill("node3")
    nodes.wait_for_states({"node3": "down"})
    stack.deploy(web=services["web"], idle=service(deploy={"replicas": 0}), options={"wait_timeout": 30})
    removed = stack.remove(wait_timeout=30)
    assert removed.warnings == ["Containers of the stack end when these nodes are back: node3."]
    assert stack.deploy(**services).changed


def test_impossible_service_while_a_node_is_down_then_the_true_reason(
    nodes: SwarmNodes, stack: NodeStack
) -> None:
    stack.deploy(web=service(deploy={"replicas": 3}))
    nodes.kill("node3")
    nodes.wait_for_states({"node3": "down"})
    wanted = {"resources": {"reservations": {"memory": "9000g"}}}
    with pytest.raises(NotConverged, match=r"no node has .* free;.*: node3 is down\."):
        stack.deploy(web=service(deploy={"replicas": 3}), big=service(deploy=wanted))


def test_manager_killed_in_mid_deploy_then_the_error_says_so(nodes: SwarmNodes, stack: NodeStack) -> None:
    with deploying(stack, web=slow(deploy={"replicas": 3})) as done:
        wait_for_tasks(stack, "web", "node3")
        nodes.kill("node1")
    with pytest.raises(EngineUnreachable, match=nodes.nodes["node1"].address):
        done.result()


def test_manager_cut_off_in_mid_deploy_then_the_error_says_so(nodes: SwarmNodes, stack: NodeStack) -> None:
    with deploying(stack, web=slow(deploy={"replicas": 3}), options={"timeout": 3}) as done:
        wait_for_tasks(stack, "web", "node3")
        nodes.cut("node1")
    with pytest.raises(EngineUnreachable, match="did not answer in time"):
        done.result()


def test_worker_as_engine_then_it_is_no_manager(nodes: SwarmNodes, stack: NodeStack) -> None:
    with pytest.raises(NotAManager, match="not a swarm manager"):
        stack.deploy(web=service(), options=nodes.connection("node2"))
