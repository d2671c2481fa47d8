"""What the benchmarks of stacks share: documents, plays, and waiting until all runs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker

from .community import REPOSITORY

LABEL = "com.docker.stack.namespace"
_LOOK_EVERY = 0.05  # seconds
_LONGEST = 400.0  # seconds for one deployment


@dataclass
class Bench:
    """What the ways of deploying share."""

    engine: docker.DockerClient
    folder: Path
    image: str
    community: dict[str, str] | None
    helpers: Any

    def document(self, services: int) -> dict[str, Any]:
        """A compose document of so many sleeping services."""
        service = {
            "image": self.image,
            "command": ["sleep", "100000"],
            "init": True,
            "stop_grace_period": "1s",
            "deploy": {"endpoint_mode": "dnsrr"},
        }
        return {"version": "3.8", "services": {f"s{number}": service for number in range(services)}}

    def play(self, name: str, task: dict[str, Any], environment: dict[str, str] | None = None) -> None:
        """Run a play of one task."""
        path = self.folder / f"{name}.yml"
        variables = {"ansible_python_interpreter": sys.executable}
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables}
        path.write_text(json.dumps([{**play, "tasks": [task]}]))
        program = Path(sys.executable).parent / "ansible-playbook"
        run_command([str(program), "-i", "localhost,", str(path)], environment)

    def wait_until_all_run(self, stack: str, services: int) -> None:
        """Look until every service has a task that runs."""
        end = time.monotonic() + _LONGEST
        wanted = {"label": f"{LABEL}={stack}"}
        while True:
            tasks = self.engine.api.tasks(filters=wanted)
            if len({task["ServiceID"] for task in tasks if _runs(task)}) >= services:
                return
            if time.monotonic() > end:
                raise TimeoutError(f"the stack {stack} does not run after {_LONGEST:g} s")
            time.sleep(_LOOK_EVERY)


def run_command(command: list[str], environment: dict[str, str] | None = None) -> None:
    """Run a program, without its output.

    :raises RuntimeError: it fails
    """
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_LONGEST,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def _runs(task: dict[str, Any]) -> bool:
    return bool(task["Status"]["State"] == "running")
