"""Hosts that run a worker of the console and nothing else: containers with a name and a network."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import docker
from docker.models.containers import Container
from docker.models.networks import Network

from tests.conftest import REPOSITORY, SCRIPTS
from tests.nodes.node_image import ensure_node_image
from tests.services.executing import execute


class WorkerHost:
    """One host. Its code is that of the tests, read-only; its state is its own and goes with it.

    :param name: the host's name, and with a prefix the container's
    :param environment: settings of the worker
    :param shared: a folder that all hosts share, at the same path; settings may point into it
    """

    def __init__(
        self,
        engine: docker.DockerClient,
        network: Network,
        name: str,
        environment: Mapping[str, str],
        shared: Path,
        concurrency: int,
    ) -> None:
        image = ensure_node_image(engine, "bare")
        code = {str(REPOSITORY), sys.prefix, sys.base_prefix} - {"/usr"}
        self.container: Container = engine.containers.create(
            image,
            [str(SCRIPTS / "labyard"), "worker", "--concurrency", str(concurrency)],
            name=f"{network.name}-{name}",
            hostname=name,
            network=network.name,
            cap_add=["NET_ADMIN"],
            environment={"PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8", **environment},
            volumes={path: {"bind": path, "mode": "ro"} for path in code}
            | {str(shared): {"bind": str(shared), "mode": "rw"}},
        )
        self.name = name

    def start(self) -> None:
        """Switch the host on."""
        self.container.start()

    def cut(self) -> None:
        """Pull the network's cable: what runs on the host goes on running."""
        self._run("ip", "link", "set", "eth0", "down")

    def heal(self) -> None:
        """Put the cable back."""
        self._run("ip", "link", "set", "eth0", "up")

    def kill(self) -> None:
        """Cut the power."""
        self.container.kill()

    def processes(self, word: str) -> list[str]:
        """Command lines on the host in which `word` stands."""
        found = self.container.top(ps_args="-o pid,args")["Processes"] or []
        return [line for _, line in found if word in line]

    def log(self) -> str:
        """What the worker said."""
        text: str = self.container.logs().decode("utf-8", "replace")
        return text

    def remove(self) -> None:
        """Take the host away."""
        self.container.remove(force=True, v=True)

    def _run(self, *command: str) -> None:
        code, output = execute(self.container, list(command))
        assert code == 0, f"{' '.join(command)} on {self.name}: {output.decode('utf-8', 'replace')}"
