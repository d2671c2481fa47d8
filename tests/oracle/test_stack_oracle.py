"""Docker's own command line as the oracle: the same files give the same stack.

Nothing runs in these stacks: the services have no replicas, or a place that no node is.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import APIError

from ansible_collections.labyard.platform.plugins.module_utils._stack.canonical import canonical_service
from ansible_collections.labyard.platform.plugins.module_utils._stack.compose import load_stack
from ansible_collections.labyard.platform.plugins.module_utils._stack.convert import Naming
from tests.conftest import wait_until
from tests.integration.stack_helpers import stack_module
from tests.oracle.docker_recorder import recorded_deploy
from tests.oracle.oracle import (
    COMPOSE,
    OUTSIDE,
    RECORDED,
    TOPICS,
    VARIABLES,
    docker_deploy,
    documents,
    read_back,
    write_files,
)

#: What `docker stack deploy --resolve-image never --detach` does.
AS_DOCKER = {"endpoint_mode_default": "none", "resolve_image": "never", "wait": False}


@pytest.fixture(scope="module", autouse=True)
def outside(engine: docker.DockerClient) -> Iterator[None]:
    """The external objects that the files refer to."""
    made = []
    for name in (f"{OUTSIDE}-{VARIABLES['ORACLE_VALUE']}", OUTSIDE):
        made.append(create(engine.configs, name, data=b"outside"))
        made.append(create(engine.secrets, name, data=b"outside"))
        made.append(create(engine.networks, name, driver="overlay"))
    yield
    for item in made:
        item.remove()


def create(kind: Any, name: str, **options: Any) -> Any:
    """A config, secret or network of that name; one that an earlier run left may still be going."""

    def found_or_made() -> Any:
        with contextlib.suppress(APIError):
            return kind.create(name=name, **options)
        there = [item for item in kind.list(filters={"name": name}) if item.name == name]
        return there[0] if there else None

    return wait_until(found_or_made, 60, f"{name} is there")


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the files take from the environment."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def stack() -> Iterator[str]:
    """A name for a stack, which is removed afterwards."""
    name = f"oracle-{secrets.token_hex(3)}"
    yield name
    stack_module(name, state="absent", remove_volumes=True)


@pytest.mark.parametrize("topic", TOPICS)
def test_compose_files_when_docker_deployed_them_then_no_change_and_afresh_the_same(
    topic: str, stack: str, tmp_path: Path
) -> None:
    paths = write_files(topic, tmp_path)
    docker_deploy(stack, paths)
    theirs = read_back(stack)
    checked = stack_module(stack, *paths, check_mode=True, **AS_DOCKER)
    assert checked.actions == []
    assert read_back(stack) == theirs
    stack_module(stack, state="absent")
    stack_module(stack, *paths, **AS_DOCKER)
    ours = read_back(stack)
    assert len(ours["services"]) >= len(set(theirs["services"])) > 0
    assert ours == theirs
    assert stack_module(stack, *paths, check_mode=True, **AS_DOCKER).actions == []


def test_compose_files_when_ours_is_there_then_docker_takes_it_over_unchanged(
    stack: str, tmp_path: Path
) -> None:
    paths = write_files("container", tmp_path)
    stack_module(stack, *paths, **AS_DOCKER)
    ours = read_back(stack)
    docker_deploy(stack, paths)
    assert read_back(stack) == ours


@pytest.mark.parametrize(
    ("topic", "number"),
    [(topic, number) for topic in RECORDED for number in range(len(documents(topic)))],
)
def test_compose_file_when_recorded_then_docker_and_we_send_the_same(
    topic: str, number: int, tmp_path: Path
) -> None:
    path = write_files(topic, tmp_path)[number]
    calls = recorded_deploy("s", [path], tmp_path)
    stack, _ = load_stack([path], Naming("s"), variables=VARIABLES)
    sent = {body["Name"]: canonical_service(body) for body in calls["services"]}
    assert {name: canonical_service(spec) for name, spec in stack.services.items()} == sent
    made = {body["Name"]: body.get("Driver") for body in calls["secrets"]}
    assert {name: file.driver for name, file in stack.secrets.items()} == made


def test_compose_files_are_many() -> None:
    assert sum(len(documents(topic)) for topic in (*TOPICS, *RECORDED)) >= 80
    assert {path.stem for path in COMPOSE.glob("*.yml")} == {*TOPICS, *RECORDED}
