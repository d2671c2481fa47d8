"""Run playbooks/service.yml as an operator does, and look at what it left on the swarm."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound

from tests.conftest import wait_until

ROOT = Path(__file__).resolve().parents[2]
STACK_LABEL = "com.docker.stack.namespace"
PLAN = {"name": "test-notebook", "configuration": "labyard.platform.notebook"}
TOKEN = "a-token-of-the-tests-only"
# Away from the range of the role's defaults, and from the ports that the kernel lends.
PORTS = [27000, 27099]


@dataclass(frozen=True)
class Outcome:
    """How a play ended."""

    code: int
    output: str
    changed: int
    result: dict[str, Any]  # labyard_result; empty if none was handed over

    @property
    def message(self) -> str:
        """The words of the last task that failed."""
        found = re.findall(r'"msg": ("(?:[^"\\]|\\.)*")', self.output)
        return json.loads(found[-1]) if found else ""


@dataclass(frozen=True)
class Deployment:
    """One deployment of the plan, unique to a test."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)  # of the operator: inventory variables
    id: str = field(
        default_factory=lambda: "t" + "".join(secrets.choice("abcdef0123456789") for _ in range(7))
    )

    @property
    def stack(self) -> str:
        return f"{PLAN['name']}-{self.id}"

    @property
    def labels(self) -> dict[str, str]:
        return {
            "labyard.deployment": self.id,
            "labyard.plan": PLAN["name"],
            "labyard.project": "tests",
            "labyard.owner": "tester",
        }

    def request(self, phase: str, **params: Any) -> dict[str, Any]:
        about = {"id": self.id, "project": "tests", "owner": "tester"}
        return {
            "plan": PLAN,
            "phase": phase,
            "name": "Test_1",
            "deployment": about,
            "params": params,
            "secrets": {"token": TOKEN},
        }

    def run(self, phase: str, **params: Any) -> Outcome:
        return self.play(self.request(phase, **params))

    def play(self, request: Any, *arguments: str) -> Outcome:
        """Run the playbook for `request`, a document."""
        inventory = self.folder / "inventory.json"
        inventory.write_text(json.dumps(self._inventory()))
        file = self.folder / "request.json"
        file.write_text(json.dumps(request))
        file.chmod(0o600)
        command = ["ansible-playbook", "-i", str(inventory), "playbooks/service.yml"]
        command += ["-e", f"labyard_request={file}", *arguments]
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ANSIBLE_SHOW_CUSTOM_STATS": "1",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "LABYARD_HOME": str(self.folder / "home"),
        }
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        return _read_outcome(done.returncode, done.stdout + done.stderr)

    def _inventory(self) -> dict[str, Any]:
        host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        settings = {"notebook_port_range": PORTS, **self.settings}
        return {"swarm_managers": {"hosts": {"localhost": host | settings}}}

    def leftovers(self) -> dict[str, list[str]]:
        """Names of everything of the stack that is on the swarm or this engine, by kind."""
        wanted = {"label": f"{STACK_LABEL}={self.stack}"}
        api = docker.from_env().api
        found = {
            "services": [s["Spec"]["Name"] for s in api.services(wanted)],
            "networks": [n["Name"] for n in api.networks(filters=wanted)],
            "secrets": [s["Spec"]["Name"] for s in api.secrets(wanted)],
            "configs": [c["Spec"]["Name"] for c in api.configs(wanted)],
            "volumes": [v["Name"] for v in api.volumes(wanted)["Volumes"] or ()],
            "containers": [c["Id"] for c in api.containers(all=True, filters=wanted)],
        }
        return {kind: names for kind, names in found.items() if names}

    def remains(self) -> dict[str, list[str]]:
        """The leftovers once its containers are gone: the engine takes a moment to remove them."""
        wait_until(lambda: "containers" not in self.leftovers(), 60, f"no container of {self.stack}")
        return self.leftovers()

    def task_state(self) -> str:
        """The state of the newest task of the notebook."""
        tasks = docker.from_env().api.tasks({"service": f"{self.stack}_notebook"})
        return str(max(tasks, key=lambda task: task["CreatedAt"])["Status"]["State"])

    def purge(self) -> None:
        """Remove whatever is left, so that a failed test leaves nothing."""
        if self.leftovers():
            self.run("remove", keep_data=False)
            _force_away(self.remains())


def _force_away(left: dict[str, list[str]]) -> None:
    api = docker.from_env().api
    ways = {
        "services": api.remove_service,
        "configs": api.remove_config,
        "secrets": api.remove_secret,
        "containers": lambda name: api.remove_container(name, force=True),
        "networks": api.remove_network,
        "volumes": api.remove_volume,
    }
    for kind, remove in ways.items():
        for name in left.get(kind, ()):
            try:
                remove(name)
            except (NotFound, APIError) as error:
                print(f"{kind} {name}: {error}")


@contextmanager
def deployment(folder: Path, **settings: Any) -> Iterator[Deployment]:
    """A deployment that is gone afterwards, whatever happens."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    one = Deployment(folder, settings)
    try:
        yield one
    finally:
        one.purge()


def _read_outcome(code: int, output: str) -> Outcome:
    changed = re.search(r"changed=(\d+)", output)
    stats = re.search(r"^\tRUN: (\{.*\})$", output, re.MULTILINE)
    result = json.loads(stats[1]).get("labyard_result", {}) if stats else {}
    return Outcome(code, output, int(changed[1]) if changed else -1, result)
