# SPDX-License-Identifier: GPL-3.0-or-later
"""The short and long forms of compose values, each to one form.

A reader takes the value, the path of its key and the notes, and raises ``ComposeError``.
"""

from __future__ import annotations

import re
from typing import Any

from . import values
from .errors import ComposeError
from .schema import (
    BOOLEAN,
    DURATION,
    INTEGER,
    SIZE,
    STRING,
    STRING_MAP,
    STRING_OR_STRINGS,
    STRINGS,
    Notes,
    Table,
    at_least,
    choice,
    list_of,
)

#: Why many a key is ignored.
ON_A_SWARM = "a swarm has no such setting."


def read_environment(value: Any, path: str, notes: Notes) -> dict[str, str | None]:
    """A mapping or a list of ``KEY=value``; a key without a value is kept as ``None``."""
    return values.map_or_list(value, path, nulls=True)


def read_extra_hosts(value: Any, path: str, notes: Notes) -> list[str]:
    """As the engine wants them: ``address name``."""
    if isinstance(value, dict):
        named = values.mapping(value, path).items()
        pairs = [(name, values.string(address, f"{path}.{name}")) for name, address in named]
        pairs.sort(key=":".join)
    else:
        pairs = []
        for index, item in enumerate(values.strings(value, path)):
            separator = "=" if "=" in item else ":"
            name, found, address = item.partition(separator)
            if not (found and name and address):
                raise ComposeError(f"{item!r} is not host=address.", f"{path}[{index}]")
            pairs.append((name, address))
    return [f"{address.removeprefix('[').removesuffix(']')} {name}" for name, address in pairs]


def read_ulimit(value: Any, path: str, notes: Notes) -> dict[str, int]:
    """One number stands for both."""
    if not isinstance(value, dict):
        single = values.integer(value, path)
        return {"soft": single, "hard": single}
    limit = Table({"soft": INTEGER, "hard": INTEGER}).read(value, path, notes)
    if set(limit) != {"soft", "hard"}:
        raise ComposeError("both soft and hard are wanted here.", path)
    return limit


def _health_test(value: Any, path: str, notes: Notes) -> list[str]:
    if isinstance(value, str):
        return ["CMD-SHELL", value]
    test = values.strings(value, path)
    if test and test[0] not in {"NONE", "CMD", "CMD-SHELL"}:
        raise ComposeError("the list starts with NONE, CMD or CMD-SHELL.", path)
    return test


def read_healthcheck(value: Any, path: str, notes: Notes) -> dict[str, Any]:
    """``disable`` becomes the test NONE."""
    check = _HEALTHCHECK.read(value, path, notes)
    if check.pop("disable", False):
        if check.get("test"):
            raise ComposeError("test and disable cannot stand together; remove one.", path)
        return {"test": ["NONE"]}
    return check


def read_file_reference(value: Any, path: str, notes: Notes) -> dict[str, Any]:
    """A name, or a mapping with ``source``."""
    if isinstance(value, str):
        return {"source": value}
    reference = _FILE_REFERENCE.read(value, path, notes)
    if not reference.get("source"):
        raise ComposeError("source is missing: the name of the entry it refers to.", path)
    return reference


def _mode(value: Any, path: str, notes: Notes) -> int:
    """File mode: a number as YAML gives it (``0440`` is octal there), or octal text."""
    if isinstance(value, str) and re.fullmatch(r"0?o?[0-7]{3,4}", value):
        return int(value.lower().replace("o", ""), 8)
    mode = values.integer(value, path)
    if not 0 <= mode <= 0o7777:
        raise ComposeError(f"{value!r} is not a file mode; write it like 0440.", path)
    return mode


def read_ports(value: Any, path: str, notes: Notes) -> list[dict[str, Any]]:
    """Short ports are written out; ranges become several."""
    if not isinstance(value, list):
        raise ComposeError(f"a list is wanted here, not {values.kind_of(value)}.", path)
    ports: list[dict[str, Any]] = []
    for index, item in enumerate(value):
        here = f"{path}[{index}]"
        if not isinstance(item, dict):
            ports += values.short_ports(item, here, notes.ignore)
            continue
        port = _PORT.read(item, here, notes)
        if "target" not in port:
            raise ComposeError("target is missing: the port inside the container.", here)
        ports.append({"mode": "ingress", "published": 0, "protocol": "tcp", **port})
    return ports


def _port_number(value: Any, path: str, notes: Notes) -> int:
    port = values.integer(value, path)
    if not 0 <= port <= 65535:
        raise ComposeError(f"{port} is not a port; ports are 1 to 65535.", path)
    return port


#: Keys of a mount with the options of one type.
_MOUNT_OPTIONS = {"bind", "volume", "tmpfs", "image", "cluster"}


def read_mount(value: Any, path: str, notes: Notes) -> dict[str, Any]:
    """A short mount is written out."""
    mount = values.short_mount(value, path) if isinstance(value, str) else _MOUNT.read(value, path, notes)
    if not mount.get("target"):
        raise ComposeError("target is missing: the path inside the container.", path)
    if "type" not in mount:
        raise ComposeError("type is missing: volume, bind, tmpfs, npipe, image or cluster.", path)
    if mount["type"] == "tmpfs" and mount.get("source"):
        raise ComposeError("a tmpfs mount has no source; remove it.", path)
    if mount["type"] in {"bind", "npipe", "image", "cluster"} and not mount.get("source"):
        raise ComposeError("source is missing.", path)
    for other in _MOUNT_OPTIONS - {mount["type"], "bind" if mount["type"] == "npipe" else ""}:
        if other in mount:
            raise ComposeError(
                f"a mount of type {mount['type']} has no options for {other}; remove them.", f"{path}.{other}"
            )
    return mount


def read_service_networks(value: Any, path: str, notes: Notes) -> dict[str, dict[str, Any] | None]:
    """A list of names, or a mapping; ``None`` for a network without options."""
    if isinstance(value, list):
        return dict.fromkeys(values.strings(value, path))
    return {
        name: None if item is None else _SERVICE_NETWORK.read(item, f"{path}.{name}", notes)
        for name, item in values.mapping(value, path).items()
    }


def read_external(value: Any, path: str, notes: Notes) -> dict[str, Any]:
    """``external: true`` or the old ``external: {name: x}``, as ``{"external": bool, "name": x}``."""
    if isinstance(value, dict):
        return {"external": True, **Table({"name": STRING}).read(value, path, notes)}
    return {"external": values.boolean(value, path)}


def read_env_files(value: Any, path: str, notes: Notes) -> list[dict[str, Any]]:
    """Short and long forms, as ``{"path": text, "required": bool, "format": text}``."""
    items = [value] if isinstance(value, str | dict) else value
    return [
        {"path": item, "required": True}
        if isinstance(item, str)
        else {"required": True, **_required(_ENV_FILE, "path", item, where, notes)}
        for item, where in _items(items, path)
    ]


def read_extends(value: Any, path: str, notes: Notes) -> dict[str, Any]:
    """A name, or a mapping with ``service``."""
    if isinstance(value, str):
        return {"service": value}
    return _required(_EXTENDS, "service", value, path, notes)


def read_includes(value: Any, path: str, notes: Notes) -> list[dict[str, Any]]:
    """Short and long forms, as ``{"path": [text], "project_directory": text, "env_file": [text]}``."""
    return [
        {"path": [item]} if isinstance(item, str) else _required(_INCLUDE, "path", item, where, notes)
        for item, where in _items(value, path)
    ]


def _items(value: Any, path: str) -> list[tuple[Any, str]]:
    if not isinstance(value, list):
        raise ComposeError(f"a list is wanted here, not {values.kind_of(value)}.", path)
    return [(item, f"{path}[{index}]") for index, item in enumerate(value)]


def _required(table: Table, key: str, value: Any, path: str, notes: Notes) -> dict[str, Any]:
    entry = table.read(value, path, notes)
    if not entry.get(key):
        raise ComposeError(f"{key} is missing.", path)
    return entry


def read_group_add(value: Any, path: str, notes: Notes) -> list[str]:
    """Names or numbers of groups, in one order."""
    return sorted(set(values.strings(value, path)))


def read_generic_resources(value: Any, path: str, notes: Notes) -> list[dict[str, Any]]:
    """Kinds and values of discrete resources."""
    table = Table({"discrete_resource_spec": Table({"kind": STRING, "value": INTEGER}).read})
    return [item.get("discrete_resource_spec", {}) for item in list_of(table.read)(value, path, notes)]


_ENV_FILE = Table({"path": STRING, "required": BOOLEAN, "format": choice("raw")})
_EXTENDS = Table({"service": STRING, "file": STRING})
_INCLUDE = Table({"path": STRING_OR_STRINGS, "project_directory": STRING, "env_file": STRING_OR_STRINGS})

_HEALTHCHECK = Table(
    {
        "test": _health_test,
        "interval": DURATION,
        "timeout": DURATION,
        "start_period": DURATION,
        "start_interval": DURATION,
        "retries": at_least(0),
        "disable": BOOLEAN,
    }
)
_FILE_REFERENCE = Table({"source": STRING, "target": STRING, "uid": STRING, "gid": STRING, "mode": _mode})
_PORT = Table(
    {
        "mode": choice("ingress", "host"),
        "target": _port_number,
        "published": _port_number,
        "protocol": choice("tcp", "udp", "sctp"),
    },
    ignored={"host_ip": "a swarm publishes on all addresses."},
    silent=frozenset({"name", "app_protocol"}),
)
_MOUNT = Table(
    {
        "type": choice("volume", "bind", "tmpfs", "npipe", "image", "cluster"),
        "source": STRING,
        "target": STRING,
        "read_only": BOOLEAN,
        "consistency": STRING,
        "bind": Table(
            {"propagation": STRING},
            ignored={
                "create_host_path": "a swarm never makes the folder; make it on each node.",
                "selinux": ON_A_SWARM,
                "recursive": ON_A_SWARM,
            },
        ).read,
        "volume": Table({"nocopy": BOOLEAN, "subpath": STRING}).read,
        "tmpfs": Table({"size": SIZE}).read,
        "image": Table({"subpath": STRING}).read,
        "cluster": Table({}).read,
    }
)
_SERVICE_NETWORK = Table(
    {"aliases": STRINGS, "driver_opts": STRING_MAP},
    ignored={
        "ipv4_address": "a swarm chooses the addresses of its tasks.",
        "ipv6_address": "a swarm chooses the addresses of its tasks.",
    },
)
