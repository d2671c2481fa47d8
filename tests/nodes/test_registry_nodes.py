"""A private registry on three hosts, by the roles alone: what one host pushes, all have."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.conftest import REPOSITORY, SCRIPTS
from tests.integration.stack_helpers import ensure_image
from tests.nodes.hosts import Hosts
from tests.services.executing import execute

ROLES = "labyard.platform"
REGISTRY = "labyard/registry:current"
TOOL = "tools/tool:7"


@pytest.fixture(name="hosts", scope="module")
def _hosts(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """Three hosts; what stands in for their packages is installed."""
    made = Hosts(engine, tmp_path_factory.mktemp("registry"), group="registry")
    try:
        made.start()
        yield made
    finally:
        made.stop()


def role(name: str, tasks_from: str = "main", **settings: Any) -> dict[str, Any]:
    """A task that runs a role."""
    return {"include_role": {"name": f"{ROLES}.{name}", "tasks_from": tasks_from}, "vars": settings}


class Site:
    """An inventory of the hosts, the first of which has the registry."""

    def __init__(self, hosts: Hosts, folder: Path) -> None:
        self.hosts, self.folder = hosts, folder
        self.address = f"{hosts.nodes['node1'].address}:5000"
        known = hosts.inventory()["all"]["hosts"]
        inventory = {
            "hosts": known,
            "vars": self._settings(),
            "children": {
                "swarm_managers": {"hosts": {"node1": {}}},
                "swarm_workers": {"hosts": {name: {} for name in known if name != "node1"}},
                "registry": {"hosts": {"node1": {}}},
            },
        }
        (folder / "hosts.json").write_text(json.dumps({"all": inventory}))

    def _settings(self) -> dict[str, Any]:
        host, certificates = self.address.partition(":")[0], self.folder / "certificates"
        return {
            "swarm_heartbeat": 2,
            "certificates_folder": str(certificates),
            "certificates_wanted": [{"name": "registry", "dns_names": ["registry"], "ip_addresses": [host]}],
            "registry_host": host,
            "registry_password": "a-password-of-the-tests",
            "registry_certificate": str(certificates / "registry.crt"),
            "registry_certificate_key": str(certificates / "registry.key"),
            "registry_ca": str(certificates / "ca.crt"),
            "registry_constraints": ["node.labels.labyard.registry == true"],
            "registry_push_images": [{"source": "labyard-test/tool:7", "target": TOOL}],
            "registry_pull_images": [TOOL],
            "registry_pull_least_free": 10,
        }

    def play(self, *plays: tuple[str, list[dict[str, Any]]]) -> str:
        """What Ansible prints for plays, each a pattern of hosts and tasks; they must end well."""
        path = self.folder / "play.yml"
        path.write_text(
            json.dumps([{"hosts": hosts, "gather_facts": False, "tasks": tasks} for hosts, tasks in plays])
        )
        done = subprocess.run(
            [str(SCRIPTS / "ansible-playbook"), "-i", str(self.folder / "hosts.json"), str(path)],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(name="site", scope="module")
def _site(hosts: Hosts, engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A swarm with a registry that holds one image, pushed by the first host."""
    made = Site(hosts, tmp_path_factory.mktemp("site"))
    this = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    image = role("image", image_names=["registry"])
    certificates = role("certificates")
    made.play(
        ("localhost", [{**task, "vars": {**task["vars"], **this}} for task in (image, certificates)]),
        ("swarm_managers:swarm_workers", [role("docker_engine"), role("swarm")]),
    )
    tool = engine.images.get(ensure_image(engine))
    tool.tag("labyard-test/tool", "7")
    hosts.load_images("node1", [REGISTRY, f"labyard/registry:{_hash(engine)}", "labyard-test/tool:7"])
    engine.images.remove("labyard-test/tool:7")
    made.play(
        ("swarm_managers", [role("registry")]),
        ("swarm_managers:swarm_workers", [role("registry", "nodes")]),
        ("registry", [role("registry", "push")]),
    )
    return made


def _hash(engine: docker.DockerClient) -> str:
    return str(engine.images.get(REGISTRY).labels["labyard.hash"])


def test_image_when_one_host_has_pushed_it_then_all_pull_it_once(site: Site) -> None:
    everywhere = ("swarm_managers:swarm_workers", [role("registry", "pull")])
    assert site.play(everywhere).count("changed=1") >= 2
    again = site.play(everywhere)
    assert again.count("changed=0") == 3
    digests = {
        site.hosts.run(
            node, "docker", "inspect", "--format={{index .RepoDigests 0}}", f"{site.address}/{TOOL}"
        )
        for node in site.hosts.names
    }
    assert len(digests) == 1
    assert digests.pop().startswith(f"{site.address}/tools/tool@sha256:")


def test_images_when_one_is_in_use_on_a_worker_then_pruning_leaves_it(site: Site) -> None:
    name = f"{site.address}/{TOOL}"
    site.hosts.run("node3", "docker", "pull", "--quiet", name)
    site.hosts.run("node3", "docker", "create", "--name=user", name, "true")
    prune = ("swarm_managers:swarm_workers", [role("registry", "prune", registry_prune_keep=0)])
    assert "changed=1" not in site.play(prune)
    site.hosts.run("node3", "docker", "rm", "user")
    site.play(prune)
    code, said = execute(site.hosts.container("node3"), ["docker", "pull", "--quiet", name])
    assert code != 0, said
