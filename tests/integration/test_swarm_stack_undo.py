"""What putting back does to volumes: those that a failed call has made go, those that were there stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker
import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import StackError
from tests.integration.stack_helpers import ensure_image, service, stack_module, stack_names


@pytest.fixture
def stack(engine: docker.DockerClient) -> Iterator[str]:
    """A name for a stack, which is removed afterwards."""
    ensure_image(engine)
    with stack_names() as make:
        yield make()


def document(*names: str, command: str = "sleep 1000", **volumes: Any) -> dict[str, Any]:
    """A service that writes into volumes and then runs `command`."""
    script = "; ".join(f"echo data >>/{name}/file" for name in names)
    web = service(command=["sh", "-c", f"{script}; {command}"], volumes=[f"{name}:/{name}" for name in names])
    return {"services": {"web": web}, "volumes": {name: volumes.get(name, {}) for name in names}}


def volumes_of(engine: docker.DockerClient, stack: str) -> set[str]:
    return {
        volume.name.removeprefix(f"{stack}_")
        for volume in engine.volumes.list()
        if str(volume.name).startswith(f"{stack}_")
    }


def test_first_deployment_that_fails_then_its_new_volumes_go_and_others_stay(
    engine: docker.DockerClient, stack: str
) -> None:
    older = engine.volumes.create(f"{stack}_older")
    options = {"driver_opts": {"type": "tmpfs", "device": "tmpfs"}}
    source = document("new", "older", "driven", command="exit 3", driven=options)
    try:
        with pytest.raises(StackError, match=r"What this call had created was removed again\."):
            stack_module(stack, source)
        assert volumes_of(engine, stack) == {"older", "driven"}
    finally:
        older.remove()


def test_update_that_fails_then_data_stay_and_only_the_new_volume_goes(
    engine: docker.DockerClient, stack: str
) -> None:
    stack_module(stack, document("data"))
    with pytest.raises(StackError, match="What ran before was put back and runs"):
        stack_module(stack, document("data", "new", command="exit 3"))
    assert volumes_of(engine, stack) == {"data"}


def test_first_deployment_that_fails_when_data_were_kept_then_they_stay(
    engine: docker.DockerClient, stack: str
) -> None:
    stack_module(stack, document("data"))
    stack_module(stack, state="absent")
    with pytest.raises(StackError):
        stack_module(stack, document("data", command="exit 3"))
    assert volumes_of(engine, stack) == {"data"}


def test_failure_with_leave_then_volumes_stay_to_be_looked_at(
    engine: docker.DockerClient, stack: str
) -> None:
    with pytest.raises(StackError, match="is left as it is"):
        stack_module(stack, document("new", command="exit 3"), on_failure="leave")
    assert volumes_of(engine, stack) == {"new"}
