"""Modules that run in Ansible's own process answer as they do in a process of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CALLS: dict[str, dict[str, Any]] = {
    "image_info": {"name": "labyard/notebook-minimal:current"},
    "service_health": {"stack": "test-no-such-stack"},
    "published_port": {"stack": "test-no-such-stack", "range_start": 27200, "range_end": 27299},
    "swarm_stack": {"name": "test-no-such-stack", "state": "absent"},
    "swarm_stack_info": {"name": "test-no-such-stack"},
}
WRONG: dict[str, dict[str, Any]] = {
    "image_info": {"name": "test-no-such-image"},
    "service_health": {"stack": "x", "docker_host": "unix:///no/such/socket"},
    "published_port": {"stack": "x", "range_start": 9, "range_end": 1},
    "swarm_stack": {"name": "x", "compose": ["/no/such/file"]},
    "swarm_stack_info": {"name": "x", "docker_host": "tcp://127.0.0.1:1"},
}
# A task with an environment of its own gets a process of its own.
APART = {"environment": {"LABYARD_TEST": "1"}}


def results_of(tmp_path: Path, module: str, options: dict[str, Any]) -> list[dict[str, Any]]:
    """What `module` returns in Ansible's process, then in its own; in check mode."""
    call = {f"labyard.platform.{module}": options, "ignore_errors": True}
    tasks = [
        call | {"register": "here"},
        call | APART | {"register": "apart"},
        {"ansible.builtin.copy": {"content": "{{ [here, apart] | to_json }}", "dest": str(tmp_path / "out")}}
        | {"check_mode": False},
    ]
    play = tmp_path / "play.yml"
    play.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    command = [
        str(Path(sys.executable).parent / "ansible-playbook"),
        "-c",
        "local",
        "--check",
        "-vvv",
        str(play),
    ]
    command += ["-e", json.dumps({"ansible_python_interpreter": sys.executable})]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "out").read_text())
    assert len(re.findall(rf"Using module file .*/{module}\.py", done.stdout)) == 1, "not one of each kind"
    return [{k: v for k, v in r.items() if k != "exception"} for r in found]


@pytest.mark.parametrize("module", CALLS)
def test_module_when_in_process_then_the_same_result(tmp_path: Path, module: str) -> None:
    here, apart = results_of(tmp_path, module, CALLS[module])
    assert here == apart
    assert not here["failed"]


@pytest.mark.parametrize("module", WRONG)
def test_module_when_in_process_and_wrong_then_the_same_words(tmp_path: Path, module: str) -> None:
    here, apart = results_of(tmp_path, module, WRONG[module])
    assert (here["failed"], here["msg"]) == (apart["failed"], apart["msg"]) == (True, here["msg"])
