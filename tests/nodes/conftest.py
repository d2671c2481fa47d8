"""Fixtures: a swarm of three nodes, and stacks on it."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from tests.integration.stack_helpers import ensure_image
from tests.nodes.node_stack import NodeStack
from tests.nodes.swarm_nodes import SwarmNodes


@pytest.fixture(scope="session")
def swarm_nodes(
    engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SwarmNodes]:
    """A manager and two workers that have the test image; made when the first test asks for them."""
    nodes = SwarmNodes(engine, tmp_path_factory.mktemp("nodes"))
    try:
        nodes.start()
        nodes.load_image(ensure_image(engine))
        yield nodes
    finally:
        nodes.stop()


@pytest.fixture
def nodes(swarm_nodes: SwarmNodes) -> Iterator[SwarmNodes]:
    """The nodes, all of them well; whatever the test does to them is undone."""
    swarm_nodes.recover()
    yield swarm_nodes
    swarm_nodes.recover()


@pytest.fixture
def stack(nodes: SwarmNodes, unique: str) -> Iterator[NodeStack]:
    """A stack on the nodes; its services are removed at the end, the rest goes with the nodes."""
    made = NodeStack(nodes, f"nodes-{unique}")
    yield made
    nodes.recover()
    made.clear()
