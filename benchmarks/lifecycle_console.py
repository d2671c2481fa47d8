"""A console that knows two plans that do nothing: one of a single task, one of 200."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from .console import REPOSITORY, load_test_helpers

CONCURRENCY = 2  # commands, or plays, at a time
TASKS = {"noop": 0, "tasks": 200}  # plan and role: how many tasks that do nothing its install has

_RESULT = {
    "name": "Hand over the result",
    "ansible.builtin.set_stats": {
        "data": {
            "labyard_result": {
                "services": [],
                "endpoints": [],
                "health": "running",
                "message": "Nothing done.",
            }
        },
        "aggregate": False,
    },
}


@dataclass(frozen=True)
class Bench:
    """A running console, and what a bare ansible-playbook needs for the same plays."""

    console: Any  # a RunningConsole of the tests
    folder: Path
    environment: dict[str, str]  # of a bare ansible-playbook
    processes: list[psutil.Process]  # web and worker

    def write_request(self, plan: str, name: str) -> Path:
        """A request file as the console writes one for an install of `plan`."""
        request = {
            "plan": {"name": plan, "configuration": f"labyard.platform.{plan}"},
            "phase": "install",
            "name": name,
            "deployment": {"id": "bare0000", "project": "default", "owner": "admin"},
            "params": {},
            "secrets": {},
        }
        path = self.folder / f"request-{name}.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(request), encoding="utf-8")
        return path

    def bare_command(self, request: str) -> list[str]:
        """The arguments of a bare play of the request file `request`."""
        playbook = REPOSITORY / "playbooks" / "service.yml"
        inventory = REPOSITORY / "inventories" / "local"
        program = Path(sys.executable).parent / "ansible-playbook"
        return [str(program), "-i", str(inventory), "-e", f"labyard_request={request}", str(playbook)]

    def cpu_seconds(self) -> float:
        """User and system time of the console's processes and of all that these have waited for."""
        family = [p for root in self.processes for p in (root, *root.children(recursive=True))]
        times = [p.cpu_times() for p in family]
        return sum(t.user + t.system + t.children_user + t.children_system for t in times)


@contextmanager
def started_bench() -> Iterator[Bench]:
    """Web and worker with the two plans; all of it goes at the end. It touches no swarm object."""
    helpers = load_test_helpers()
    with tempfile.TemporaryDirectory(prefix="labyard-bench-") as name:
        folder = Path(name)
        _write_collection(folder / "collections")
        config = _write_config(folder)
        home = folder / "home"
        home.mkdir(mode=0o700)
        url = f"http://127.0.0.1:{helpers.free_port()}"
        environment = helpers.console_environment(home)
        environment |= {"ANSIBLE_CONFIG": str(config), "PYTHONPATH": str(folder / "collections")}
        console = helpers.RunningConsole(url, home, environment)
        _prepare_home(console, folder)
        console.start("web")
        worker = _start_worker(console)
        try:
            helpers.wait_until(lambda: helpers.is_ready(console), 60, f"{url}/readyz")
            processes = [psutil.Process(p.pid) for p in (worker, console.processes["web"])]
            yield Bench(console, folder, _bare_environment(config), processes)
        finally:
            console.processes["worker"] = worker
            console.stop("web", "worker")


def _start_worker(console: Any) -> subprocess.Popen[bytes]:
    program = Path(sys.executable).parent / "labyard"
    with (console.home / "worker.log").open("ab") as log:
        return subprocess.Popen(
            [str(program), "worker", "--concurrency", str(CONCURRENCY)],
            env=console.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _prepare_home(console: Any, folder: Path) -> None:
    plans = [{"name": name, "configuration": f"labyard.platform.{name}"} for name in TASKS]
    (folder / "plans.yml").write_text(yaml.safe_dump(plans), encoding="utf-8")
    console.set_up(folder / "plans.yml")


def _bare_environment(config: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LABYARD_", "ANSIBLE_"))}
    return {**kept, "ANSIBLE_CONFIG": str(config)}


def _write_config(folder: Path) -> Path:
    """The repository's ansible.cfg with the collection of the benchmark in place of its own."""
    text = (REPOSITORY / "ansible.cfg").read_text(encoding="utf-8")
    text = text.replace("collections_path = .collections", f"collections_path = {folder / 'collections'}")
    text = text.replace(
        "inventory = inventories/local", f"inventory = {REPOSITORY / 'inventories' / 'local'}"
    )
    path = folder / "ansible.cfg"
    path.write_text(text, encoding="utf-8")
    return path


def _write_collection(root: Path) -> None:
    """A copy of the collection with the two roles in it: what is installed is not touched."""
    platform = root / "ansible_collections" / "labyard" / "platform"
    shutil.copytree(REPOSITORY / "collection", platform, symlinks=True)
    for role, count in TASKS.items():
        _write_role(platform / "roles" / role, count)


def _write_role(role: Path, count: int) -> None:
    tasks = [{"name": f"Do nothing, {i}", "ansible.builtin.debug": {"msg": "nothing"}} for i in range(count)]
    phase = {"title": "Launch", "timeout": 300, "steps": ["Hand over the result"]}
    spec = {
        "short_description": "Do nothing",
        "options": {
            "labyard_deployment": {"description": "The deployment.", "type": "dict", "required": True}
        },
    }
    result = {**_RESULT, "register": f"__{role.name}_handed_over"}
    documents = {
        "tasks/install.yml": [*tasks, result],
        "meta/argument_specs.yml": {"argument_specs": {"install": spec}},
        "meta/service.yml": {"title": role.name, "summary": "Nothing.", "phases": {"install": phase}},
    }
    for name, document in documents.items():
        path = role / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
