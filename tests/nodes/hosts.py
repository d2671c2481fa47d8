"""Hosts for a platform: machines with an engine that is installed and does not run, reached by ssh."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

from tests.nodes.machines import CONTROL_GROUPS, Machines


class Hosts(Machines):
    """Machines that a playbook makes a platform of. Images can be put on them, which saves making them."""

    stage = "host"
    #: A folder that all machines share, as a mount of a file server would be.
    shared = "/srv/shared"

    def _host_config(self, name: str, network: str) -> dict[str, Any]:
        config = super()._host_config(name, network)
        folder = self.folder / "shared"
        folder.mkdir(exist_ok=True)
        config["Binds"].append(f"{folder}:{self.shared}:rw")
        return config

    def inventory(self) -> dict[str, Any]:
        """The machines for Ansible, with what an engine in a container needs to be told."""
        found = super().inventory()
        for name, host in found["all"]["hosts"].items():
            host["docker_engine_arguments"] = [f"--cgroup-parent=/{CONTROL_GROUPS}/{self.prefix}-{name}"]
        return found

    def load_images(self, node: str, references: Sequence[str]) -> None:
        """Put images of this machine's engine, with these names, on a node whose engine runs."""
        container = f"{self.prefix}-{node}"
        load = ["docker", "exec", "--interactive", container, "docker", "load", "--quiet"]
        with subprocess.Popen(["docker", "save", *references], stdout=subprocess.PIPE) as save:
            subprocess.run(load, stdin=save.stdout, check=True, capture_output=True)
        assert save.returncode == 0, "docker save failed"
