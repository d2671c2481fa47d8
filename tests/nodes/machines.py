"""Machines for tests: containers of this machine's engine on a network of their own, reached by ssh.

They hold nothing but Debian with Python and a server for ssh. `swarm_nodes.py` makes a swarm of such.
"""

from __future__ import annotations

import contextlib
import io
import ipaddress
import os
import socket
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import psutil
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.types import IPAMConfig, IPAMPool

from tests.conftest import wait_until
from tests.nodes.node_image import ensure_node_image
from tests.services.executing import execute

#: Labels of all that belongs to machines: the group, and the process that wants them.
GROUP, OWNER = "labyard.test.machines", "labyard.test.owner"
#: What containers in machines are kept under, in each hierarchy of the host's control groups.
CONTROL_GROUPS = "labyard-test-machines"
SECONDS_TO_START = 60


@dataclass(frozen=True)
class Machine:
    """One of the machines; its name is its host name as well."""

    name: str
    address: str


class Machines:
    """A group of machines on one network.

    :param folder: for keys and certificates; it must be there
    :param group: those of one group never live side by side, except when other processes own them
    :param owner: number of the process after whose end they may be removed; 0: by whoever uses the group next
    """

    stage = "bare"

    def __init__(
        self,
        engine: docker.DockerClient,
        folder: Path,
        names: Sequence[str] = ("node1", "node2", "node3"),
        group: str = "pytest",
        owner: int | None = None,
    ) -> None:
        self.engine, self.folder, self.group = engine, folder, group
        self.owner = os.getpid() if owner is None else owner
        self.prefix = f"labyard-test-{group}-{self.owner}"
        self.labels = {GROUP: group, OWNER: str(self.owner)}
        self.names = tuple(names)
        self.nodes: dict[str, Machine] = {}

    def start(self) -> None:
        """Make the machines and wait until they can be reached; first remove what dead processes left."""
        remove_machines(self.engine, self.group)
        image = ensure_node_image(self.engine, self.stage)
        network, addresses = self._create_network()
        self.nodes = {
            name: Machine(name, address) for name, address in zip(self.names, addresses, strict=False)
        }
        files = self._files()
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda node: self._start(node, image, network, files), self.nodes.values()))

    def adopt(self, addresses: Mapping[str, str]) -> None:
        """Take over machines that are there already, by name."""
        self.nodes = {name: Machine(name, address) for name, address in addresses.items()}

    def stop(self) -> None:
        """Remove the machines with all that is in them."""
        remove_machines(self.engine, self.group, self.owner)

    def container(self, node: str) -> Container:
        """The container that is the machine `node`."""
        return self.engine.containers.get(f"{self.prefix}-{node}")

    def run(self, node: str, *command: str) -> str:
        """What a command prints on a machine; it must end well."""
        code, output = execute(self.container(node), list(command))
        text = output.decode("utf-8", "replace")
        assert code == 0, f"{' '.join(command)} on {node}: {text}"
        return text

    def kill(self, node: str) -> None:
        """End a machine as a power cut does."""
        self.container(node).kill()

    def restart(self, node: str) -> None:
        """Start a machine that was killed, or anew one that runs, and wait until it can be reached."""
        self.container(node).restart(timeout=5)
        self.wait_for(node)

    def cut(self, node: str) -> None:
        """Let no packet in or out of a machine: all connections hang, to this process as well."""
        for chain, side in (("INPUT", "-i"), ("OUTPUT", "-o")):
            self.run(node, "iptables", "-I", chain, side, "eth0", "-j", "DROP")

    def heal(self, node: str) -> None:
        """Undo `cut`, if the machine was cut off."""
        for chain, side in (("INPUT", "-i"), ("OUTPUT", "-o")):
            rule = [chain, side, "eth0", "-j", "DROP"]
            while execute(self.container(node), ["iptables", "-D", *rule]).exit_code == 0:
                pass

    def inventory(self) -> dict[str, Any]:
        """The machines for Ansible, by ssh as root; a group of this name: `{"all": {"hosts": {...}}}`."""
        common = {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.folder / "id_ed25519"),
            "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        hosts = {node.name: {**common, "ansible_host": node.address} for node in self.nodes.values()}
        return {"all": {"hosts": hosts}}

    def wait_for(self, node: str) -> None:
        """Wait until a machine can be reached."""
        wait_until(lambda: self.answers(node), SECONDS_TO_START, f"{node} answers; see its container's log")

    def answers(self, node: str) -> bool:
        """Whether the machine's server for ssh answers."""
        try:
            with socket.create_connection((self.nodes[node].address, 22), timeout=2) as connection:
                return connection.recv(3) == b"SSH"
        except OSError:
            return False

    def _files(self) -> Mapping[str, tuple[bytes, int]]:
        """Content and mode of files that each machine gets, by path without the leading slash."""
        key = self.folder / "id_ed25519"
        if not key.exists():
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
            subprocess.run(command, check=True, capture_output=True)
        return {"root/.ssh/authorized_keys": (key.with_suffix(".pub").read_bytes(), 0o600)}

    def _create_network(self) -> tuple[str, list[str]]:
        """A network with addresses that stay when a machine starts anew, which the engine allows only in a
        subnet that was asked for: so the one that the engine would choose is asked for."""
        subnet: str = wait_until(self._try_network, SECONDS_TO_START, "a subnet is free")
        first = ipaddress.ip_network(subnet).network_address + 11
        return self.prefix, [str(first + number) for number in range(len(self.names))]

    def _try_network(self) -> str:
        """The subnet of the network; empty if somebody else took it a moment before."""
        probe = self.engine.networks.create(self.prefix, driver="bridge", labels=self.labels)
        probe.reload()
        subnet = str(probe.attrs["IPAM"]["Config"][0]["Subnet"])
        probe.remove()
        ipam = IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)])
        try:
            self.engine.networks.create(self.prefix, driver="bridge", labels=self.labels, ipam=ipam)
        except APIError as error:
            if "overlaps" not in str(error):
                raise
            return ""
        return subnet

    def _start(self, node: Machine, image: str, network: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        name = f"{self.prefix}-{node.name}"
        self.engine.volumes.create(name, labels=self.labels)
        api = self.engine.api
        endpoint = api.create_endpoint_config(ipv4_address=node.address)
        made = api.create_container(
            image,
            name=name,
            hostname=node.name,
            labels=self.labels,
            environment={"CGROUP_PARENT": f"/{CONTROL_GROUPS}/{name}"},
            host_config=self._host_config(name, network),
            networking_config=api.create_networking_config({network: endpoint}),
        )
        container = self.engine.containers.get(made["Id"])
        container.put_archive("/", _archive(files))
        container.start()
        self.wait_for(node.name)

    def _host_config(self, name: str, network: str) -> dict[str, Any]:
        """All that an engine in a container needs, short of --privileged, which some hosts cannot give."""
        config: dict[str, Any] = self.engine.api.create_host_config(
            network_mode=network,
            binds=[f"{name}:/var/lib/docker", "/sys/fs/cgroup:/sys/fs/cgroup:rw"],
            tmpfs={"/run": "exec"},
            cap_add=["ALL"],
            cap_drop=["SYS_RESOURCE"],
            cgroupns="host",
            security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        )
        # what the command line calls --security-opt systempaths=unconfined
        return {**config, "MaskedPaths": [], "ReadonlyPaths": []}


def _archive(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for path, (data, mode) in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), mode
            tar.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def remove_machines(engine: docker.DockerClient, group: str, owner: int | None = None) -> None:
    """Remove the machines of a group: those of the process `owner`, or all whose process is no more."""
    chosen = {"label": [f"{GROUP}={group}"]}

    def is_chosen(labels: Mapping[str, str]) -> bool:
        number = int(labels[OWNER])
        return number == owner if owner is not None else not (number and psutil.pid_exists(number))

    containers = [item for item in engine.containers.list(all=True, filters=chosen) if is_chosen(item.labels)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(_remove_container, containers))
    for volume in engine.volumes.list(filters=chosen):
        if is_chosen(volume.attrs["Labels"]):
            volume.remove(force=True)
    for network in engine.networks.list(filters=chosen):
        if is_chosen(network.attrs["Labels"]):
            network.remove()
    if containers:
        _remove_control_groups(engine, containers)


def _remove_container(container: Container) -> None:
    with contextlib.suppress(NotFound):
        container.remove(force=True, v=True)


def _remove_control_groups(engine: docker.DockerClient, containers: Sequence[Container]) -> None:
    """The groups of containers in machines outlive the machines, for it is the host that has them."""
    tops = [f"/sys/fs/cgroup{each}/{CONTROL_GROUPS}" for each in ("", "/*")]
    places = [f"{top}/{container.name}" for top in tops for container in containers]
    # what other machines use is not empty, so it stays
    command = f"find {' '.join(places)} -depth -type d -exec rmdir {{}} +; rmdir {' '.join(tops)}"
    engine.containers.run(
        containers[0].attrs["Image"],
        entrypoint=["sh", "-c", f"{command} 2>/dev/null; true"],
        command=[],
        volumes=["/sys/fs/cgroup:/sys/fs/cgroup:rw"],
        cgroupns="host",
        network_disabled=True,
        remove=True,
    )
