"""Which services are stopped after a failure, and how."""

from __future__ import annotations

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.desired import PAUSED
from ansible_collections.labyard.platform.plugins.module_utils._stack.live import LiveStack
from ansible_collections.labyard.platform.plugins.module_utils._stack.pause import is_hopeless, paused_spec
from ansible_collections.labyard.platform.plugins.module_utils._stack.scale import plan_scale
from tests.unit.stack.stack_builders import service, task

OTHER = {"ContainerSpec": {"Image": "app:0"}}


@pytest.mark.parametrize(
    ("tasks", "hopeless"),
    [
        ([task(service(), "failed", 1), task(service(), "running", 2)], True),  # it will crash again
        ([task(service(), "rejected", 1), task(service(), "ready", 2)], True),
        ([task(service(), "pending", 1)], True),
        ([task(service(), "failed", 1), task(service(), "running", 2, slot=2)], False),  # slot 2 is well
        (
            [task(service(TaskTemplate=OTHER), "running", 1), task(service(), "failed", 2)],
            False,
        ),  # a former one
    ],
)
def test_is_hopeless_when_nothing_of_it_runs_well(tasks: list[dict], hopeless: bool) -> None:
    assert is_hopeless(service(), tasks) is hopeless


def test_is_hopeless_then_only_replicated_services_that_are_wanted() -> None:
    assert not is_hopeless(service(Mode={"Global": {}}), [])
    assert not is_hopeless(service(Mode={"Replicated": {"Replicas": 0}}), [])


def test_paused_spec_then_no_replicas_and_a_label_with_the_number() -> None:
    of = service(Mode={"Replicated": {"Replicas": 3}}, Labels={"a": "b"})
    spec = paused_spec(of)
    assert spec["Mode"] == {"Replicated": {"Replicas": 0}}
    assert spec["Labels"] == {"a": "b", PAUSED: "3"}
    assert of["Spec"]["Labels"] == {"a": "b"}


def test_scale_of_a_paused_service_then_it_is_no_longer_marked() -> None:
    of = service(Mode={"Replicated": {"Replicas": 0}}, Labels={"a": "b", PAUSED: "3"})
    (action,) = plan_scale("shop", {"web": 2}, LiveStack(services={"shop_web": of}))
    assert action.body["Labels"] == {"a": "b"}
    assert action.body["Mode"] == {"Replicated": {"Replicas": 2}}
