"""The stacks of docker's command line and ours are the same kind of thing, whoever looks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from ansible_collections.labyard.platform.plugins.modules import swarm_stack_info
from tests.integration.stack_helpers import (
    docker_command,
    ensure_image,
    service,
    stack_module,
    stack_names,
)


@pytest.fixture
def stack(engine: docker.DockerClient) -> Iterator[str]:
    """A name for a stack, which is removed afterwards."""
    ensure_image(engine)
    with stack_names() as make:
        yield make()


def info(name: str | None) -> dict[str, Any]:
    """Call swarm_stack_info within this process."""
    return swarm_stack_info.run({**dict.fromkeys(swarm_stack_info.argument_spec()), "name": name})


def names_of_tasks(stack: str) -> list[str]:
    return docker_command("stack", "ps", stack, "--no-trunc", "--format", "{{.ID}}").split()


def document() -> dict[str, Any]:
    web = service(configs=["conf"], deploy={"endpoint_mode": "dnsrr", "replicas": 2})
    return {"version": "3.8", "services": {"web": web}, "configs": {"conf": {"file": "./conf"}}}


def test_stack_of_docker_then_seen_changed_and_removed_by_us(stack: str, tmp_path: Path) -> None:
    (tmp_path / "conf").write_text("a: 1\n")
    file = tmp_path / "compose.json"
    file.write_text(json.dumps(document()))
    docker_command("stack", "deploy", "--resolve-image", "never", "--compose-file", str(file), stack)
    assert not stack_module(stack, str(file)).changed
    seen = info(stack)
    assert {"name": stack, "services": 1} in info(None)["stacks"]
    assert [(item["name"], item["running"]) for item in seen["services"]] == [(f"{stack}_web", 2)]
    assert [item["name"] for item in seen["networks"]] == [f"{stack}_default"]
    assert sorted(task["id"] for task in seen["tasks"]) == sorted(names_of_tasks(stack))
    assert stack_module(stack, replicas={"web": 1}).changed
    assert stack_module(stack, state="absent").changed
    assert stack not in docker_command("stack", "ls", "--format", "{{.Name}}").split()


def test_stack_of_ours_then_seen_changed_and_removed_by_docker(stack: str, tmp_path: Path) -> None:
    (tmp_path / "conf").write_text("a: 1\n")
    file = tmp_path / "compose.json"
    file.write_text(json.dumps(document()))
    stack_module(stack, str(file))
    assert f"{stack} 1" in docker_command("stack", "ls", "--format", "{{.Name}} {{.Services}}").splitlines()
    services = docker_command("stack", "services", stack, "--format", "{{.Name}} {{.Replicas}}").split()
    assert services == [f"{stack}_web", "2/2"]
    assert sorted(task["id"] for task in info(stack)["tasks"]) == sorted(names_of_tasks(stack))
    docker_command("stack", "deploy", "--resolve-image", "never", "--compose-file", str(file), stack)
    assert not stack_module(stack, str(file)).changed
    docker_command("stack", "rm", stack)
    assert stack_module(stack, state="absent").actions in ([], [_left(stack)])
    assert info(stack)["exists"] is False


def _left(stack: str) -> dict[str, str]:
    """What docker's command line gives up on while containers are on it."""
    return {"action": "remove", "kind": "network", "name": f"{stack}_default"}
