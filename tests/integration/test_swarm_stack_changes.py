"""swarm_stack where a stack is there already: what it keeps, makes anew, removes, stops and refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import docker
import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import StackError
from tests.integration.stack_helpers import (
    IMAGE,
    docker_command,
    recorded_calls,
    run_tasks,
    service,
    stack_module,
)

pytestmark = pytest.mark.usefixtures("image")


def brief(outcome: Any) -> list[str]:
    """The actions as words."""
    return [f"{item['action']} {item['kind']} {item['name']}" for item in outcome.actions]


def replicas(engine: docker.DockerClient, name: str) -> int:
    """How many replicas a service is to have."""
    return int(engine.services.get(name).attrs["Spec"]["Mode"]["Replicated"]["Replicas"])


def containers(engine: docker.DockerClient, name: str) -> list[str]:
    """Ids of the running containers of a service."""
    return [
        str(found.id)
        for found in engine.containers.list(filters={"label": f"com.docker.swarm.service.name={name}"})
    ]


def test_keep_replicas_then_the_scaled_number_stays(engine: docker.DockerClient, stack: str) -> None:
    source = {"services": {"web": service()}}
    stack_module(stack, source)
    stack_module(stack, replicas={"web": 2})
    assert not stack_module(stack, source, keep_replicas=True).changed
    changed = {"services": {"web": service(hostname="x")}}
    assert stack_module(stack, changed, keep_replicas=True).services[0]["replicas"] == 2
    assert stack_module(stack, changed).services[0]["replicas"] == 1


def test_network_changed_then_said_and_replaced_when_asked(engine: docker.DockerClient, stack: str) -> None:
    def source(**keys: Any) -> dict[str, Any]:
        services = {"web": service(networks=["front"]), "db": service(networks=["back"])}
        return {"services": services, "networks": {"front": keys, "back": {}}}

    stack_module(stack, source())
    before = {name: containers(engine, f"{stack}_{name}") for name in ("web", "db")}
    said = stack_module(stack, source(attachable=True))
    assert not said.changed
    assert f"The network {stack}_front differs from the document in attachable and stays" in said.warnings[0]
    done = stack_module(stack, source(attachable=True), recreate_networks=True)
    assert brief(done) == [
        f"remove service {stack}_web",
        f"remove network {stack}_front",
        f"create network {stack}_front",
        f"create service {stack}_web",
    ]
    assert engine.networks.list(names=[f"{stack}_front"])[0].attrs["Attachable"]
    assert containers(engine, f"{stack}_db") == before["db"]
    assert containers(engine, f"{stack}_web") != before["web"]
    assert not stack_module(stack, source(attachable=True), recreate_networks=True).changed


def test_network_replaced_and_service_fails_then_the_former_ones_are_back(
    engine: docker.DockerClient, stack: str
) -> None:
    first = {"services": {"web": service(networks=["front"])}, "networks": {"front": {}}}
    stack_module(stack, first)
    second = {
        "services": {"web": service(networks=["front"], image="labyard-test/missing:1")},
        "networks": {"front": {"attachable": True}},
    }
    with pytest.raises(StackError, match=r"What ran before was put back and runs\."):
        stack_module(stack, second, recreate_networks=True)
    assert not engine.networks.list(names=[f"{stack}_front"])[0].attrs["Attachable"]
    assert not stack_module(stack, first).changed


def test_prune_volumes_when_asked_then_they_go(engine: docker.DockerClient, stack: str) -> None:
    one = service(volumes=["old:/old", "new:/new"])
    two = service(volumes=["new:/new"])
    stack_module(stack, {"services": {"web": one}, "volumes": {"old": {}, "new": {}}})
    after = {"services": {"web": two}, "volumes": {"new": {}}}
    assert brief(stack_module(stack, after, prune=True)) == [f"update service {stack}_web"]
    pruned = stack_module(stack, after, prune=True, remove_volumes=True)
    assert (brief(pruned), pruned.warnings) == ([f"remove volume {stack}_old"], [])
    filters = {"label": f"com.docker.stack.namespace={stack}"}
    assert [volume.name for volume in engine.volumes.list(filters=filters)] == [f"{stack}_new"]


def test_on_failure_pause_then_what_crashes_is_stopped_and_the_next_deployment_resumes(
    engine: docker.DockerClient, stack: str
) -> None:
    bad = {"services": {"web": service(), "lame": service(command=["false"], deploy={"replicas": 2})}}
    with pytest.raises(
        StackError, match=f"{stack}_lame is stopped \\(0 replicas\\) until the next deployment"
    ):
        stack_module(stack, bad, on_failure="pause")
    assert (replicas(engine, f"{stack}_lame"), replicas(engine, f"{stack}_web")) == (0, 1)
    good = {"services": {"web": service(), "lame": service(deploy={"replicas": 2})}}
    resumed = stack_module(stack, good, keep_replicas=True)
    assert {item["name"]: item["running"] for item in resumed.services}[f"{stack}_lame"] == 2
    assert not stack_module(stack, good).changed


def test_on_failure_pause_when_former_containers_run_then_they_go_on(
    engine: docker.DockerClient, stack: str
) -> None:
    stack_module(stack, {"services": {"web": service(deploy={"replicas": 2})}})
    bad = {"services": {"web": service(image="labyard-test/missing:1", deploy={"replicas": 2})}}
    with pytest.raises(StackError, match=f"The stack {stack} is left as it is"):
        stack_module(stack, bad, on_failure="pause")
    assert replicas(engine, f"{stack}_web") == 2
    assert containers(engine, f"{stack}_web"), "one was being replaced, the other goes on"


@pytest.mark.parametrize("check_mode", [True, False])
def test_name_taken_by_a_service_outside_the_stack_then_said_before_anything_is_made(
    engine: docker.DockerClient, stack: str, check_mode: bool
) -> None:
    other = engine.services.create(
        IMAGE, ["sleep", "1000"], name=f"{stack}_web", endpoint_spec={"Mode": "dnsrr"}
    )
    try:
        with pytest.raises(
            StackError, match=r"exists already outside of the stack .* \(it belongs to no stack\)"
        ):
            stack_module(stack, {"services": {"web": service()}}, check_mode=check_mode)
    finally:
        other.remove()
    assert engine.networks.list(filters={"label": f"com.docker.stack.namespace={stack}"}) == []


def test_name_taken_by_another_stack_then_it_is_named(stack: str) -> None:
    other = f"{stack}_web"
    stack_module(other, {"services": {"app": service()}})
    try:
        with pytest.raises(StackError, match=f"belongs to the stack {other}"):
            stack_module(stack, {"services": {"web_app": service()}})
    finally:
        stack_module(other, state="absent")


def test_resolve_image_without_a_registry_then_the_name_is_used_as_it_is(stack: str) -> None:
    source = {"services": {"web": service()}}
    for choice in ("never", "changed", "always"):
        outcome = stack_module(stack, source, resolve_image=choice)
        assert (outcome.services[0]["image"], outcome.warnings) == (IMAGE, [])


def test_no_change_then_a_constant_number_of_calls(stack: str) -> None:
    def calls(count: int) -> list[tuple[str, str]]:
        source = {"services": {f"s{number}": service(deploy={"replicas": 0}) for number in range(count)}}
        stack_module(stack, source)
        with recorded_calls() as sent:
            assert not stack_module(stack, source).changed
        return sent

    few, many = calls(1), calls(6)
    assert few == many
    assert len(many) == 8
    assert {method for method, _ in many} == {"GET"}


def test_task_for_docker_stack_then_it_works_by_changing_the_name(stack: str, tmp_path: Path) -> None:
    path = tmp_path / "compose.yml"
    path.write_text(json.dumps({"version": "3.8", "services": {"web": service()}}))
    common = {"name": stack, "docker_host": "unix:///var/run/docker.sock"}
    options = {"prune": True, "with_registry_auth": True, "resolve_image": "never", "detach": False}
    tasks = [
        {"compose": [str(path), {"version": "3.8"}], "state": "present", **common, **options},
        {"state": "absent", "absent_retries": 30, "absent_retries_interval": 2, **common},
    ]
    # the kernel of a test machine may lack what virtual addresses need
    tasks[0]["endpoint_mode_default"] = "dnsrr"
    done = run_tasks(tmp_path, [{"labyard.platform.swarm_stack": task} for task in tasks])
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("changed: [localhost]") == 2


def test_stack_then_the_command_line_sees_it_and_removes_it(stack: str) -> None:
    stack_module(stack, {"services": {"web": service()}})
    assert stack in docker_command("stack", "ls", "--format", "{{.Name}}").split()
    assert f"{stack}_web" in docker_command("stack", "services", stack, "--format", "{{.Name}}").split()
    docker_command("stack", "rm", stack)
    stack_module(stack, state="absent")
    assert stack not in docker_command("stack", "ls", "--format", "{{.Name}}").split()
