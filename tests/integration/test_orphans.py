"""Orphans on a real swarm: found by a running console within two minutes, and repaired."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from tests.conftest import PLAN, RunningConsole, remove_labelled, wait_until
from tests.integration.stack_helpers import ensure_image

FOUND_WITHIN = 120  # seconds


@pytest.fixture
def stray(engine: docker.DockerClient) -> Iterator[str]:
    """The id of a deployment that no console knows."""
    ident = secrets.token_hex(4)
    yield ident
    remove_labelled(engine, f"labyard.deployment={ident}")


def put_stack(engine: docker.DockerClient, ident: str, console: str) -> str:
    """A service, a network, a config and a volume as a console would have made them; the stack's name."""
    stack = f"test-orphan-{ident}"
    labels = {
        "labyard.deployment": ident,
        "labyard.console": console,
        "com.docker.stack.namespace": stack,
    }
    network = engine.networks.create(f"{stack}_default", driver="overlay", labels=labels)
    engine.configs.create(name=f"{stack}_settings", data=b"x", labels=labels)
    engine.volumes.create(f"{stack}_home", labels=labels)
    engine.services.create(
        ensure_image(engine),
        command=["sleep", "3600"],
        name=f"{stack}_web",
        labels=labels,
        container_labels=labels,
        networks=[network.id],
        endpoint_spec=docker.types.EndpointSpec(mode="dnsrr"),
        stop_grace_period=1,
    )
    return stack


def orphans(console: RunningConsole, **about: str) -> list[dict[str, Any]]:
    """The listed orphans with these values."""
    items = console.call("GET", "orphans").json()["items"]
    return [item for item in items if all(item[key] == value for key, value in about.items())]


def last_look(console: RunningConsole) -> str:
    """When a worker has looked at the swarm."""
    ((moment,),) = console.query("SELECT max(seen_at) FROM nodes")
    return str(moment)


def repair(console: RunningConsole, orphan: dict[str, Any], action: str) -> dict[str, Any]:
    answer = console.call("POST", f"orphans/{orphan['id']}/repair", {"action": action})
    assert answer.status_code == 202, answer.text
    done: dict[str, Any] = answer.json()
    return done


def test_stack_without_a_deployment_is_found_and_removed_but_not_its_volume(
    console: RunningConsole, engine: docker.DockerClient, stray: str
) -> None:
    ((console_id,),) = console.query("SELECT id FROM installations")
    stack = put_stack(engine, stray, console_id)
    (found,) = wait_until(
        lambda: orphans(console, kind="stack", deployment=stray), FOUND_WITHIN, "the orphan was found"
    )
    assert found["ident"] == stack
    (volume,) = orphans(console, kind="volume", deployment=stray)
    repair(console, found, "remove")
    wait_until(
        lambda: not orphans(console, kind="stack", deployment=stray), FOUND_WITHIN, "the orphan was removed"
    )
    about = {"filters": {"label": f"labyard.deployment={stray}"}}
    assert not engine.services.list(**about)
    assert not engine.networks.list(**about)
    assert not engine.configs.list(**about)
    assert [v.name for v in engine.volumes.list(**about)] == [f"{stack}_home"]
    repair(console, volume, "remove")
    wait_until(lambda: not engine.volumes.list(**about), FOUND_WITHIN, "the volume was deleted")


def test_stack_of_another_console_is_left_alone(
    console: RunningConsole, engine: docker.DockerClient, stray: str
) -> None:
    put_stack(engine, stray, "anotherone12")
    before = last_look(console)
    wait_until(lambda: last_look(console) != before, 60, "the swarm was looked at")
    seen = last_look(console)
    wait_until(lambda: last_look(console) != seen, 60, "the swarm was looked at again")
    assert console.query("SELECT * FROM orphans WHERE deployment_id = :id", id=stray) == []
    assert orphans(console, deployment=stray) == []


def test_deployment_that_vanished_is_found_and_installed_again(
    console: RunningConsole, engine: docker.DockerClient, unique: str
) -> None:
    done = console.finish(console.issue(plan=PLAN, phase="install", name=unique, params={}))
    assert done["state"] == 5, done
    ident = done["deployment"]["id"]
    ((console_id,),) = console.query("SELECT id FROM installations")
    (service,) = engine.services.list(filters={"label": f"labyard.deployment={ident}"})
    assert service.attrs["Spec"]["Labels"]["labyard.console"] == console_id
    service.remove()
    (found,) = wait_until(
        lambda: orphans(console, kind="deployment", ident=ident), FOUND_WITHIN, "the orphan was found"
    )
    command = repair(console, found, "reinstall")["command"]
    assert console.finish(command)["state"] == 5
    wait_until(
        lambda: console.call("GET", f"deployments/{ident}").json()["health"] == "running", 60, "it runs again"
    )
    assert orphans(console, ident=ident) == []
    removed = console.finish(console.issue(deployment=ident, phase="remove", params={"keep_data": False}))
    assert removed["deployment"]["state"] == 8, removed
