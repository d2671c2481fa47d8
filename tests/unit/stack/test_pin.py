"""Services that stay where their data are."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import (
    NotFound,
    OutOfSequence,
    StackError,
)
from ansible_collections.labyard.platform.plugins.module_utils._stack.pin import (
    find_pin,
    pin_service,
    pins_of,
)

NODES = [{"ID": i, "Description": {"Hostname": f"host-{i}"}} for i in ("a", "b")]


class OneService:
    """An engine with one service, which runs on node b; the first `busy` changes come too late."""

    def __init__(self, nodes: list[dict[str, Any]], constraints: list[str], busy: int = 0) -> None:
        self.nodes, self.busy = nodes, busy
        self.spec: dict[str, Any] = {"TaskTemplate": {"Placement": {"Constraints": constraints}}}
        self.changes: list[Any] = []

    def get(self, path: str, params: dict[str, Any] | None = None) -> Any:
        if path == "/nodes":
            return self.nodes
        if path == "/tasks":
            return [{"NodeID": "b", "Status": {"State": "running"}}]
        if path != "/services/demo_notebook":
            raise NotFound(path, 404)
        return {"ID": "s1", "Version": {"Index": 7}, "Spec": self.spec}

    def post(self, path: str, body: Any, params: dict[str, Any]) -> None:
        assert (path, params) == ("/services/s1/update", {"version": 7})
        self.changes.append(body)
        if len(self.changes) <= self.busy:
            raise OutOfSequence("update out of sequence", 500)
        self.spec = body


def pin(engine: OneService, name: str = "demo_notebook", dry_run: bool = False) -> tuple[bool, str]:
    return pin_service(engine, name, dry_run=dry_run)  # type: ignore[arg-type] - all that is asked of an engine


def test_service_when_kept_then_has_the_constraint_beside_its_others_and_a_second_time_changes_nothing() -> (
    None
):
    engine = OneService(NODES, ["node.labels.fast == true"])
    assert pin(engine) == (True, "node.hostname==host-b")
    assert engine.spec["TaskTemplate"]["Placement"]["Constraints"] == [
        "node.labels.fast == true",
        "node.hostname==host-b",
    ]
    assert pin(engine) == (False, "node.hostname==host-b")
    assert len(engine.changes) == 1


def test_service_when_the_swarm_has_one_node_then_stays_as_it_is() -> None:
    engine = OneService(NODES[1:], [])
    assert pin(engine) == (False, "")
    assert engine.changes == []


def test_service_when_only_asked_what_would_be_then_stays_as_it_is() -> None:
    engine = OneService(NODES, [])
    assert pin(engine, dry_run=True) == (True, "node.hostname==host-b")
    assert engine.changes == []


def test_service_when_changed_by_others_meanwhile_then_is_read_again() -> None:
    assert pin(OneService(NODES, [], busy=2)) == (True, "node.hostname==host-b")
    with pytest.raises(StackError, match="being changed by others"):
        pin(OneService(NODES, [], busy=99))


def test_service_when_it_is_not_there_then_is_said() -> None:
    with pytest.raises(StackError, match="There is no service demo_other: start it first"):
        pin(OneService(NODES, []), "demo_other")


@pytest.mark.parametrize(
    ("running_on", "words"), [([], "runs on no node"), (["a", "b"], "runs on several nodes")]
)
def test_service_when_it_has_not_one_node_then_is_said(running_on: list[str], words: str) -> None:
    tasks = [{"NodeID": node, "Status": {"State": "running"}} for node in running_on]
    tasks += [{"NodeID": "a", "Status": {"State": "shutdown"}}]
    with pytest.raises(StackError, match=words):
        find_pin("demo_notebook", tasks, NODES)


def test_node_when_its_name_is_that_of_another_then_its_id_counts() -> None:
    twins = [{"ID": i, "Description": {"Hostname": "same"}} for i in ("a", "b")]
    assert find_pin("s", [{"NodeID": "b", "Status": {"State": "running"}}], twins) == "node.id==b"


@pytest.mark.parametrize(
    ("constraints", "pins"),
    [
        (None, []),
        (["node.role==manager"], []),
        (["node.hostname == one", "node.id==x"], ["node.hostname==one", "node.id==x"]),
        (["node.hostname!=one"], []),
    ],
)
def test_pins_are_constraints_that_name_a_node(constraints: list[str] | None, pins: list[str]) -> None:
    assert pins_of({"TaskTemplate": {"Placement": {"Constraints": constraints}}}) == pins
    assert pins_of({"TaskTemplate": {}}) == []
