"""The roles backup and restore on this machine, in folders of the test: saved, lost, restored."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY, SCRIPTS
from tests.integration.backup_house import make_database, query
from tests.integration.debian_programs import ensure_program

PLAY = """
- hosts: localhost
  gather_facts: false
  vars_files: [{variables}]
  tasks:
"""
STEP = """
    - name: Do it
      ansible.builtin.include_role:
        name: labyard.platform.{role}
        tasks_from: {tasks}
"""


class Site:
    """Plays on this machine with the variables of a host."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.variables: dict[str, Any] = {
            "ansible_python_interpreter": sys.executable,
            "backup_repository": str(folder / "repository"),
            "backup_password": "a password of the test",
            "backup_config_dir": str(folder / "config"),
            "backup_state": str(folder / "state"),
            "backup_program": str(folder / "labyard-backup"),
            "backup_library_dir": str(folder / "library"),
            "backup_schedule_file": str(folder / "cron"),
            "backup_metrics_file": str(folder / "backup.prom"),
            "backup_packages": [],
            "backup_schedule": "",
            "backup_forget_schedule": "",
            "backup_prove_schedule": "",
            "backup_volumes": False,
            "backup_files_if_there": [],
            "console_home": str(folder / "console"),
            "restore_program": str(folder / "labyard-backup"),
        }

    def play(self, role: str, *entry_points: str, check: bool = False) -> dict[str, int]:
        """Run entry points, one after the other; how many tasks changed, failed and so on."""
        variables = self.folder / "variables.yml"
        variables.write_text(yaml.safe_dump(self.variables))
        path = self.folder / "play.yml"
        steps = [STEP.format(role=role, tasks=tasks) for tasks in entry_points]
        path.write_text("".join([PLAY.format(variables=variables), *steps]))
        options = ["--check"] if check else []
        environment = {
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_STDOUT_CALLBACK": "default",
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        }
        done = subprocess.run(
            [str(SCRIPTS / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(path), *options],
            cwd=REPOSITORY,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr
        recap = done.stdout.partition("PLAY RECAP")[2]
        return {word: int(count) for word, count in re.findall(r"(\w+)=(\d+)", recap)}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A host of the console, not yet saved."""
    ensure_program("restic", "restic")
    (tmp_path / "console").mkdir(mode=0o700)
    make_database(tmp_path / "console" / "labyard.db")
    (tmp_path / "console" / "secret_key").write_text("the key of the console")
    return Site(tmp_path)


def test_roles_when_all_is_lost_then_the_console_has_its_data_again(site: Site) -> None:
    site.play("backup", "main", check=True)
    assert not (site.folder / "labyard-backup").exists()
    rows = query(site.folder / "console" / "labyard.db", "SELECT * FROM users")
    # That a second run changes nothing, molecule/backup looks at.
    assert site.play("backup", "main", "run", "prove")["changed"] > 0
    assert 'labyard_backup_failed{part="files"} 0' in (site.folder / "backup.prom").read_text()

    shutil.rmtree(site.folder / "console")
    assert site.play("restore", "main", check=True)["changed"] > 0
    assert not (site.folder / "console").exists()
    assert site.play("restore", "main")["changed"] > 0
    assert query(site.folder / "console" / "labyard.db", "SELECT * FROM users") == rows
    assert (site.folder / "console" / "secret_key").read_text() == "the key of the console"
    assert site.play("restore", "main")["changed"] == 0

    site.play("backup", "remove")
    left = {p.name for p in site.folder.iterdir()}
    assert left == {"console", "repository", "variables.yml", "play.yml", "library"}
    assert not list((site.folder / "library").iterdir())
