"""What the tasks of a server's service say about it."""

from __future__ import annotations

from typing import Any

import pytest
from labyard_hub.tasks import explain, failures, look, still_there


def task(state: str, desired: str = "running", created: str = "1", **status: Any) -> dict[str, Any]:
    """A task as the Engine describes it."""
    node = {} if state in ("new", "pending") else {"NodeID": "n1"}
    return {"Status": {"State": state, **status}, "DesiredState": desired, "CreatedAt": created, **node}


@pytest.mark.parametrize(
    "state", ["new", "pending", "assigned", "accepted", "preparing", "ready", "starting"]
)
def test_look_when_on_its_way_then_is_coming(state: str) -> None:
    seen = look([task(state)])
    assert seen.state == "coming"
    assert 0 < seen.progress < 80


def test_look_when_no_node_has_room_then_says_so() -> None:
    seen = look([task("pending", Err="no suitable node (insufficient resources on 2 nodes)")])
    assert seen.state == "waiting"
    assert "No node has enough CPU and memory free" in seen.words
    assert "insufficient resources on 2 nodes" in seen.words


def test_look_when_the_node_of_the_home_is_away_then_says_so() -> None:
    seen = look([task("pending", Err="no suitable node (scheduling constraints not satisfied on 1 node)")])
    assert "on which your files lie" in seen.words


def test_look_when_one_failed_and_another_follows_then_is_coming() -> None:
    seen = look([task("failed", "shutdown", "1"), task("ready", "ready", "2")])
    assert seen.state == "coming"


def test_look_when_one_is_lost_with_its_node_and_another_runs_then_runs() -> None:
    seen = look([task("running", "shutdown", "1"), {**task("running", created="2"), "NodeID": "n2"}])
    assert (seen.state, seen.node) == ("running", "n2")


def test_look_when_ended_then_with_which_code() -> None:
    assert look([task("complete", "shutdown")]).state == "ended"
    failed = look(
        [task("failed", "shutdown", Err="task: non-zero exit (3)", ContainerStatus={"ExitCode": 3})]
    )
    assert (failed.state, failed.exit_code) == ("failed", 3)
    assert look([task("rejected", "shutdown", Err="No such image: x:1")]).exit_code == 1
    assert look([]).state == "gone"


def test_failures_when_some_failed_then_the_newest_is_last() -> None:
    tasks = [task("failed", "shutdown", "3"), task("running"), task("rejected", "shutdown", "2")]
    assert [found["CreatedAt"] for found in failures(tasks)] == ["2", "3"]


@pytest.mark.parametrize(
    ("tasks", "there"),
    [
        ([], False),
        ([task("running", "remove")], True),
        ([task("shutdown", "remove"), task("failed", "shutdown")], False),
        ([task("pending", "remove")], False),
        ([task("pending")], True),
    ],
)
def test_still_there_when_asked_then_whether_a_container_may_be_alive(
    tasks: list[dict[str, Any]], there: bool
) -> None:
    assert still_there(tasks) is there


def test_explain_when_unknown_then_says_what_the_engine_said() -> None:
    assert explain("something new") == "It could not be started: something new."
