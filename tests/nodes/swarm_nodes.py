"""A real swarm of three nodes for tests: one manager and two workers, each a container with an engine."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException
from docker.tls import TLSConfig

from tests.conftest import wait_until
from tests.integration.tls_engine import write_certificates
from tests.nodes.machines import SECONDS_TO_START, Machines

ENGINE_PORT = 2376
MANAGER = "node1"
SERVER_FILES = ("ca.pem", "server.pem", "server-key.pem")


class SwarmNodes(Machines):
    """Machines with engines, which form a swarm: the first is the manager. Each engine answers over TLS."""

    stage = "engine"
    #: Seconds between two signs of life of a node; after three without one it counts as down.
    heartbeat = 2

    def __init__(self, *given: Any, **keywords: Any) -> None:
        super().__init__(*given, **keywords)
        self._clients: dict[str, docker.DockerClient] = {}

    def start(self) -> None:
        """Make the machines and the swarm, and wait until all nodes are ready."""
        super().start()
        manager = self.client(MANAGER)
        manager.swarm.init(
            advertise_addr=self.nodes[MANAGER].address,
            dispatcher_heartbeat_period=self.heartbeat * 10**9,
        )
        token = manager.swarm.attrs["JoinTokens"]["Worker"]
        others = [name for name in self.names if name != MANAGER]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: self._join(name, token), others))
        self.wait_for_states(dict.fromkeys(self.names, "ready"))

    def stop(self) -> None:
        """Remove nodes, swarm and all."""
        for client in self._clients.values():
            client.close()
        super().stop()

    def client(self, node: str = MANAGER) -> docker.DockerClient:
        """The engine of a node."""
        if node not in self._clients:
            self._clients[node] = self._connect(node)
        return self._clients[node]

    def connection(self, node: str = MANAGER) -> dict[str, Any]:
        """The engine of a node as options of a module."""
        return {
            "docker_host": f"tcp://{self.nodes[node].address}:{ENGINE_PORT}",
            "validate_certs": True,
            "ca_path": str(self.folder / "ca.pem"),
            "client_cert": str(self.folder / "cert.pem"),
            "client_key": str(self.folder / "key.pem"),
        }

    def load_image(self, reference: str) -> None:
        """Put an image of this machine's engine on all nodes."""
        image = b"".join(self.engine.images.get(reference).save(named=reference))
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: self.client(name).images.load(image), self.names))

    def states(self) -> dict[str, str]:
        """ready, down, unknown or disconnected by name of the node, as the manager sees it."""
        return {
            node.attrs["Description"]["Hostname"]: node.attrs["Status"]["State"]
            for node in self.client().nodes.list()
            if "Hostname" in node.attrs["Description"]  # one that is joining has not said its name yet
        }

    def wait_for_states(self, wanted: Mapping[str, str]) -> None:
        """Wait until the manager sees nodes in the wanted states."""

        def reached() -> bool:
            with suppress(DockerException, requests.RequestException):  # the manager may just be starting
                return wanted.items() <= self.states().items()
            return False

        wait_until(reached, SECONDS_TO_START, f"nodes are {dict(wanted)}")

    def availability(self, node: str, wanted: str) -> None:
        """Set a node to active, pause or drain."""
        self._change(node, lambda spec: {**spec, "Availability": wanted})

    def drain(self, node: str) -> None:
        """Take all tasks from a node."""
        self.availability(node, "drain")

    def label(self, node: str, **labels: str) -> None:
        """Set the labels of a node."""
        self._change(node, lambda spec: {**spec, "Labels": labels})

    def recover(self) -> None:
        """Bring the swarm back to three ready, active nodes without labels."""
        for name in self.names:
            if self.container(name).status != "running":
                self.restart(name)
            self.heal(name)
        self.wait_for_states(dict.fromkeys(self.names, "ready"))
        for name in self.names:
            self._change(name, lambda spec: {**spec, "Availability": "active", "Labels": {}})

    def answers(self, node: str) -> bool:
        """Whether the machine's engine answers."""
        try:
            return bool(self.client(node).ping())
        except (DockerException, requests.RequestException, OSError):
            return False

    def _change(self, name: str, change: Any) -> None:
        """Change the spec of a node, again if somebody else changed it at the same time."""

        def done() -> bool:
            (node,) = self.client().nodes.list(filters={"name": name})
            wanted = change(node.attrs["Spec"])
            try:
                return wanted == node.attrs["Spec"] or bool(node.update(wanted))
            except APIError as error:
                if "out of sequence" in str(error):
                    return False
                raise

        wait_until(done, SECONDS_TO_START, f"{name} is changed")

    def _join(self, name: str, token: str) -> None:
        address = f"{self.nodes[MANAGER].address}:2377"
        self.client(name).swarm.join(
            remote_addrs=[address], join_token=token, advertise_addr=self.nodes[name].address
        )

    def _connect(self, node: str) -> docker.DockerClient:
        files = self.connection(node)
        tls = TLSConfig(
            client_cert=(files["client_cert"], files["client_key"]), ca_cert=files["ca_path"], verify=True
        )
        url = f"https://{self.nodes[node].address}:{ENGINE_PORT}"
        client = docker.DockerClient(base_url=url, version="1.41", tls=tls, timeout=20)
        client.api.trust_env = False  # else REQUESTS_CA_BUNDLE would count, and not our authority
        return client

    def _files(self) -> Mapping[str, tuple[bytes, int]]:
        write_certificates(self.folder, [node.address for node in self.nodes.values()])
        return {f"etc/docker/{name}": ((self.folder / name).read_bytes(), 0o600) for name in SERVER_FILES}
