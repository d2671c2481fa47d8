"""Roles of ours on this machine's swarm, run by ansible-playbook as an operator does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import REPOSITORY, SCRIPTS


def play(folder: Path, variables: dict[str, Any], *roles: Any) -> str:
    """Run roles with `variables`, and with the inventory in `folder`; what Ansible says."""
    book = [{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": list(roles)}]
    path = folder / "play.yml"
    path.write_text(yaml.safe_dump(book), encoding="utf-8")
    done = subprocess.run(
        [str(SCRIPTS / "ansible-playbook"), "-i", str(folder / "inventory"), str(path)],
        cwd=REPOSITORY,
        env={**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


def role(name: str, **options: Any) -> dict[str, Any]:
    """A task that runs a role of ours."""
    tasks_from = options.pop("tasks_from", "main")
    wanted = {"name": f"labyard.platform.{name}", "tasks_from": tasks_from}
    return {"name": f"Run {name}", "ansible.builtin.include_role": wanted, "vars": options}


def write_inventory(folder: Path) -> Path:
    """This machine as the manager of its swarm; the folder of the inventory."""
    here = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    inventory = folder / "inventory"
    (inventory / "group_vars").mkdir(parents=True)
    managers = {"swarm_managers": {"hosts": {"localhost": here}}}
    (inventory / "hosts.yml").write_text(yaml.safe_dump(managers), encoding="utf-8")
    return inventory
