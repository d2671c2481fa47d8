"""Images between this machine's engine and a real registry: pushed, pulled, thrown away."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from ansible_collections.labyard.platform.plugins.module_utils._registry.engine import EngineImages
from ansible_collections.labyard.platform.plugins.module_utils._registry.errors import RegistryError
from ansible_collections.labyard.platform.plugins.module_utils._registry.pulling import Wish, pull_images
from ansible_collections.labyard.platform.plugins.module_utils._registry.pushing import push_images
from tests.integration.registries import log_in, registry, remove_images
from tests.integration.stack_helpers import ensure_image

SOCKET = Path("/var/run/docker.sock")
MIB = 2**20


@dataclass
class House:
    """A registry with a password, an engine that is logged in, and images of its own."""

    docker: docker.DockerClient
    engine: EngineImages
    address: str
    prefix: str

    def image(self, tag: str, size: int = MIB) -> str:
        """The name of a new image of so many bytes that nothing makes smaller."""
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as tar:
            entry = tarfile.TarInfo("content")
            entry.size = size
            tar.addfile(entry, io.BytesIO(os.urandom(size)))
        self.docker.api.import_image_from_data(content.getvalue(), repository=self.prefix, tag=tag)
        return f"{self.prefix}:{tag}"

    def push(self, source: str, tag: str, *, check_mode: bool = False) -> tuple[tuple[str, ...], str]:
        """What was pushed, and the digest that it has."""
        target = f"{self.address}/tests/image:{tag}"
        done = push_images(self.engine, [(source, target)], "", check_mode)
        return done.pushed, done.digests[target]


@pytest.fixture
def house(
    engine: docker.DockerClient, tmp_path: Path, unique: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "login"))
    with registry(tmp_path, ada="her password") as address:
        log_in(address, "ada", "her password")
        made = House(
            engine, EngineImages(SOCKET, tmp_path / "login"), address, f"labyard-test/images-{unique}"
        )
        try:
            yield made
        finally:
            remove_images(engine, address)
            for image in engine.images.list(made.prefix):
                engine.images.remove(image.id, force=True)


def test_image_when_pushed_twice_then_it_is_sent_once(house: House) -> None:
    source = house.image("1")
    target = f"{house.address}/tests/image:a"
    assert house.push(source, "a", check_mode=True) == ((target,), "")
    pushed, digest = house.push(source, "a")
    assert pushed == (target,)
    assert digest.startswith("sha256:")
    assert house.push(source, "a") == ((), digest)
    assert house.push(source, "b") == ((f"{house.address}/tests/image:b",), digest)


def test_image_when_its_tag_moves_on_at_the_registry_then_a_pull_refreshes_it(house: House) -> None:
    name = f"{house.address}/tests/image:a"
    _, first = house.push(house.image("1"), "a")
    remove_images(house.docker, house.address)
    assert pull_images(house.engine, [Wish(name)], 0, check_mode=True).pulled == [name]
    assert house.engine.find(name) is None
    assert pull_images(house.engine, [Wish(name)], 0, check_mode=False).digests == {name: first}
    _, second = house.push(house.image("2"), "a")
    remove_images(house.docker, house.address)
    pull_images(house.engine, [Wish(name, keep_as=f"{house.prefix}-kept")], 0, check_mode=False)
    kept = house.engine.find(f"{house.prefix}-kept:a")
    assert kept is not None
    assert kept.digests == (f"{house.address}/tests/image@{second}",)
    again = pull_images(house.engine, [Wish(name, keep_as=f"{house.prefix}-kept")], 0, check_mode=False)
    assert (again.pulled, again.named) == ([], [])
    house.docker.images.remove(f"{house.prefix}-kept:a", force=True)


def test_image_when_it_is_another_than_wanted_then_it_is_refused(house: House) -> None:
    name = f"{house.address}/tests/image:a"
    house.push(house.image("1"), "a")
    with pytest.raises(RegistryError, match="Find out who"):
        pull_images(house.engine, [Wish(name, digest="sha256:" + "0" * 64)], 0, check_mode=False)


def test_pull_when_the_registry_has_no_such_image_then_that_is_said(house: House) -> None:
    with pytest.raises(RegistryError, match="push it there first"):
        pull_images(house.engine, [Wish(f"{house.address}/tests/none:a")], 0, check_mode=False)


def test_pull_when_there_is_no_room_then_nothing_is_pulled(house: House) -> None:
    name = f"{house.address}/tests/image:a"
    house.push(house.image("1"), "a")
    remove_images(house.docker, house.address)
    with pytest.raises(RegistryError, match="Make room on this node"):
        pull_images(house.engine, [Wish(name)], 2**60, check_mode=False)
    assert house.engine.find(name) is None


def test_push_when_nobody_logged_in_then_what_to_do_is_said(house: House, tmp_path: Path) -> None:
    source = house.image("1")
    shutil.rmtree(tmp_path / "login")
    with pytest.raises(RegistryError, match="entry point nodes"):
        house.push(source, "a")


def test_push_when_the_volume_of_the_registry_has_no_room_then_nothing_is_sent(
    house: House, unique: str
) -> None:
    volume = f"labyard-test-{unique}"
    source = house.image("1", 8 * MIB)
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=4m"}
    house.docker.volumes.create(volume, driver_opts=options)
    try:
        # An engine mounts such a volume for as long as a container has it.
        holder = house.docker.containers.run(
            ensure_image(house.docker), ["sleep", "600"], volumes=[f"{volume}:/v"], detach=True, init=True
        )
        with pytest.raises(RegistryError, match="Nothing was pushed"):
            push_images(house.engine, [(source, f"{house.address}/tests/image:a")], volume, False)
        holder.remove(force=True)
    finally:
        house.docker.volumes.get(volume).remove(force=True)


def test_push_when_the_disk_of_the_registry_is_full_then_that_is_said(house: House, tmp_path: Path) -> None:
    source = house.image("1", 8 * MIB)
    folder = tmp_path / "images"
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=True)
    try:
        with pytest.raises(RegistryError, match=r"full disk|disk is full"):
            house.push(source, "a")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
