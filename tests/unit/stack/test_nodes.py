"""Which nodes a service could run on, and what is said when they take no tasks."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.nodes import (
    explain_placement,
    meets,
    reason_without_task,
    without_lost,
)
from ansible_collections.labyard.platform.plugins.module_utils._stack.reasons import Reason, reason_of_task
from ansible_collections.labyard.platform.plugins.module_utils._stack.watch import Limits, Watch
from tests.unit.stack.stack_builders import service, task


def node(
    name: str = "n1", state: str = "ready", availability: str = "active", **labels: str
) -> dict[str, Any]:
    return {
        "ID": f"id-{name}",
        "Spec": {"Role": "worker", "Availability": availability, "Labels": labels},
        "Description": {
            "Hostname": name,
            "Platform": {"Architecture": "x86_64", "OS": "linux"},
            "Engine": {"Labels": {"storage": "ssd"}},
        },
        "Status": {"State": state, "Addr": "10.1.2.3"},
    }


def constrained(*constraints: str, **parts: Any) -> dict[str, Any]:
    return service(
        TaskTemplate={"ContainerSpec": {}, "Placement": {"Constraints": list(constraints)}}, **parts
    )


@pytest.mark.parametrize(
    ("constraint", "met"),
    [
        ("node.hostname == n1", True),
        ("node.hostname==N1", True),
        ("node.hostname != n1", False),
        ("node.id == id-n1", True),
        ("node.role==manager", False),
        ("node.role != manager", True),
        ("node.labels.zone == a", True),
        ("node.labels.none == a", False),
        ("node.labels.none != a", True),
        ("engine.labels.storage == ssd", True),
        ("node.platform.os == linux", True),
        ("node.platform.arch == arm64", False),
        ("node.ip == 10.1.0.0/16", True),
        ("node.ip != 10.1.2.3", False),
        ("node.ip == nonsense", False),
        ("nonsense", False),
    ],
)
def test_constraint_then_met_as_the_swarm_reads_it(constraint: str, met: bool) -> None:
    assert meets(node(zone="a"), [constraint]) is met


def test_all_constraints_must_be_met() -> None:
    assert meets(node(), ["node.role == worker", "node.hostname == n1"])
    assert not meets(node(), ["node.role == worker", "node.hostname == n2"])


def pending(
    of: dict[str, Any], error: str = "no suitable node (scheduling constraints not satisfied)"
) -> Reason:
    return reason_of_task(of, task(of, "pending", error=error) | {"NodeID": ""})


@pytest.mark.parametrize(
    ("state", "availability", "words"),
    [
        ("down", "active", "n2 is down"),
        ("ready", "drain", "n2 is drained"),
        ("ready", "pause", "n2 is paused"),
        ("disconnected", "active", "n2 is disconnected"),
    ],
)
def test_only_fitting_node_takes_no_tasks_then_it_is_named(state: str, availability: str, words: str) -> None:
    web = constrained("node.hostname == n2")
    reason = explain_placement(pending(web), web, [node("n1"), node("n2", state, availability)])
    assert reason.cause == "node_unavailable"
    assert words in reason.message
    assert "n1" not in reason.message


def test_no_node_fits_then_constraints_stay_the_cause() -> None:
    web = constrained("node.labels.disk == fast")
    reason = pending(web)
    assert explain_placement(reason, web, [node("n1"), node("n2", "down")]) == reason
    assert explain_placement(reason, web, []) == reason


def test_no_room_on_nodes_that_fit_then_those_left_out_are_named() -> None:
    web = service()
    reason = pending(web, "no suitable node (insufficient resources on 1 node; 1 node not available)")
    explained = explain_placement(reason, web, [node("n1"), node("n2", "down")])
    assert explained.cause == "resources"
    assert explained.message == f"{reason.message} Nodes that take no tasks now were left out: n2 is down."


def test_failure_on_a_node_then_other_nodes_are_not_blamed() -> None:
    web = service()
    reason = reason_of_task(web, task(web, "rejected", error="address already in use") | {"NodeID": "id-n1"})
    assert explain_placement(reason, web, [node("n1"), node("n2", "down")]) == reason


def test_lost_tasks_then_neither_running_nor_leaving() -> None:
    web = service()
    here, there = task(web) | {"NodeID": "id-n1"}, task(web) | {"NodeID": "id-n2"}
    done = task(web, "complete") | {"NodeID": "id-n2"}
    states = [
        each["Status"]["State"]
        for each in without_lost([here, there, done], [node("n1"), node("n2", "down")])
    ]
    assert states == ["running", "orphaned", "complete"]


def test_scaled_to_nothing_when_a_node_is_down_then_converged() -> None:
    web = service(Mode={"Replicated": {"Replicas": 0}})
    left = task(web, wanted="shutdown") | {"NodeID": "id-n2"}
    watch = Watch(["shop_web"], Limits(), ["shop_web"])
    assert not watch.look({"shop_web": web}, [left], 0).converged
    assert watch.look({"shop_web": web}, [left], 1, [node("n2", "down")]).converged


def test_task_left_on_a_node_that_is_down_then_room_is_not_waited_for() -> None:
    web = service()
    left = task(web, wanted="shutdown") | {"NodeID": "id-n2"}
    stuck = task(web, "pending", 2, error="no suitable node (insufficient resources on 1 node)")
    watch = Watch(["shop_web"], Limits(pending_grace=5), ["shop_web"])
    nodes = [node("n1"), node("n2", "down")]
    assert not watch.look({"shop_web": web}, [left, stuck], 0, nodes).failed
    (reason,) = watch.look({"shop_web": web}, [left, stuck], 5, nodes).failed
    assert reason.cause == "resources"


def test_replicated_service_without_tasks_then_constraints_are_not_blamed() -> None:
    web = constrained("node.labels.disk == fast")
    reason = reason_without_task(web, (), [node()])
    assert reason.cause == "no_task"
    assert "has made no task" in reason.message
    assert reason_without_task(web, [task(web)], [node()]).cause == "not_updated"


@pytest.mark.parametrize(
    ("nodes", "cause"),
    [
        ([node("n1")], "constraints"),
        ([node("n1"), node("n2", "down")], "node_unavailable"),
        ([node("n1"), node("n2")], "no_task"),
    ],
)
def test_global_service_without_tasks_then_the_nodes_tell_why(
    nodes: list[dict[str, Any]], cause: str
) -> None:
    web = constrained("node.hostname == n2", Mode={"Global": {}})
    assert reason_without_task(web, (), nodes).cause == cause
