"""A platform on several hosts that site.yml has made: its hosts, its people, its addresses."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
import yaml

from tests.conftest import REPOSITORY, SCRIPTS, wait_until
from tests.hub.person import HubPerson
from tests.integration.edge_house import Browser
from tests.nodes.command import NOBODY
from tests.nodes.hosts import Hosts

#: The folder of the platform: nodes.json, nodes/, inventory/, platform/.
VARIABLE = "LABYARD_TEST_CLUSTER"
#: The group of its machines, where they are not those of the scenario cluster.
GROUP_VARIABLE = "LABYARD_TEST_CLUSTER_GROUP"
#: Names of the example inventory, which the tests leave as they are.
CONSOLE, APPS, HUB = "labyard.example.org", "apps.example.org", "hub.example.org"
PASSWORDS = {"ada": "adas first password", "bob": "bobs first password"}


def hub_origin(name: str) -> str:
    """Where a person's notebooks at the hub are."""
    return f"https://{name}.{HUB}"


@dataclass
class Platform:
    """The platform whose inventory lies in `folder`."""

    folder: Path
    group: str = "cluster"

    @property
    def ca(self) -> str:
        """The file of the authority that browsers trust."""
        return str(self.folder / "platform" / "certificates" / "ca.crt")

    @property
    def nodes(self) -> Mapping[str, str]:
        """Addresses by name."""
        found: dict[str, str] = json.loads((self.folder / "nodes.json").read_text("utf-8"))["nodes"]
        return found

    @property
    def groups(self) -> Mapping[str, Any]:
        """Names of the hosts by group."""
        inventory = yaml.safe_load((self.folder / "inventory" / "hosts.yml").read_text("utf-8"))
        return {name: list(group["hosts"]) for name, group in inventory["all"]["children"].items()}

    def machines(self) -> Hosts:
        """The machines, to be ended and cut off."""
        engine = docker.from_env(timeout=300)  # to remove one with all its images takes a while
        found = Hosts(engine, self.folder / "nodes", tuple(self.nodes), group=self.group, owner=NOBODY)
        found.adopt(self.nodes)
        return found

    def on(self, node: str, *command: str) -> str:
        """What a command prints on a node; it must end well."""
        return self.machines().run(node, *command)

    def browser(self) -> Browser:
        """A browser that knows the authority and is signed in nowhere."""
        return Browser(self.ca, f"https://{CONSOLE}")

    def signed_in(self, name: str) -> Browser:
        """A browser with somebody of the directory signed in at the console."""
        browser = self.browser()
        browser.sign_in(name, PASSWORDS[name])
        return browser

    def at_the_hub(self, name: str) -> HubPerson:
        """Somebody of the directory who is signed in at the hub."""
        person = HubPerson(f"https://{HUB}", self.ca)
        done = person.sign_in(name, PASSWORDS[name])
        assert done.status_code == 302, done.text[:2000]
        return person

    def ask(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Ask the console's REST interface with the administrator's key."""
        admin = json.loads((self.folder / "platform" / "admin.json").read_text("utf-8"))
        headers = {"Authorization": f"Bearer {admin['api_key']}"}
        url = f"https://{CONSOLE}/api/v1/{path}"
        return requests.request(method, url, headers=headers, verify=self.ca, timeout=30, **arguments)

    def deploy(self, owner: str, name: str) -> str:
        """A notebook of `owner` that runs, whose name begins with `name`; its id."""
        self.signed_in(owner)  # from then on the console knows them
        name = f"{name}-{secrets.token_hex(3)}"
        body = {"plan": "notebook", "phase": "install", "name": name, "owner": owner}
        small = {"cpu_limit": 0.3, "memory_limit": 384}
        asked = self.ask("POST", "commands", json={**body, "params": small})
        assert asked.status_code == 202, asked.text
        self.wait_for_command(asked.json()["id"])
        return str(asked.json()["deployment"]["id"])

    def remove(self, deployment: str) -> None:
        """Remove a deployment and its home."""
        asked = self.ask(
            "POST",
            "commands",
            json={"deployment": deployment, "phase": "remove", "params": {"keep_data": False}},
        )
        assert asked.status_code == 202, asked.text
        self.wait_for_command(asked.json()["id"])

    def wait_for_command(self, number: Any) -> None:
        """Wait until a command is completed."""

        def ended() -> Any:
            command = self.ask("GET", f"commands/{number}").json()
            assert command["state_name"] != "FAILED", command
            return command["state_name"] == "COMPLETED"

        wait_until(ended, 180, f"command {number} is completed")

    def play(self, playbook: str, *arguments: str) -> str:
        """What a playbook says that is run on the platform; it must end well."""
        command = [str(SCRIPTS / "ansible-playbook"), "-i", str(self.folder / "inventory"), playbook]
        done = subprocess.run(
            [*command, *arguments],
            cwd=REPOSITORY,
            env={**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")},
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    def lead_names_here(self, patch: pytest.MonkeyPatch) -> None:
        """Have this process find the platform's names at its edge."""
        real = socket.getaddrinfo

        def find(host: Any, *arguments: Any, **options: Any) -> Any:
            ours = isinstance(host, str) and host.endswith((CONSOLE, APPS, HUB))
            # looked up each time: machines that take the place of others have other addresses
            return real(self.nodes[self.groups["edge"][0]] if ours else host, *arguments, **options)

        patch.setattr(socket, "getaddrinfo", find)
