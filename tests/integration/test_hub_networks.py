"""A hub whose people have networks of their own: what reaches a notebook, and what does not."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import pytest
import requests
from docker.models.containers import Container

from tests.conftest import free_port, wait_until
from tests.services.executing import execute

from .role_plays import play, role, write_inventory

#: Prints what answers at an address. That something takes the connection says nothing: behind some machines'
#: gateways, whatever address is asked for seems to.
ASK = (
    "import sys, urllib.request\ntry:\n    print(urllib.request.urlopen(sys.argv[1], timeout=3).read())\n"
    "except OSError as error:\n    print(error)"
)


@dataclass
class Hub:
    """A hub with networks for two people, asked as a program that may start notebooks for everybody."""

    url: str
    stack: str
    token: str
    engine: docker.DockerClient

    def call(self, method: str, path: str) -> requests.Response:
        """Ask the hub's REST interface."""
        headers = {"Authorization": f"token {self.token}"}
        return requests.request(method, f"{self.url}/hub/api/{path}", headers=headers, timeout=30)

    def start(self, person: str, server: str = "") -> Container:
        """A notebook of a person that runs; its container."""
        self.call("POST", f"users/{person}")
        asked = self.call("POST", self._path(person, server))
        assert asked.status_code in (201, 202), asked.text
        wait_until(
            lambda: self._servers(person).get(server, {}).get("ready"), 120, f"{person}'s {server} is ready"
        )
        return self.container(person, server)

    def stop(self, person: str, server: str = "") -> None:
        """Stop a notebook and wait until it is gone."""
        self.call("DELETE", self._path(person, server))
        wait_until(lambda: not self._servers(person).get(server), 60, f"{person}'s {server} is gone")

    def failure(self, person: str) -> str:
        """Why a notebook does not start."""
        self.call("POST", f"users/{person}")
        self.call("POST", f"users/{person}/server")
        told = self.call("GET", f"users/{person}/server/progress").text
        events = [
            json.loads(line.removeprefix("data: ")) for line in told.splitlines() if line.startswith("data")
        ]
        assert events[-1].get("failed"), events
        return str(events[-1]["message"])

    def container(self, person: str, server: str = "") -> Container:
        """The one container of a notebook."""
        labels = [f"labyard.hub={self.stack}", f"labyard.owner={person}", f"labyard.hub.server={server}"]
        (found,) = self.engine.containers.list(filters={"label": labels})
        return found

    def part(self, name: str) -> Container:
        """The container of hub or proxy; none while it is being replaced."""
        service = f"com.docker.swarm.service.name={self.stack}_{name}"
        (found,) = self.engine.containers.list(filters={"label": service})
        return found

    def passes(self, person: str) -> bool:
        """Whether the proxy leads to a person's notebook."""
        try:
            answer = requests.get(f"{self.url}/user/{person}/api", timeout=30, allow_redirects=False)
        except requests.ConnectionError:
            return False
        return answer.ok and "version" in answer.text

    def _servers(self, person: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"users/{person}").json()["servers"]
        return found

    def _path(self, person: str, server: str) -> str:
        return f"users/{person}/servers/{server}" if server else f"users/{person}/server"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, engine: docker.DockerClient) -> Iterator[Hub]:
    """The hub; nobody signs in, so the provider that it names need not be there."""
    folder, word, port = tmp_path_factory.mktemp("hub"), f"t{secrets.token_hex(3)}", free_port()
    write_inventory(folder)
    token = secrets.token_urlsafe(32)
    image = "labyard/notebook-minimal:current"
    variables = {
        "jupyterhub_stack": f"test-own-{word}",
        "jupyterhub_url": f"http://127.0.0.1:{port}",
        "jupyterhub_subdomains": False,
        "jupyterhub_port": port,
        "jupyterhub_secret": secrets.token_urlsafe(32),
        "jupyterhub_operator_token": token,
        "jupyterhub_sign_in": "oidc",
        "jupyterhub_oidc": {"issuer": "https://127.0.0.1:1", "client_id": "hub"},
        "jupyterhub_oidc_client_secret": "of no use",
        "jupyterhub_private_networks": 2,
        "jupyterhub_network_subnet": "10.211.90.0/24",
        "jupyterhub_control_subnet": "10.211.91.0/27",
        "jupyterhub_profiles": [
            {"name": "small", "title": "Small", "image": image, "cpu_limit": 0.5, "memory_limit": 512}
        ],
    }
    try:
        images = role("image", image_names=["hub", "notebook-minimal"])
        play(folder, variables, images, role("jupyterhub"))
        yield Hub(variables["jupyterhub_url"], variables["jupyterhub_stack"], token, engine)
    finally:
        play(folder, {**variables, "jupyterhub_keep_data": False}, role("jupyterhub", tasks_from="remove"))


def reaches(one: Container, at: str, path: str) -> bool:
    """Whether, from inside a container, a notebook answers at a name or an address, past the proxy."""
    asked = ["python3", "-c", ASK, f"http://{at}:8888/user/{path}/api"]
    return b"version" in execute(one, asked).output


def address(container: Container) -> str:
    """Where a notebook is in the network of its owner."""
    container.reload()
    networks = container.attrs["NetworkSettings"]["Networks"]
    (found,) = (each["IPAddress"] for name, each in networks.items() if name != "docker_gwbridge")
    return str(found)


def name(container: Container) -> str:
    """The name of a container's service, by which others find it."""
    return str(container.labels["com.docker.swarm.service.name"])


def test_notebooks_when_people_have_networks_then_only_ones_own_are_reached_also_after_a_restart(
    hub: Hub,
) -> None:
    ada, second, bob = hub.start("ada"), hub.start("ada", "second"), hub.start("bob")
    for place in (name, address):
        assert reaches(ada, place(second), "ada/second"), "her own"
        assert not reaches(ada, place(bob), "bob")
        assert not reaches(bob, place(ada), "ada")
    assert hub.passes("ada")
    assert hub.passes("bob")

    assert "2 people have notebooks" in hub.failure("eve")
    hub.stop("bob")
    eve = hub.start("eve")
    assert eve.labels["labyard.hub.network"] == bob.labels["labyard.hub.network"]

    for part in ("hub", "proxy"):
        hub.part(part).kill()
    wait_until(lambda: hub.passes("ada") and hub.passes("eve"), 90, "the proxy leads to them again")
    wait_until(lambda: hub.call("GET", "").ok, 90, "the hub answers again")
    assert hub.container("ada").id == ada.id
    hub.stop("ada")
    hub.start("ada")
    assert hub.passes("ada")
