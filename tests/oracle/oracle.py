"""The oracle: the same compose files through `docker stack deploy` and through swarm_stack."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._stack.client import SwarmClient
from ansible_collections.labyard.platform.plugins.module_utils._stack.engine import connect_engine

COMPOSE = Path(__file__).parent / "compose"
#: One file each, with many compose files in it as YAML documents.
TOPICS = ("commands", "container", "deploy", "environment", "files", "merge", "mounts", "networks", "ports")
#: The same, for what this engine is too old for, or what would leave tasks of removed jobs in the swarm.
RECORDED = ("jobs", "newer")
#: Name of the external secret, config and network of the files.
OUTSIDE = "oracle-outside"
#: What the files may take from the environment.
VARIABLES = {
    "ORACLE_VALUE": secrets.token_hex(3),
    "ORACLE_EMPTY": "",
    "ORACLE_TRUE": "true",
    "ORACLE_NUMBER": "8",
    "ORACLE_ZERO": "0",
}
#: Labels by which swarm_stack knows its versions of secrets and configs.
OWN_LABELS = "labyard.stack."


def documents(topic: str) -> list[str]:
    """The compose files of a topic; they stand in one file, as the documents of YAML."""
    return (COMPOSE / f"{topic}.yml").read_text().split("\n---\n")


def write_files(topic: str, folder: Path) -> list[str]:
    """Write each compose file of a topic into `folder`, with what they refer to; returns their paths."""
    for asset in COMPOSE.iterdir():
        if asset.suffix != ".yml":
            (folder / asset.name).write_bytes(asset.read_bytes())
    paths = []
    for number, text in enumerate(documents(topic)):
        path = folder / f"{topic}-{number:02d}.yml"
        path.write_text(text)
        paths.append(str(path))
    return paths


def docker_deploy(stack: str, paths: Sequence[str]) -> str:
    """Deploy with docker's command line; returns what it prints."""
    arguments = [part for path in paths for part in ("--compose-file", path)]
    done = subprocess.run(
        ["docker", "stack", "deploy", "--detach", "--resolve-image", "never", *arguments, stack],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **VARIABLES},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def read_back(stack: str) -> dict[str, dict[str, Any]]:
    """All objects of a stack as the engine stores them, names in place of ids."""
    client = SwarmClient(connect_engine())
    try:
        live = client.read_stack(stack)
        return {
            "services": {
                name: _by_name(item["Spec"], live.network_names, live.all_configs)
                for name, item in live.services.items()
            },
            "networks": {name: _network(item) for name, item in live.networks.items()},
            "secrets": {name: _file(item["Spec"]) for name, item in live.secrets.items()},
            "configs": {name: _file(item["Spec"]) for name, item in live.configs.items()},
        }
    finally:
        client.engine.close()


def _by_name(spec: Any, networks: Mapping[str, str], configs: Mapping[str, Any]) -> Any:
    """A spec without the ids that are new each time."""
    config_names = {item["ID"]: name for name, item in configs.items()}

    def walk(value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {
                name: walk(item, name) for name, item in value.items() if name not in {"SecretID", "ConfigID"}
            }
        if isinstance(value, list):
            return [walk(item, key) for item in value]
        if key == "Target":
            return networks.get(value, value)
        return config_names.get(value, value) if key == "Config" else value

    return walk(spec, "")


def _network(item: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("Driver", "Options", "Internal", "Attachable", "Labels", "Scope", "EnableIPv6")
    ipam = item.get("IPAM") or {}
    pools = [pool.get("Subnet") for pool in ipam.get("Config") or []]
    options = {
        key: value
        for key, value in (item.get("Options") or {}).items()
        if key != "com.docker.network.driver.overlay.vxlanid_list"
    }
    return {
        **{key: item.get(key) for key in keys},
        "Options": options,
        "IPAM": (ipam.get("Driver"), pools if "10.231.7.0/24" in pools else "chosen"),
    }


def _file(spec: Mapping[str, Any]) -> dict[str, Any]:
    labels = {
        key: value for key, value in (spec.get("Labels") or {}).items() if not key.startswith(OWN_LABELS)
    }
    return {**spec, "Labels": labels}
