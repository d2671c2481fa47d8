"""Images from real registries: digests, tags that move, and registries that let in only some."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import StackError
from tests.integration.registries import log_in, push, registry, remove_images
from tests.integration.stack_helpers import (
    docker_command,
    ensure_image,
    run_play,
    service,
    stack_module,
    stack_names,
)

USER, PASSWORD = "ada", "correct-horse-battery"
LOGIN = {"username": USER, "password": PASSWORD}


@pytest.fixture(scope="module")
def open_registry(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a registry that lets everybody in."""
    ensure_image(engine)
    with registry(tmp_path_factory.mktemp("open")) as address:
        yield address
    remove_images(engine, address)


@pytest.fixture(scope="module")
def closed_registry(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a registry that lets in one person."""
    ensure_image(engine)
    with registry(tmp_path_factory.mktemp("closed"), **{USER: PASSWORD}) as address:
        yield address
    remove_images(engine, address)


@pytest.fixture
def private_image(engine: docker.DockerClient, closed_registry: str) -> str:
    """An image that this engine has no copy of, and that only one person gets."""
    remove_images(engine, closed_registry)
    name = f"{closed_registry}/labyard-test/private:1"
    push(engine, name, "1", LOGIN)
    return name


@pytest.fixture(autouse=True)
def logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for what `docker login` stores."""
    folder = tmp_path / "logins"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder


@pytest.fixture
def stack() -> Iterator[str]:
    """A name for a stack, which is removed afterwards."""
    with stack_names() as make:
        yield make()


def idle(image: str) -> dict[str, Any]:
    """A document with a service that runs nowhere, so that only its spec matters."""
    return {"services": {"web": service(image=image, deploy={"replicas": 0})}}


def basic_auth(password: str) -> str:
    """How `docker login` stores a password."""
    return base64.b64encode(f"{USER}:{password}".encode()).decode()


def store_login(folder: Path, address: str, password: str) -> None:
    """What `docker login` would store, whether the password is right or not."""
    document = {"auths": {address: {"auth": basic_auth(password)}}}
    (folder / "config.json").write_text(json.dumps(document))


def template_of(engine: docker.DockerClient, stack: str) -> dict[str, Any]:
    found: dict[str, Any] = engine.services.get(f"{stack}_web").attrs["Spec"]["TaskTemplate"]
    return found


def image_of(engine: docker.DockerClient, stack: str) -> str:
    return str(template_of(engine, stack)["ContainerSpec"]["Image"])


def test_first_deployment_then_digest_and_platforms_as_docker_sets_them(
    engine: docker.DockerClient, open_registry: str, stack: str, tmp_path: Path
) -> None:
    name = f"{open_registry}/labyard-test/app:first"
    digest, _ = push(engine, name, "1")
    assert stack_module(stack, idle(name)).warnings == []
    ours = template_of(engine, stack)
    assert ours["ContainerSpec"]["Image"] == f"{name}@{digest}"
    assert ours["Placement"]["Platforms"] == [{"Architecture": engine.version()["Arch"], "OS": "linux"}]
    stack_module(stack, state="absent")
    file = tmp_path / "compose.json"
    document = idle(name)
    document["services"]["web"]["deploy"]["endpoint_mode"] = "dnsrr"
    file.write_text(json.dumps({"version": "3.8", **document}))
    docker_command("stack", "deploy", "--resolve-image", "always", "--compose-file", str(file), stack)
    theirs = template_of(engine, stack)
    assert (theirs["ContainerSpec"]["Image"], theirs["Placement"]) == (
        ours["ContainerSpec"]["Image"],
        ours["Placement"],
    )
    for choice in ("always", "changed", "never"):
        assert not stack_module(stack, str(file), resolve_image=choice, dotenv=False).changed


def test_tag_that_moves_then_only_always_follows_it(
    engine: docker.DockerClient, open_registry: str, stack: str
) -> None:
    name = f"{open_registry}/labyard-test/app:moving"
    old, _ = push(engine, name, "1")
    stack_module(stack, idle(name))
    new, _ = push(engine, name, "2")
    assert new != old
    for choice in ("never", "changed"):
        assert not stack_module(stack, idle(name), resolve_image=choice).changed
        assert image_of(engine, stack) == f"{name}@{old}"
    checked = stack_module(stack, idle(name), resolve_image="always", check_mode=True)
    assert [item["name"] for item in checked.actions] == [f"{stack}_web"]
    assert stack_module(stack, idle(name), resolve_image="always").changed
    assert image_of(engine, stack) == f"{name}@{new}"
    assert not stack_module(stack, idle(name), resolve_image="always").changed


@pytest.mark.parametrize(("choice", "asks"), [("always", True), ("changed", True), ("never", False)])
def test_another_tag_then_its_digest_unless_never(
    engine: docker.DockerClient, open_registry: str, stack: str, choice: str, asks: bool
) -> None:
    one, two = (f"{open_registry}/labyard-test/app:{tag}" for tag in ("one", "two"))
    push(engine, one, "1")
    digest, _ = push(engine, two, "2")
    stack_module(stack, idle(one))
    assert stack_module(stack, idle(two), resolve_image=choice).changed
    assert image_of(engine, stack) == (f"{two}@{digest}" if asks else two)


def test_always_when_the_registry_is_gone_then_nothing_changes_and_a_warning(
    engine: docker.DockerClient, stack: str, tmp_path: Path
) -> None:
    ensure_image(engine)
    with registry(tmp_path) as address:
        name = f"{address}/labyard-test/app:1"
        push(engine, name, "1")
        stack_module(stack, idle(name))
    outcome = stack_module(stack, idle(name), resolve_image="always")
    assert not outcome.changed
    assert f"gives no digest for the image {name}" in outcome.warnings[0]


def test_private_image_with_the_credentials_then_the_engine_pulls_it_and_nothing_shows_them(
    engine: docker.DockerClient, closed_registry: str, private_image: str, stack: str, tmp_path: Path
) -> None:
    log_in(closed_registry, USER, PASSWORD)
    document = {"services": {"web": service(image=private_image)}}
    task = {"name": stack, "compose": [document], "with_registry_auth": True}
    done = run_play(tmp_path, task, "--diff", "-vvv")
    assert done.returncode == 0, done.stdout + done.stderr
    (container,) = engine.containers.list(filters={"label": f"com.docker.swarm.service.name={stack}_web"})
    assert "VERSION=1" in container.attrs["Config"]["Env"]
    assert f'"Image": "{private_image}@sha256:' in done.stdout
    for secret in (PASSWORD, basic_auth(PASSWORD), "X-Registry-Auth"):
        assert secret not in done.stdout + done.stderr
    assert not stack_module(stack, document, with_registry_auth=True).changed


@pytest.mark.parametrize(
    ("password", "with_auth", "words"),
    [
        pytest.param("", True, "no basic auth credentials", id="no login"),
        pytest.param("wrong-horse-battery", True, "unauthorized", id="wrong password"),
        pytest.param(PASSWORD, False, "with_registry_auth sends them to the nodes", id="not sent"),
    ],
)
def test_private_image_without_the_credentials_then_why_and_nothing_is_left(
    engine: docker.DockerClient,
    closed_registry: str,
    private_image: str,
    stack: str,
    logins: Path,
    password: str,
    with_auth: bool,
    words: str,
) -> None:
    if password:
        store_login(logins, closed_registry, password)
    source = {"services": {"web": service(image=private_image)}}
    with pytest.raises(StackError) as caught:
        stack_module(stack, source, with_registry_auth=with_auth)
    message = str(caught.value)
    assert f"Service {stack}_web cannot start: the image {private_image}" in message
    assert words in message
    assert "with_registry_auth" in message
    assert "What this call had created was removed again." in message
    assert not password or password not in message + repr(caught.value.reasons)


def test_login_that_the_registry_does_not_want_then_no_difference(
    engine: docker.DockerClient, open_registry: str, stack: str, logins: Path
) -> None:
    name = f"{open_registry}/labyard-test/app:anyone"
    push(engine, name, "1")
    store_login(logins, open_registry, "nothing-at-all")
    assert stack_module(stack, idle(name), with_registry_auth=True).warnings == []
