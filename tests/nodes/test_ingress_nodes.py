"""The ingress on two edge nodes of three: each answers for itself, and goes on without the other."""

from __future__ import annotations

import secrets
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import wait_until
from tests.integration.role_plays import play, role, write_inventory
from tests.integration.stack_helpers import stack_module
from tests.nodes.node_stack import NodeStack, placed
from tests.nodes.swarm_nodes import SwarmNodes

EDGES = ("node2", "node3")
SITE, NEW_SITE = "site.edge.test", "new.edge.test"
IMAGE = "labyard/ingress"
PORT = 8443


@dataclass
class Edge:
    """The ingress, and what it was made with."""

    nodes: SwarmNodes
    folder: Path
    variables: dict[str, Any]

    def ensure(self, *roles: str) -> str:
        """Run roles against the manager of the nodes, as from any host that reaches its engine."""
        there = {"module_defaults": {"group/labyard.platform.docker": self.nodes.connection()}}
        return play(self.folder, self.variables, {"block": [role(name) for name in roles], **there})

    def renew(self, *names: str) -> None:
        """Have another certificate, good for these names as well."""
        for kind in ("crt", "key"):
            (self.folder / "certificates" / f"ingress.{kind}").unlink()
        self.variables["certificates_wanted"][0]["dns_names"] += names
        self.ensure("certificates", "ingress")

    def ask(self, node: str, name: str = SITE) -> tuple[str, str]:
        """The serial number of the certificate that an edge node shows, and what the site says behind it."""
        context = ssl.create_default_context(cafile=str(self.folder / "certificates" / "ca.crt"))
        place = (self.nodes.nodes[node].address, PORT)
        with (
            socket.create_connection(place, timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            shown = connection.getpeercert() or {}
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        return str(shown["serialNumber"]), answer.partition("\r\n\r\n")[2].strip()

    def answers(self, node: str, name: str = SITE) -> bool:
        """Whether the site is reached through an edge node."""
        try:
            return "hello" in self.ask(node, name)[1]
        except OSError:
            return False


class Looking:
    """Asks for the site through one edge node, again and again, while this lasts."""

    def __init__(self, edge: Edge, node: str) -> None:
        self.failed: list[str] = []
        self.looks = 0
        self._edge, self._node, self._end = edge, node, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Looking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        assert self.looks, "nobody looked"

    def _look(self) -> None:
        while not self._end.wait(0.2):
            self.looks += 1
            try:
                said = self._edge.ask(self._node)[1]
            except OSError as error:
                said = str(error)
            if said != "hello":
                self.failed.append(said)


@pytest.fixture(scope="module", name="made")
def _made(swarm_nodes: SwarmNodes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """The ingress on two of the nodes, and a site on the third."""
    folder, word = tmp_path_factory.mktemp("edge"), f"t{secrets.token_hex(3)}"
    write_inventory(folder)
    variables: dict[str, Any] = {
        "certificates_folder": str(folder / "certificates"),
        "certificates_wanted": [
            {"name": "ingress", "dns_names": ["console.edge.test", "*.apps.edge.test", SITE]}
        ],
        "ingress_domain": "console.edge.test",
        "ingress_apps_domain": "apps.edge.test",
        "ingress_secret": secrets.token_urlsafe(32),
        "ingress_stack": f"edge-{word}",
        "ingress_network": f"edge_{word}",
        "ingress_network_subnet": "10.211.92.0/24",
        "ingress_http_port": 8080,
        "ingress_https_port": PORT,
        "ingress_constraints": [
            f"node.hostname != {name}" for name in swarm_nodes.names if name not in EDGES
        ],
        "ingress_drain_seconds": 1,
        "ingress_sites": [{"domain": SITE, "upstream": f"site-{word}_site:8080"}],
    }
    edge = Edge(swarm_nodes, folder, variables)
    play(folder, variables, role("image", image_names=["ingress"]))
    _put_image(swarm_nodes)
    try:
        edge.ensure("certificates", "ingress")
        _deploy_site(swarm_nodes, f"site-{word}", variables["ingress_network"])
        yield edge
    finally:
        for name in (f"site-{word}", f"edge-{word}"):
            NodeStack(swarm_nodes, name).clear()


def _put_image(nodes: SwarmNodes) -> None:
    """Have the image of the ingress on all nodes, under both of its names."""
    found = nodes.engine.images.get(f"{IMAGE}:current")
    content = b"".join(found.save(named=f"{IMAGE}:current"))

    def put(node: str) -> None:
        (loaded,) = nodes.client(node).images.load(content)
        loaded.tag(IMAGE, found.labels["labyard.hash"])

    with ThreadPoolExecutor() as pool:
        list(pool.map(put, nodes.names))


def _deploy_site(nodes: SwarmNodes, name: str, network: str) -> None:
    """A site on the node that is no edge."""
    page = ["sh", "-c", "echo hello > /tmp/index.html; exec busybox httpd -f -p 8080 -h /tmp"]
    site = placed("node.hostname == node1", command=page, networks=["edge"])
    networks = {"edge": {"external": True, "name": network}}
    stack_module(name, {"services": {"site": site}, "networks": networks}, **nodes.connection())


@pytest.fixture
def edge(made: Edge, nodes: SwarmNodes) -> Edge:
    """The ingress, with all nodes well."""
    for name in EDGES:
        wait_until(lambda name=name: made.answers(name), 60, f"{name} answers")
    return made


def test_site_when_asked_for_at_each_edge_node_then_answers_and_both_are_renewed(edge: Edge) -> None:
    shown = {node: edge.ask(node) for node in EDGES}
    assert set(shown.values()) == {(shown["node2"][0], "hello")}
    edge.renew()
    renewed = {node: edge.ask(node) for node in EDGES}
    assert set(renewed.values()) == {(renewed["node2"][0], "hello")}
    assert renewed["node2"][0] != shown["node2"][0]


def test_edge_node_when_drained_then_the_other_goes_on_and_it_comes_back_with_what_was_changed(
    edge: Edge,
) -> None:
    with Looking(edge, "node3") as looking:
        edge.nodes.drain("node2")
        wait_until(lambda: not edge.answers("node2"), 30, "node2 is no edge any more")
        edge.variables["ingress_sites"].append({**edge.variables["ingress_sites"][0], "domain": NEW_SITE})
        edge.renew(NEW_SITE)
        assert edge.ask("node3", NEW_SITE)[1] == "hello"
        edge.nodes.availability("node2", "active")
        wait_until(lambda: edge.answers("node2", NEW_SITE), 60, "node2 has what was changed meanwhile")
    assert looking.failed == []
    assert edge.ask("node2") == edge.ask("node3")


def test_edge_node_when_it_is_lost_then_the_other_goes_on(edge: Edge) -> None:
    with Looking(edge, "node2") as looking:
        edge.nodes.kill("node3")
        edge.nodes.wait_for_states({"node3": "down"})
        edge.nodes.recover()
        wait_until(lambda: edge.answers("node3"), 60, "node3 is an edge again")
    assert looking.failed == []
