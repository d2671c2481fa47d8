"""Real registries for images: Debian's docker-registry on a port of 127.0.0.1, which engines trust."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bcrypt
import docker

from tests.conftest import free_port, wait_until
from tests.integration.debian_programs import ensure_program, log_of, running
from tests.integration.stack_helpers import IMAGE


@contextmanager
def registry(folder: Path, **passwords: str) -> Iterator[str]:
    """The `host:port` of an empty registry, while this lasts; people with passwords, or open to everybody."""
    program = ensure_program("docker-registry", "docker-registry", "docker-registry")
    address = f"127.0.0.1:{free_port()}"
    settings = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(folder / "images")}, "delete": {"enabled": True}},
        "http": {"addr": address},
    }
    if passwords:
        lines = [
            f"{name}:{bcrypt.hashpw(word.encode(), bcrypt.gensalt(4)).decode()}\n"
            for name, word in passwords.items()
        ]
        (folder / "people").write_text("".join(lines))
        settings["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "people")}}
    config, log = folder / "registry.json", folder / "registry.log"
    config.write_text(json.dumps(settings))  # JSON is YAML too
    with running(program, "serve", str(config), log=log) as process:
        wait_until(lambda: "listening on" in log_of(process, log), 20, "the registry listens")
        yield address


def push(
    engine: docker.DockerClient, name: str, version: str, login: dict[str, str] | None = None
) -> tuple[str, str]:
    """Push a new image like the tests' own under `name`, leaving no copy here; returns its digest and id."""
    repository, _, tag = name.rpartition(":")
    container = engine.api.create_container(IMAGE, ["true"])
    try:
        content = b"".join(engine.api.export(container))
    finally:
        engine.api.remove_container(container)
    changes = [f"ENV VERSION={version}"]
    engine.api.import_image_from_data(content, repository=repository, tag=tag, changes=changes)
    identity = str(engine.images.get(name).id)
    try:
        answer = engine.api.push(repository, tag, stream=True, decode=True, auth_config=login)
        found = [line["aux"]["Digest"] for line in answer if "aux" in line]
        assert found, f"{name} was not pushed"
    finally:
        engine.images.remove(identity, force=True)
    return str(found[0]), identity


def remove_images(engine: docker.DockerClient, address: str) -> None:
    """Remove all images that came from a registry."""
    for image in engine.images.list():
        names = [*image.attrs["RepoTags"], *image.attrs["RepoDigests"]]
        if any(name.startswith(f"{address}/") for name in names):
            engine.images.remove(image.id, force=True)


def log_in(address: str, user: str, password: str) -> None:
    """`docker login`, into the folder that DOCKER_CONFIG names."""
    subprocess.run(
        ["docker", "login", address, "--username", user, "--password-stdin"],
        input=password,
        text=True,
        check=True,
        capture_output=True,
        timeout=60,
    )
