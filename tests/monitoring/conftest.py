"""What the role `monitoring` hands to the swarm, made by Ansible itself; nothing is deployed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.integration.debian_programs import ensure_program

ROLE = REPOSITORY / "collection" / "roles" / "monitoring"
ALL = {
    "monitoring_console": "labyard-console_web:8080",
    "monitoring_hub": "labyard-jupyterhub_hub:8081",
    "monitoring_hub_token": "a-token-of-the-hub",
    "monitoring_services": {
        "proxy": "labyard-jupyterhub_proxy:8001",
        "ingress": "labyard-ingress_nginx:8082",
    },
    "monitoring_parts": [
        {"name": "console", "url": "http://labyard-console_web:8080/readyz"},
        {
            "name": "ingress",
            "url": "https://labyard-ingress_nginx:8443/healthz",
            "host": "labyard.example.org",
        },
        {
            "name": "directory",
            "address": "labyard-directory_directory:1636",
            "tls": True,
            "host": "ldap.test",
        },
        {"name": "database", "address": "labyard-database_database:5432"},
    ],
    "monitoring_networks": ["labyard_edge"],
    "monitoring_users": {"ops": "$2y$10$abcdefghijklmnopqrstuuJ7Qh1v5l0z0i0l9m1n2o3p4q5r6s7t8"},
    "monitoring_alertmanager": {
        "route": {"receiver": "mail"},
        "receivers": [{"name": "mail", "webhook_configs": [{"url": "http://127.0.0.1:1/"}]}],
    },
    "monitoring_expect_backup": True,
    "monitoring_expect_probe": True,
}
_PLAY = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": [str(ROLE / "defaults" / "main.yml"), str(ROLE / "vars" / "main.yml")],
        "vars": {
            "__monitoring_image": {"image": "labyard/monitoring:0"},
            "__monitoring_probe_image": {"image": "labyard/console:0"},
            "__monitoring_temporary": {"path": "/dev/shm/x"},
            "made": {
                "compose": "{{ __monitoring_compose }}",
                "secrets": "{{ __monitoring_secret_texts }}",
                "probe": "{{ __monitoring_probe_line }}",
            },
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        },
        "tasks": [
            {"ansible.builtin.import_tasks": str(ROLE / "tasks" / "preflight.yml")},
            {"ansible.builtin.import_tasks": str(ROLE / "tasks" / "hash.yml")},
            {
                "ansible.builtin.copy": {
                    "content": "{{ made | to_json }}",
                    "dest": "{{ playbook_dir }}/made.json",
                    "mode": "0600",
                }
            },
        ],
    }
]


@dataclass(frozen=True)
class Made:
    """The stack as data, the texts of its secrets, and the line that runs the probe."""

    compose: dict[str, Any]
    secrets: dict[str, str]
    probe: str

    def config(self, name: str) -> str:
        """The text of a config."""
        text: str = self.compose["configs"][name]["content"]
        return text


class Refused(Exception):
    """The role's preflight found something wrong."""


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Made]:
    """Have Ansible make it, with these variables of the role."""

    def run(**variables: Any) -> Made:
        folder = tmp_path_factory.mktemp("monitoring")
        (folder / "templates").symlink_to(ROLE / "templates")
        (folder / "play.yml").write_text(yaml.safe_dump(_PLAY))
        (folder / "variables.json").write_text(json.dumps(variables))
        done = subprocess.run(
            ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", "@variables.json", "play.yml"],
            cwd=folder,
            capture_output=True,
            text=True,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")},
        )
        if done.returncode:
            raise Refused(done.stdout + done.stderr)
        return Made(**json.loads((folder / "made.json").read_text()))

    return run


@pytest.fixture(scope="session")
def full(make: Callable[..., Made]) -> Made:
    """With everything that there is."""
    return make(**ALL)


@pytest.fixture(scope="session")
def bare(make: Callable[..., Made]) -> Made:
    """With nothing said."""
    return make()


@pytest.fixture(scope="session")
def promtool() -> str:
    """Prometheus' own tool for looking at configurations and trying rules."""
    return ensure_program("promtool", "prometheus", "prometheus")
