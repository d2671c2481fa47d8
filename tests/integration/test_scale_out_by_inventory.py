"""A console of several hosts that is made by its inventory: a web host, a worker host, servers elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
import yaml

from tests.conftest import REPOSITORY, SCRIPTS, wait_until
from tests.nodes.machines import Machines
from tests.services.mark_collection import NAME, write_collection
from tests.services.postgres_server import USER, PostgresServer
from tests.services.redis_server import RedisServer

PORT = 8080


class ConsoleHosts(Machines):
    """Two machines that have Labyard installed, and reach the engine of this one as a swarm manager's."""

    def _host_config(self, name: str, network: str) -> dict[str, Any]:
        config = super()._host_config(name, network)
        code = {str(REPOSITORY), sys.prefix, sys.base_prefix} - {"/usr"}
        config["Binds"] += [f"{path}:{path}:ro" for path in code]
        config["Binds"] += [f"{self.folder}:{self.folder}:rw", "/var/run/docker.sock:/var/run/docker.sock:rw"]
        return config


@pytest.fixture
def hosts(engine: docker.DockerClient, tmp_path: Path) -> Iterator[ConsoleHosts]:
    machines = ConsoleHosts(engine, tmp_path, names=("web1", "worker1"), group="scale-out")
    machines.start()
    yield machines
    machines.stop()


@pytest.fixture
def servers(
    engine: docker.DockerClient, hosts: ConsoleHosts
) -> Iterator[tuple[str, PostgresServer, RedisServer]]:
    """The address at which the hosts reach this machine, and the servers that listen there."""
    network = engine.networks.get(hosts.prefix)
    network.reload()
    address = network.attrs["IPAM"]["Config"][0].get("Gateway") or _address_of(network.id)
    postgresql, redis = PostgresServer(["127.0.0.1", address]), RedisServer(["127.0.0.1", address])
    try:
        postgresql.start()
        redis.start()
        yield address, postgresql, redis
    finally:
        postgresql.remove()
        redis.remove()


def _address_of(network_id: str) -> str:
    """This machine's address on a bridge."""
    command = ["ip", "-json", "-4", "address", "show", f"br-{network_id[:12]}"]
    (bridge,) = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    address: str = bridge["addr_info"][0]["local"]
    return address


def write_inventory(
    hosts: ConsoleHosts, servers: tuple[str, PostgresServer, RedisServer], marks: Path
) -> Path:
    """The inventory of the console: what stands in it is all that makes it one of several hosts."""
    address, postgresql, redis = servers
    folder = hosts.folder
    plans = folder / "plans.yml"
    plans.write_text(yaml.safe_dump([{"name": "mark", "configuration": NAME}]), encoding="utf-8")
    variables = {
        "console_database_url": f"postgresql://{USER}@{address}:{postgresql.port}/{postgresql.create_database()}",
        "console_database_password": postgresql.password,
        "console_queue_url": f"redis://{address}:{redis.port}/0",
        "console_queue_password": redis.password,
        "console_web_processes": 2,
        "console_worker_concurrency": 2,
        "console_bind": f"0.0.0.0:{PORT}",
        "console_program": str(SCRIPTS / "labyard"),
        "console_plans": str(plans),
        "console_ansible_config": str(write_collection(folder, marks)),
        "console_environment": {"PYTHONDONTWRITEBYTECODE": "1"},
        "console_wait": 120,
    }
    machines = hosts.inventory()["all"]["hosts"]
    groups = {
        "console_web": {"hosts": {"web1": machines["web1"]}},
        "console_workers": {"hosts": {"worker1": machines["worker1"]}},
    }
    inventory = {"all": {"children": {"console": {"children": groups, "vars": variables}}}}
    path = folder / "inventory.yml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(inventory), encoding="utf-8")
    return path


def play(inventory: Path) -> str:
    """Run the play of the console; what it says."""
    done = subprocess.run(
        [
            str(SCRIPTS / "ansible-playbook"),
            "-i",
            str(inventory),
            str(REPOSITORY / "playbooks" / "console.yml"),
        ],
        env={**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"), "ANSIBLE_FORKS": "2"},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


def test_console_when_its_inventory_names_several_hosts_then_runs_on_all_of_them(
    hosts: ConsoleHosts, servers: tuple[str, PostgresServer, RedisServer], tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    inventory = write_inventory(hosts, servers, marks)
    play(inventory)

    home = "/var/lib/labyard/console"
    admin = json.loads(hosts.run("web1", "cat", f"{home}/admin.json"))
    key = hosts.run("web1", "cat", f"{home}/secret_key")
    assert hosts.run("worker1", "cat", f"{home}/secret_key") == key
    url = f"http://{hosts.nodes['web1'].address}:{PORT}"
    headers = {"Authorization": f"Bearer {admin['api_key']}"}
    body = {"plan": "mark", "phase": "install", "name": "demo", "params": {}}
    answer = requests.post(f"{url}/api/v1/commands", json=body, headers=headers, timeout=30)
    assert answer.status_code == 202, answer.text
    command = answer.json()

    def ended() -> dict[str, Any] | None:
        place = f"{url}/api/v1/commands/{command['id']}"
        seen: dict[str, Any] = requests.get(place, headers=headers, timeout=30).json()
        return seen if seen["state"] in (5, 9) else None

    assert wait_until(ended, 120, "the command has ended")["state"] == 5
    marked = (marks / command["deployment"]["id"]).read_text(encoding="ascii").splitlines()
    assert marked == ["begin worker1", "end worker1"]

    _assert_no_password_in_sight(hosts, [servers[1].password, servers[2].password])
    again = play(inventory).splitlines()
    # Done again, all is as it should be.
    assert [line for line in again if line.startswith("changed:")] == []


def _assert_no_password_in_sight(hosts: ConsoleHosts, passwords: list[str]) -> None:
    """Command lines and environments of all processes, and all files but those of the passwords."""
    for host in hosts.nodes:
        processes = hosts.run(
            host, "sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'"
        )
        assert "labyard" in processes
        for password in passwords:
            assert password not in processes
            search = f"grep -rlF -e {password} /var/lib/labyard ~root /tmp --exclude=*_password || true"
            found = hosts.run(host, "sh", "-c", search).split()
            assert [path for path in found if not path.startswith(str(hosts.folder))] == []
