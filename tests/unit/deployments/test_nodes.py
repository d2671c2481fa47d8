"""Nodes as the Engine lists them, as rows."""

from __future__ import annotations

from typing import Any

import pytest
from apiflask import APIFlask

from labyard.context import session
from labyard.deployments.nodes import save_nodes
from labyard.models import Node


def node_of_the_api(ident: str, state: str = "ready", **more: Any) -> dict[str, Any]:
    """An item of GET /nodes."""
    return {
        "ID": ident,
        "Spec": {"Role": "worker", "Availability": "active"},
        "Description": {"Hostname": f"node-{ident}"},
        "Status": {"State": state},
        **more,
    }


@pytest.mark.parametrize(
    ("about", "manager", "up"),
    [
        (node_of_the_api("a"), "", True),
        (node_of_the_api("a", "down"), "", False),
        (node_of_the_api("a", ManagerStatus={"Leader": True, "Reachability": "reachable"}), "leader", True),
        (node_of_the_api("a", ManagerStatus={"Reachability": "reachable"}), "reachable", True),
        (node_of_the_api("a", ManagerStatus={"Reachability": "unreachable"}), "unreachable", False),
    ],
)
def test_node_when_seen_then_it_is_known_whether_it_is_up(
    app: APIFlask, about: dict[str, Any], manager: str, up: bool
) -> None:
    save_nodes(session(), [about])
    node = session().get(Node, "a")
    assert node is not None
    assert (node.manager, node.up, node.availability) == (manager, up, "active")


def test_node_when_it_has_left_then_it_is_forgotten(app: APIFlask) -> None:
    save_nodes(session(), [node_of_the_api("a"), node_of_the_api("b", "down")])
    save_nodes(session(), [node_of_the_api("a")])
    assert [node.id for node in session().query(Node)] == ["a"]
