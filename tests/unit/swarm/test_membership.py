"""What a node is to be against what it is; who may stop being a manager."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import OutOfSequence
from ansible_collections.labyard.platform.plugins.module_utils._swarm.members import (
    StillBusy,
    change_node,
    strike_off,
    wait_until_empty,
)
from ansible_collections.labyard.platform.plugins.module_utils._swarm.membership import (
    NodeIsAlive,
    NoSuchNode,
    QuorumAtRisk,
    SeveralNodes,
    Wanted,
    find_node,
    spec_for,
)


def node(
    name: str = "n1", role: str = "worker", state: str = "ready", identity: str = "", **labels: str
) -> dict[str, Any]:
    manager = {"Reachability": "reachable" if state == "ready" else "unreachable"}
    return {
        "ID": identity or f"id-{name}",
        "Version": {"Index": 7},
        "Spec": {"Role": role, "Availability": "active", "Labels": labels},
        "Description": {"Hostname": name},
        "Status": {"State": state, "Addr": "192.0.2.1"},
        **({"ManagerStatus": manager} if role == "manager" else {}),
    }


class Swarm:
    """The engine's answers about a few nodes, which remembers what was changed."""

    def __init__(self, *nodes: dict[str, Any], tasks: Any = (), refusals: int = 0) -> None:
        self.nodes, self.tasks, self.refusals = list(nodes), list(tasks), refusals
        self.posted: list[tuple[str, Any]] = []
        self.deleted: list[str] = []

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        if path == "/tasks":
            return self.tasks.pop(0) if len(self.tasks) > 1 else self.tasks[0]
        return self.nodes if path == "/nodes" else [{"ID": "s1", "Spec": {"Name": "web"}}]

    def post(self, path: str, body: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        if self.refusals:
            self.refusals -= 1
            raise OutOfSequence("update out of sequence")
        self.posted.append((path, body))

    def delete(self, path: str, params: Mapping[str, Any] | None = None) -> None:
        self.deleted.append(path)


def managers(*states: str) -> list[dict[str, Any]]:
    return [node(f"m{number}", "manager", state) for number, state in enumerate(states, 1)]


def test_node_when_set_up_anew_then_its_old_entry_is_passed_over() -> None:
    old, new = node(state="down", identity="old"), node(identity="new")
    assert find_node([old, new], "n1") is new
    assert find_node([old, new], "old") is old


def test_node_when_two_have_one_name_then_ids_are_asked_for() -> None:
    with pytest.raises(SeveralNodes, match="a, b"):
        find_node([node(identity="a"), node(identity="b")], "n1")


def test_node_when_unknown_then_those_that_are_known_are_said() -> None:
    with pytest.raises(NoSuchNode, match="n1, n2"):
        find_node([node("n2"), node("n1")], "n3")


def test_labels_when_of_our_prefix_and_not_wanted_then_go_and_others_stay() -> None:
    there = node(**{"labyard.edge": "true", "disk": "ssd"})
    wanted = Wanted(labels={"labyard.queue": "true"}, label_prefix="labyard.")
    assert spec_for(there, wanted)["Labels"] == {"disk": "ssd", "labyard.queue": "true"}


def test_spec_when_nothing_is_named_then_stays() -> None:
    there = node()
    del there["Spec"]["Labels"]
    assert spec_for(there, Wanted(label_prefix="labyard.")) == there["Spec"]


def test_change_when_somebody_was_faster_then_is_done_again() -> None:
    swarm = Swarm(node(), refusals=2)
    before, after = change_node(swarm, "n1", Wanted(availability="drain"))
    assert before["Spec"]["Availability"] == "active"
    assert after["Spec"]["Availability"] == "drain"
    assert [path for path, _ in swarm.posted] == ["/nodes/id-n1/update"]


def test_change_when_there_is_none_or_it_is_a_check_then_nothing_is_sent() -> None:
    swarm = Swarm(node())
    before, after = change_node(swarm, "n1", Wanted(role="worker"))
    assert before is after
    change_node(swarm, "n1", Wanted(role="manager"), dry_run=True)
    assert swarm.posted == []


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (["ready"], "only manager"),
        (["ready", "ready", "down"], "1 of 2 .*Bring back m3"),
        (["ready", "down", "ready", "down"], "1 of 3"),
    ],
)
def test_manager_when_the_rest_would_have_no_majority_then_stays(states: list[str], words: str) -> None:
    swarm = Swarm(*managers(*states))
    with pytest.raises(QuorumAtRisk, match=words):
        change_node(swarm, "m1", Wanted(role="worker"))
    assert swarm.posted == []


def test_manager_when_the_rest_has_a_majority_then_may_become_a_worker() -> None:
    swarm = Swarm(*managers("ready", "ready", "ready"))
    change_node(swarm, "m1", Wanted(role="worker"))
    assert swarm.posted[0][1]["Role"] == "worker"


def test_node_when_it_answers_then_is_not_struck_off() -> None:
    swarm = Swarm(node())
    with pytest.raises(NodeIsAlive, match="docker swarm leave"):
        strike_off(swarm, "n1")
    assert strike_off(swarm, "n2") is None
    assert swarm.deleted == []


def test_manager_when_lost_then_is_demoted_and_struck_off() -> None:
    swarm = Swarm(*managers("ready", "ready", "ready", "down"))
    assert strike_off(swarm, "m4") is not None
    assert swarm.posted[0][1]["Role"] == "worker"
    assert swarm.deleted == ["/nodes/id-m4"]


def test_node_when_drained_then_is_waited_for_until_its_last_task_ended() -> None:
    running, ended = {"Status": {"State": "running"}}, {"Status": {"State": "shutdown"}}
    wait_until_empty(Swarm(node(), tasks=[[running, ended], [ended]]), node(), 30)


def test_node_when_it_does_not_get_empty_then_the_services_are_said() -> None:
    busy = [{"Status": {"State": "running"}, "ServiceID": "s1"}]
    with pytest.raises(StillBusy, match="n1 still runs web"):
        wait_until_empty(Swarm(node(), tasks=[busy]), node(), 0)
