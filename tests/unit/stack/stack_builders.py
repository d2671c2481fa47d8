"""Builders with defaults: compose documents, desired stacks, and what an engine would say of them."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._stack.compose import load_stack
from ansible_collections.labyard.platform.plugins.module_utils._stack.convert import Naming
from ansible_collections.labyard.platform.plugins.module_utils._stack.desired import DesiredStack
from ansible_collections.labyard.platform.plugins.module_utils._stack.live import LiveStack

STACK = "shop"


def document(**web: Any) -> dict[str, Any]:
    """A document with one service `web`; keywords are added to the service."""
    return {"services": {"web": {"image": "app:1", **web}}}


def desired(source: dict[str, Any], **naming: Any) -> DesiredStack:
    """The desired stack of an inline document, without variables."""
    return load_stack([source], Naming(STACK, **naming), variables=None)[0]


def spec(source: dict[str, Any], service: str = "web") -> dict[str, Any]:
    """The ServiceSpec of one service of an inline document."""
    return desired(source).services[f"{STACK}_{service}"]


def container(**web: Any) -> dict[str, Any]:
    """The ContainerSpec of a service with these keys."""
    found: dict[str, Any] = spec(document(**web))["TaskTemplate"]["ContainerSpec"]
    return found


def live_of(wanted: DesiredStack) -> LiveStack:
    """The swarm after `wanted` was applied: ids in place of names, defaults written out."""
    networks = {
        name: {"Id": f"net-{name}", "Name": name, "Scope": "swarm", **body}
        for name, body in wanted.networks.items()
    }
    for name in wanted.external_networks:
        networks[name] = {"Id": f"net-{name}", "Name": name, "Scope": "swarm"}
    services = {}
    for number, (name, body) in enumerate(wanted.services.items()):
        services[name] = {"ID": f"svc-{name}", "Version": {"Index": number + 10}, "Spec": _as_stored(body)}
    files: dict[str, dict[str, Any]] = {}
    for kind in ("secrets", "configs"):
        files[kind] = {
            name: {
                "ID": f"id-{name}",
                "Version": {"Index": 5},
                "Spec": {"Name": name, "Labels": dict(file.labels)},
            }
            for name, file in getattr(wanted, kind).items()
        }
    own = {name: item for name, item in networks.items() if name in wanted.networks}
    return LiveStack(
        services, own, files["secrets"], files["configs"], networks, files["secrets"], files["configs"]
    )


def _as_stored(body: dict[str, Any]) -> dict[str, Any]:
    stored = copy.deepcopy(body)
    template = stored["TaskTemplate"]
    template.update({"ForceUpdate": 0, "Runtime": "container"})
    template["ContainerSpec"]["Isolation"] = "default"
    for attachment in template.get("Networks", []):
        attachment["Target"] = f"net-{attachment['Target']}"
    for kind in ("Secret", "Config"):
        for reference in template["ContainerSpec"].get(f"{kind}s", []):
            reference[f"{kind}ID"] = f"id-{reference[f'{kind}Name']}"
    if stored["Mode"] == {"Replicated": {}}:
        stored["Mode"] = {"Replicated": {"Replicas": 1}}
    stored["EndpointSpec"] = {"Mode": "vip", **stored["EndpointSpec"]}
    return stored


def service(name: str = "shop_web", **parts: Any) -> dict[str, Any]:
    """A live service as the engine gives it; keywords replace parts of its spec."""
    running = parts.pop("running", 0)
    update = parts.pop("update", None)
    return {
        "ID": f"id-{name}",
        "Version": {"Index": 7},
        "Spec": {
            "Name": name,
            "TaskTemplate": {"ContainerSpec": {"Image": "app:1"}},
            "Mode": {"Replicated": {"Replicas": 1}},
            **parts,
        },
        "ServiceStatus": {"RunningTasks": running, "DesiredTasks": 1},
        **({"UpdateStatus": update} if update else {}),
    }


def task(of: dict[str, Any], state: str = "running", number: int = 1, **parts: Any) -> dict[str, Any]:
    """A task made from the present spec of a service; keywords: wanted, error, exit_code, slot."""
    ended = state in {"failed", "rejected", "shutdown", "complete"}
    status: dict[str, Any] = {"State": state, "Err": parts.get("error", "")}
    if "exit_code" in parts:
        status["ContainerStatus"] = {"ExitCode": parts["exit_code"]}
    return {
        "ID": f"task-{number}",
        "ServiceID": of["ID"],
        "Slot": parts.get("slot", 1),
        "NodeID": "node-1",
        "CreatedAt": f"2026-01-01T00:00:{number:02d}Z",
        "Spec": copy.deepcopy(of["Spec"]["TaskTemplate"]),
        "Status": status,
        "DesiredState": parts.get("wanted", "shutdown" if ended else "running"),
    }
