"""The module swarm_stack_info on a real swarm."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from ansible_collections.labyard.platform.plugins.module_utils._stack.wait import poll
from ansible_collections.labyard.platform.plugins.modules.swarm_stack_info import EXAMPLES, argument_spec, run
from tests.integration.stack_helpers import (
    PREFIX,
    docker_command,
    ensure_image,
    recorded_calls,
    run_tasks,
    service,
    stack_module,
    stack_names,
)


def info(name: str | None) -> dict[str, Any]:
    """Call the module within this process."""
    return run({**dict.fromkeys(argument_spec()), "name": name})


@pytest.fixture(scope="module")
def stack(engine: docker.DockerClient) -> Iterator[str]:
    """A stack of three services, one of which crashed once and one of which has no node."""
    ensure_image(engine)
    name = f"{PREFIX}-{secrets.token_hex(4)}"
    once = "test -e /data/again || { ls /data; > /data/again; exit 3; }; sleep 100000"
    source = {
        "services": {
            "web": service(configs=["conf"], deploy={"replicas": 2}),
            "lame": service(command=["sh", "-c", once], volumes=["data:/data"]),
            "gpu": service(deploy={"placement": {"constraints": ["node.labels.gpu == 1"]}}),
        },
        "volumes": {"data": {}},
        "configs": {"conf": {"content": "a: 1\n"}},
    }
    both = {**source, "services": {key: source["services"][key] for key in ("web", "lame")}}
    stack_module(name, both, interpolate=False)
    stack_module(name, source, interpolate=False, wait=False)
    assert poll(lambda: "gpu" in str([task["service"] for task in info(name)["tasks"] if task["error"]]), 20)
    yield name
    stack_module(name, state="absent", remove_volumes=True)


def test_info_then_services_with_what_is_wrong(stack: str) -> None:
    found = info(stack)
    assert found["exists"]
    assert found["stacks"] == [{"name": stack, "services": 3}]
    services = {item["name"].removeprefix(f"{stack}_"): item for item in found["services"]}
    assert {name: (item["replicas"], item["running"]) for name, item in services.items()} == {
        "gpu": (1, 0),
        "lame": (1, 1),
        "web": (2, 2),
    }
    assert (services["web"]["problem"], services["lame"]["problem"]) == (None, None)
    assert "no node meets its constraints (node.labels.gpu == 1)" in services["gpu"]["problem"]
    assert services["web"]["networks"] == [f"{stack}_default"]
    assert [item["name"] for item in found["networks"]] == [f"{stack}_default"]
    assert [item["name"] for item in found["configs"]] == [f"{stack}_conf"]
    assert [item["name"] for item in found["volumes"]] == [f"{stack}_data"]


def test_info_then_the_tasks_of_docker_stack_ps(stack: str) -> None:
    columns = "{{.ID}} {{.Node}} {{.DesiredState}} {{.CurrentState}}"
    listed = docker_command("stack", "ps", stack, "--no-trunc", "--format", columns)
    shown = {line.split()[0]: line.lower().split()[1:] for line in listed.splitlines()}
    found = info(stack)["tasks"]
    assert {item["id"] for item in found} == set(shown)
    for item in found:
        assert item["desired_state"] in shown[item["id"]]
        assert item["state"] in shown[item["id"]]
        assert not item["node"] or item["node"].lower() in shown[item["id"]]
    failed = [item for item in found if item["state"] == "failed"]
    assert [(item["name"], item["exit_code"]) for item in failed] == [(f"{stack}_lame.1", 3)]
    assert "non-zero exit (3)" in failed[0]["error"]


def test_info_of_all_then_this_one_too_with_as_many_calls(stack: str) -> None:
    with recorded_calls() as sent:
        assert stack in [item["name"] for item in info(None)["stacks"]]
        of_all = len(sent)
        info(stack)
        info("no-such-stack")
    assert of_all == 8, "seven, and one that asks for the version of the API"
    assert [method for method, _ in sent] == ["GET"] * 24


def test_info_of_no_stack_then_it_does_not_exist() -> None:
    found = info("no-such-stack")
    assert (found["exists"], found["stacks"], found["tasks"]) == (False, [], [])


def test_info_in_a_play_with_module_defaults_then_returned_as_documented(stack: str, tmp_path: Path) -> None:
    socket = "unix:///var/run/docker.sock"
    defaults = {"group/labyard.platform.docker": {"docker_host": socket}}
    done = run_tasks(
        tmp_path, [{"labyard.platform.swarm_stack_info": {"name": stack}}], "-vvv", module_defaults=defaults
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.split("=> ", 1)[1].split("\n}\n", 1)[0] + "}")
    assert result["invocation"]["module_args"]["docker_host"] == socket
    assert result["exists"]


def test_info_examples_of_the_documentation_then_they_run(tmp_path: Path) -> None:
    with stack_names() as make:
        name = make()
        stack_module(name, {"services": {"web": service()}})
        done = run_tasks(tmp_path, yaml.safe_load(EXAMPLES.replace("name: blog", f"name: {name}")))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "All assertions passed" in done.stdout


def test_info_when_there_is_no_engine_then_one_sentence(tmp_path: Path) -> None:
    task = {"labyard.platform.swarm_stack_info": {"docker_host": f"unix://{tmp_path}/none.sock"}}
    done = run_tasks(tmp_path, [task])
    assert done.returncode == 2
    assert "none.sock is not running, its socket is not there; start it" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
