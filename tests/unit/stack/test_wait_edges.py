"""When a removed stack is gone, and when a job with nothing to do is done."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.tasks import running_of
from ansible_collections.labyard.platform.plugins.module_utils._stack.wait import (
    unended_tasks,
    wait_until_converged,
)
from ansible_collections.labyard.platform.plugins.module_utils._stack.watch import Limits, Watch
from tests.unit.stack.stack_builders import service, task


class Tasks:
    """A client that knows of some tasks."""

    def __init__(self, *tasks: dict[str, Any]) -> None:
        self._tasks = list(tasks)

    def tasks(self, stack: str) -> list[dict[str, Any]]:
        """The tasks, whatever the stack."""
        return self._tasks

    def nodes(self) -> list[dict[str, Any]]:
        """One node that is well, and one that is down."""
        return [{"ID": "n1", "Status": {"State": "ready"}}, {"ID": "n2", "Status": {"State": "down"}}]


@pytest.mark.parametrize(
    ("state", "node", "holds"),
    [
        ("running", "n1", True),
        ("running", "n2", False),
        ("shutdown", "n1", False),
        ("complete", "n1", False),
        ("pending", "", False),
    ],
)
def test_unended_tasks_are_those_that_hold_something(state: str, node: str, holds: bool) -> None:
    task = {"ID": "t", "NodeID": node, "Status": {"State": state}}
    client: Any = Tasks(task)
    assert unended_tasks(client, "s") == ([task] if holds else [])


def test_job_of_no_tasks_is_done_at_once() -> None:
    job = service(Mode={"ReplicatedJob": {"MaxConcurrent": 0, "TotalCompletions": 0}})
    look = Watch(["shop_web"], Limits(1, 10, 3), ["shop_web"], set()).look({"shop_web": job}, [], 0.0)
    assert look.converged


class LateCounts:
    """A client whose task comes to run between the reading of the services and that of the tasks."""

    def __init__(self) -> None:
        self._counts = [0, 1]
        self._task = task(service("shop_web"))

    def services(self, stack: str) -> dict[str, dict[str, Any]]:
        """The service, with the count of the moment."""
        running = self._counts.pop(0) if len(self._counts) > 1 else self._counts[0]
        return {"shop_web": service("shop_web", running=running)}

    def tasks(self, stack: str) -> list[dict[str, Any]]:
        """The task, which runs."""
        return [self._task]

    def events(self, stack: str) -> list[dict[str, Any]]:
        """None."""
        return []


def test_wait_until_converged_when_a_task_just_came_to_run_then_the_counts_say_so() -> None:
    client: Any = LateCounts()
    found = wait_until_converged(
        client, "shop", ["shop_web"], timeout=5, limits=Limits(hold=0.0), touched=["shop_web"]
    )
    assert running_of(found["shop_web"]) == 1
