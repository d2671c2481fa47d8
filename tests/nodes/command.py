"""The nodes without pytest, for playbooks: `python -m tests.nodes.command start FOLDER`, and `stop FOLDER`.

`load FOLDER --node NAME --images NAME...` puts images of this machine's engine on a machine with an engine.

`start` prints a JSON object: `nodes`, addresses by name, and `connection`, the manager's engine as options of
a module; with `--bare` and `--hosts`, `inventory` in its place. The nodes stay when it has ended; `stop`
removes them, and so does the next `start`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import docker

from tests.integration.stack_helpers import ensure_image
from tests.nodes.hosts import Hosts
from tests.nodes.machines import Machines
from tests.nodes.swarm_nodes import SwarmNodes

#: No process has this number, so nodes are nobody's as soon as they are there.
NOBODY = 0


def main() -> None:
    """Start or stop the nodes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["start", "stop", "load"])
    parser.add_argument("folder", type=Path, help="for keys and certificates")
    parser.add_argument("--group", default="molecule", help="nodes of other groups are left alone")
    parser.add_argument("--bare", action="store_true", help="machines without an engine, for Ansible by ssh")
    parser.add_argument("--hosts", action="store_true", help="the same with an engine that does not run yet")
    parser.add_argument("--names", nargs="+", default=["node1", "node2", "node3"], help="of the nodes")
    parser.add_argument("--node", default="node1", help="where images are put")
    parser.add_argument("--images", nargs="*", default=[], help="images that are put there")
    given = parser.parse_args()
    engine = docker.from_env(timeout=60)
    kind: type[Machines] = Hosts if given.hosts else Machines if given.bare else SwarmNodes
    nodes = kind(engine, given.folder, given.names, group=given.group, owner=NOBODY)
    if given.action == "load":
        Hosts(engine, given.folder, group=given.group, owner=NOBODY).load_images(given.node, given.images)
        return
    if given.action == "stop":
        nodes.stop()
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    nodes.start()
    found: dict[str, Any] = {"nodes": {node.name: node.address for node in nodes.nodes.values()}}
    if isinstance(nodes, SwarmNodes):
        nodes.load_image(ensure_image(engine))
        found["connection"] = nodes.connection()
    else:
        found["inventory"] = nodes.inventory()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
