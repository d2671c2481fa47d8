"""The collection installs from a folder, from the repository, and from a folder of the repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent

# A play outside the repository: a role of the collection from its simplest entry, and a module.
PLAY = """
- hosts: localhost
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - name: Run a role
      ansible.builtin.include_role:
        name: labyard.platform.docker_engine
        tasks_from: find
        public: true
      vars:
        docker_engine_socket: /nonexistent.sock
    - name: Run the module that reads requests
      labyard.platform.load_request:
        path: "{{ request }}"
        secrets_dir: "{{ secrets }}"
      register: loaded
    - name: Run a module that needs the engine's library
      labyard.platform.service_health:
        stack: demo
        docker_host: unix:///nonexistent.sock
      register: looked
      ignore_errors: true
    - name: Say what happened
      ansible.builtin.copy:
        dest: "{{ report }}"
        content: "{{ {'failed': looked.failed, 'program': docker_engine_program} | to_json }}"
        mode: "0600"
"""

WAYS = {
    "folder": "./collection",
    "repository": "git+file://{copy}",
    "folder of the repository": "git+file://{copy}#/collection/",
}


def run(arguments: list[str], cwd: Path, collections: Path) -> str:
    """Run a command of Ansible that sees no collection but those in `collections`; what it says."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "LABYARD_"))}
    environment |= {
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_HOME": str(collections.parent / "home"),
        "ANSIBLE_NOCOLOR": "1",
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        [str(BIN / arguments[0]), *arguments[1:]],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", params=WAYS.values(), ids=WAYS.keys())
def installed(
    request: pytest.FixtureRequest, clean_copy: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder of collections into which ours was installed."""
    source = request.param.format(copy=clean_copy)
    folder = tmp_path_factory.mktemp("galaxy") / "collections"
    # Forced, because the environment of the tests has the collection as well, by a link.
    arguments = ["collection", "install", source, "--force", "-p", str(folder)]
    run(["ansible-galaxy", *arguments], clean_copy, folder)
    return folder


def test_install_when_used_from_elsewhere_then_docs_role_and_modules_are_its_own(
    installed: Path, tmp_path: Path
) -> None:
    ours = installed / "ansible_collections" / "labyard" / "platform"
    document = json.loads(run(["ansible-doc", "--json", "labyard.platform.swarm_stack"], tmp_path, installed))
    assert Path(document["labyard.platform.swarm_stack"]["doc"]["filename"]).is_relative_to(ours)

    wanted = tmp_path / "request.json"
    wanted.touch(mode=0o600)
    plan = {"name": "notebook", "configuration": "labyard.platform.notebook"}
    wanted.write_text(json.dumps({"plan": plan, "phase": "check", "name": "demo"}), encoding="utf-8")
    play, report = tmp_path / "play.yml", tmp_path / "report.json"
    play.write_text(PLAY, encoding="utf-8")
    places = {"request": wanted, "secrets": tmp_path / "secrets", "report": report}
    extra = json.dumps({name: str(path) for name, path in places.items()})
    arguments = ["-vv", "-i", "localhost,", "-c", "local", "-e", extra, str(play)]
    said = run(["ansible-playbook", *arguments], tmp_path, installed)
    assert json.loads(report.read_text()) == {"failed": True, "program": "/usr/sbin/dockerd"}
    assert f"task path: {ours}/roles/docker_engine/tasks/find.yml" in said


def test_install_when_done_then_nothing_else_of_the_repository_came_along(installed: Path) -> None:
    ours = installed / "ansible_collections" / "labyard" / "platform"
    names = {path.name for path in ours.iterdir()}
    assert {"roles", "plugins", "meta", "README.md", "MANIFEST.json"} <= names
    strangers = {"web", "inventories", "molecule", "tests", "benchmarks", "docs", "playbooks", "Makefile"}
    strangers |= {"pyproject.toml", "ansible.cfg", ".ci", ".git", ".collections", ".venv", ".importlinter"}
    assert not names & strangers
