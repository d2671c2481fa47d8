"""All machines of a platform lost, and bare ones in their place."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.cluster.platform import Platform
from tests.conftest import REPOSITORY, SCRIPTS


@contextmanager
def kept_images(platform: Platform) -> Iterator[Path]:
    """A file with the platform's images, for as long as this lasts: to make them anew takes long."""
    machines, (node,) = platform.machines(), platform.groups["registry"]
    names = platform.on(node, "docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "labyard/*").split()
    archive = platform.folder / "images.tar"
    with archive.open("wb") as target:
        save = ["docker", "exec", machines.container(node).name, "docker", "save", *names]
        subprocess.run(save, stdout=target, check=True)
    yield archive
    archive.unlink()


def lose_everything(platform: Platform) -> None:
    """End all machines for good, and lose the folder of homes that they shared; backups lie beside it."""
    platform.machines().stop()
    shutil.rmtree(platform.folder / "nodes" / "shared" / "homes", ignore_errors=True)


def make_bare_machines(platform: Platform, images: Path) -> None:
    """Machines of the same names, perhaps at other addresses; that of the registry gets the images."""
    machines = platform.machines()
    (machines.folder / "shared" / "homes").mkdir(exist_ok=True)
    machines.start()
    addresses = {node.name: node.address for node in machines.nodes.values()}
    (platform.folder / "nodes.json").write_text(json.dumps({"nodes": addresses}), "utf-8")
    path = platform.folder / "inventory" / "hosts.yml"
    inventory = yaml.safe_load(path.read_text("utf-8"))
    inventory["all"]["hosts"] = machines.inventory()["all"]["hosts"]
    path.write_text(yaml.safe_dump(inventory), "utf-8")
    _start_engine(platform)
    (node,) = platform.groups["registry"]
    load = ["docker", "exec", "--interactive", machines.container(node).name, "docker", "load", "--quiet"]
    with images.open("rb") as source:
        subprocess.run(load, stdin=source, check=True, capture_output=True)


def _start_engine(platform: Platform) -> None:
    """As site.yml does later on all of them; this one is to take images first."""
    role = ["-m", "ansible.builtin.include_role", "-a", "name=labyard.platform.docker_engine"]
    subprocess.run(
        [str(SCRIPTS / "ansible"), "registry", "-i", str(platform.folder / "inventory"), *role],
        cwd=REPOSITORY,
        env={**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")},
        check=True,
        capture_output=True,
    )
