# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the engine is asked for metering: a swarm in four calls, a node in three, one more for volumes.

Figures of containers take a call for each; everything else does not depend on how much there is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._billing.looks import (
    Look,
    read_containers,
    read_sample,
    read_tasks,
    read_volumes,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.moments import read_time
from ansible_collections.labyard.platform.plugins.module_utils._billing.nodes import read_nodes
from ansible_collections.labyard.platform.plugins.module_utils._billing.owners import Selection

from .engine import Engine
from .errors import Conflict, EngineError, NotAManager, NotFound

_TASK = "com.docker.swarm.task.id"
_AT_ONCE = 16  # calls for figures


def look_at_swarm(engine: Engine, selection: Selection) -> Look:
    """The tasks that are selected, as a manager shows them.

    :raises NotAManager:
    """
    about = engine.get("/info")
    swarm = about.get("Swarm") or {}
    if not swarm.get("ControlAvailable"):
        raise NotAManager(
            f"The Docker engine at {engine.host} is not a swarm manager; run this on one, or look at the "
            "node alone with look=node."
        )
    services, tasks, nodes = engine.get("/services"), engine.get("/tasks"), engine.get("/nodes")
    return Look(
        at=_clock(about, engine),
        source=f"swarm:{swarm['Cluster']['ID']}",
        tasks=read_tasks(services, tasks, nodes, selection),
        nodes=read_nodes(nodes),
    )


def look_at_node(
    engine: Engine, selection: Selection, *, statistics: bool = False, volumes: bool = False
) -> dict[str, Any]:
    """What this engine knows of the containers of its tasks, and of its volumes, as plain values."""
    about = engine.get("/info")
    identity = (about.get("Swarm") or {}).get("NodeID") or about.get("ID", "")
    at = _clock(about, engine)
    listed = engine.get("/containers/json", {"all": "true", "filters": {"label": [_TASK]}})
    chosen = [one for one in listed if selection.fits(one.get("Labels") or {})]
    found: dict[str, Any] = {
        "id": identity,
        "name": about.get("Name", ""),
        "at": at,
        "manager": bool((about.get("Swarm") or {}).get("ControlAvailable")),
        "containers": read_containers(chosen, _events(engine, at)),
        "samples": _figures(engine, chosen) if statistics else {},
        "volumes": None,
    }
    if volumes:
        # From 1.42 on, the engine need not measure images and layers as well.
        only = {"type": "volume"} if engine.api_version >= (1, 42) else None
        measured = engine.request("GET", "/system/df", only, timeout=_LONGEST_MEASURING).json()
        found["volumes"] = read_volumes(measured.get("Volumes") or [], identity, found["name"])
    return found


_LONGEST_MEASURING = 300.0  # seconds; it reads the sizes of all files


def _clock(about: Mapping[str, Any], engine: Engine) -> int:
    at = read_time(about.get("SystemTime"))
    if at is None:
        raise EngineError(f"The Docker engine at {engine.host} does not say what time it is; see its log.")
    return at


def _events(engine: Engine, at: int) -> list[dict[str, Any]]:
    """Starts and ends of tasks' containers that the engine remembers, up to `at` (ms)."""
    params = {
        "since": "0",
        "until": f"{at // 1000}.{at % 1000:03d}000000",
        "filters": {"type": ["container"], "event": ["start", "die"], "label": [_TASK]},
    }
    text = engine.request("GET", "/events", params).text
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _figures(engine: Engine, containers: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Figures by task of the containers that run."""
    running = [one for one in containers if one.get("State") == "running"]

    def ask(container: Mapping[str, Any]) -> dict[str, int] | None:
        path, params = f"/containers/{container['Id']}/stats", {"stream": "false", "one-shot": "true"}
        try:
            return read_sample(engine.get(path, params))
        except (NotFound, Conflict):  # it has ended meanwhile
            return None

    # A connection over SSH is one for all.
    with ThreadPoolExecutor(1 if engine.host.startswith("ssh://") else _AT_ONCE) as hands:
        found = hands.map(ask, running)
        return {one["Labels"][_TASK]: figures for one, figures in zip(running, found, strict=True) if figures}
