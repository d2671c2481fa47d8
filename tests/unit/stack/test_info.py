"""What stacks are doing, told from the engine's answers."""

from __future__ import annotations

from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._stack.info import Snapshot, describe_stacks
from tests.unit.stack.stack_builders import service, task

LABELS = {"com.docker.stack.namespace": "shop", "com.docker.stack.image": "app"}
NODES = [{"ID": "node-1", "Description": {"Hostname": "red"}}]


def own(name: str = "shop_web", **parts: Any) -> dict[str, Any]:
    """A service of the stack `shop`."""
    return service(name, Labels=LABELS, **parts)


def test_describe_stacks_of_nothing_then_it_does_not_exist() -> None:
    found = describe_stacks(Snapshot(), "shop")
    assert (found["exists"], found["stacks"], found["services"], found["tasks"]) == (False, [], [], [])


def test_describe_stacks_then_what_docker_stack_ps_shows_newest_first() -> None:
    web = own(running=1)
    tasks = [
        task(web, "failed", 1, error="task: non-zero exit (3)", exit_code=3),
        task(web, "running", 2),
        task(web, "running", 3, slot=2),
    ]
    found = describe_stacks(Snapshot(services=[web], tasks=tasks, nodes=NODES), "shop")["tasks"]
    assert [(item["name"], item["id"]) for item in found] == [
        ("shop_web.1", "task-2"),
        ("shop_web.1", "task-1"),
        ("shop_web.2", "task-3"),
    ]
    assert found[1] | {"state": "failed", "node": "red", "exit_code": 3} == found[1]
    assert found[1]["error"] == "task: non-zero exit (3)"
    assert found[0]["exit_code"] is None


def test_describe_stacks_when_a_service_does_not_run_then_why_in_words() -> None:
    web = own(running=0)
    pending = task(web, "pending", error="no suitable node (insufficient resources on 1 node)")
    (found,) = describe_stacks(Snapshot(services=[web], tasks=[pending]), "shop")["services"]
    assert "Service shop_web cannot be placed: no node has" in found["problem"]
    assert (found["replicas"], found["running"], found["image_given"]) == (1, 0, "app")


def test_describe_stacks_when_all_is_well_then_no_problem() -> None:
    job = own("shop_job", Mode={"ReplicatedJob": {"TotalCompletions": 2}})
    job["ServiceStatus"] = {"RunningTasks": 0, "DesiredTasks": 0, "CompletedTasks": 2}
    once = own("shop_once")
    tasks = [task(once, "complete")]
    found = describe_stacks(Snapshot(services=[own(running=1), job, once], tasks=tasks), "shop")["services"]
    assert [(item["name"], item["mode"], item["problem"]) for item in found] == [
        ("shop_job", "replicated-job", None),
        ("shop_once", "replicated", None),
        ("shop_web", "replicated", None),
    ]


def test_describe_stacks_when_a_job_has_slots_from_0_then_by_slot() -> None:
    job = own("shop_job", Mode={"ReplicatedJob": {"TotalCompletions": 2}})
    first, second = task(job, "running", 1), task(job, "running", 2)
    first["Slot"], second["Slot"] = 1, 0
    found = describe_stacks(Snapshot(services=[job], tasks=[first, second], nodes=NODES), "shop")["tasks"]
    assert [(item["slot"], item["name"]) for item in found] == [(0, "shop_job.node-1"), (1, "shop_job.1")]


def test_describe_stacks_when_nothing_but_a_volume_is_left_then_the_stack_is_named() -> None:
    volumes = [
        {"Name": "shop_data", "Driver": "local", "Labels": LABELS},
        {"Name": "x", "Labels": None, "Driver": "local"},
    ]
    found = describe_stacks(Snapshot(volumes=volumes))
    assert found["stacks"] == [{"name": "shop", "services": 0}]
    assert found["volumes"] == [{"stack": "shop", "name": "shop_data", "driver": "local"}]


def test_describe_stacks_when_one_is_asked_for_then_others_are_left_out() -> None:
    other = service("other_web", Labels={"com.docker.stack.namespace": "other"}, running=1)
    snapshot = Snapshot(services=[own(running=1), other], tasks=[task(other)])
    assert [item["name"] for item in describe_stacks(snapshot, "shop")["services"]] == ["shop_web"]
    assert describe_stacks(snapshot, "shop")["tasks"] == []
    assert [item["name"] for item in describe_stacks(snapshot)["stacks"]] == ["other", "shop"]


def test_describe_stacks_then_networks_by_name_and_each_port_once() -> None:
    network = {"Id": "n1", "Name": "shop_default", "Labels": LABELS, "Driver": "overlay", "Scope": "swarm"}
    network["IPAM"] = {"Config": [{"Subnet": "10.0.1.0/24"}]}
    web = own(running=1)
    web["Spec"]["TaskTemplate"]["Networks"] = [{"Target": "n1"}]
    port = {"TargetPort": 80, "PublishedPort": 8080, "Protocol": "tcp", "PublishMode": "host"}
    running = task(web)
    running["Status"]["PortStatus"] = {"Ports": [port, port]}
    found = describe_stacks(Snapshot(services=[web], tasks=[running], networks=[network]), "shop")
    assert found["services"][0]["networks"] == ["shop_default"]
    assert found["networks"][0]["subnets"] == ["10.0.1.0/24"]
    assert [item["published"] for item in found["tasks"][0]["ports"]] == [8080]
