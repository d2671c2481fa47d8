# SPDX-License-Identifier: GPL-3.0-or-later
"""A compose document, with all its short and long forms, to one normal form.

The normal form is plain data with the keys of compose: every short form is written out, durations are
nanoseconds, sizes are bytes. Documents in normal form can be merged (``merge.py``) and converted
(``convert.py``).
"""

from __future__ import annotations

import re
from typing import Any

from . import values
from .errors import ComposeError
from .schema import (
    BOOLEAN,
    COMMAND,
    DURATION,
    INTEGER,
    LABELS,
    NUMBER,
    SIZE,
    STRING,
    STRING_MAP,
    STRING_OR_STRINGS,
    STRINGS,
    Notes,
    Reader,
    Table,
    at_least,
    choice,
    list_of,
    map_of,
    plain,
)

_NAME = re.compile(r"[a-zA-Z0-9._-]+")
_SECTIONS = ("services", "networks", "volumes", "secrets", "configs")


def normalise(document: dict[str, Any], notes: Notes) -> dict[str, dict[str, Any]]:
    """Bring a compose document into normal form: the five sections, each a mapping by name.

    :raises ComposeError: an unknown key, or a value that cannot be, with the path of the key
    """
    sections = DOCUMENT.read(document, "", notes)
    return {section: sections.get(section, {}) for section in _SECTIONS}


def _environment(value: Any, path: str, notes: Notes) -> dict[str, str | None]:
    return values.map_or_list(value, path, nulls=True)


def _extra_hosts(value: Any, path: str, notes: Notes) -> list[str]:
    """As the engine wants them: ``address name``."""
    if isinstance(value, dict):
        pairs = sorted((name, values.string(address, f"{path}.{name}")) for name, address in value.items())
    else:
        pairs = []
        for index, item in enumerate(values.strings(value, path)):
            separator = "=" if "=" in item else ":"
            name, found, address = item.partition(separator)
            if not (found and name and address):
                raise ComposeError(f"{item!r} is not host=address.", f"{path}[{index}]")
            pairs.append((name, address))
    return [f"{address.removeprefix('[').removesuffix(']')} {name}" for name, address in pairs]


def _ulimit(value: Any, path: str, notes: Notes) -> dict[str, int]:
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


def _healthcheck(value: Any, path: str, notes: Notes) -> dict[str, Any]:
    check = _HEALTHCHECK.read(value, path, notes)
    if check.pop("disable", False):
        if check.get("test"):
            raise ComposeError("test and disable cannot stand together; remove one.", path)
        return {"test": ["NONE"]}
    return check


def _file_reference(value: Any, path: str, notes: Notes) -> dict[str, Any]:
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


def _ports(value: Any, path: str, notes: Notes) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise ComposeError(f"a list is wanted here, not {values.kind_of(value)}.", path)
    ports: list[dict[str, Any]] = []
    for index, item in enumerate(value):
        here = f"{path}[{index}]"
        if not isinstance(item, dict):
            ports += values.short_ports(item, here, notes.warn)
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


def _mount(value: Any, path: str, notes: Notes) -> dict[str, Any]:
    mount = values.short_mount(value, path) if isinstance(value, str) else _MOUNT.read(value, path, notes)
    if not mount.get("target"):
        raise ComposeError("target is missing: the path inside the container.", path)
    if "type" not in mount:
        raise ComposeError("type is missing: volume, bind, tmpfs, npipe, image or cluster.", path)
    if mount["type"] == "tmpfs" and mount.get("source"):
        raise ComposeError("a tmpfs mount has no source; remove it.", path)
    if mount["type"] in {"bind", "npipe", "image", "cluster"} and not mount.get("source"):
        raise ComposeError("source is missing.", path)
    return mount


def _service_networks(value: Any, path: str, notes: Notes) -> dict[str, dict[str, Any]]:
    if isinstance(value, list):
        return {name: {} for name in values.strings(value, path)}
    return {
        name: _SERVICE_NETWORK.read(item, f"{path}.{name}", notes)
        for name, item in values.mapping(value, path).items()
    }


def _external(value: Any, path: str, notes: Notes) -> dict[str, Any]:
    """``external: true`` or the old ``external: {name: x}``, as ``{"external": bool, "name": x}``."""
    if isinstance(value, dict):
        return {"external": True, **Table({"name": STRING}).read(value, path, notes)}
    return {"external": values.boolean(value, path)}


def _object(table: Table) -> Reader:
    """An entry of a top-level section, with ``external`` written out."""

    def read(value: Any, path: str, notes: Notes) -> dict[str, Any]:
        entry = table.read(value, path, notes)
        external = entry.pop("external", {"external": False})
        entry = {**entry, **external}
        if entry["external"]:
            other = sorted(set(entry) - {"external", "name"})
            if other:
                raise ComposeError(
                    f"an external entry is not made here, so {', '.join(other)} cannot be set.", path
                )
        return entry

    return read


def _named(read: Reader) -> Reader:
    """A section: free names, checked, each with an entry."""

    def read_section(value: Any, path: str, notes: Notes) -> dict[str, Any]:
        for name in values.mapping(value, path):
            if not _NAME.fullmatch(name):
                raise ComposeError("a name has letters, digits, '.', '_' and '-' only.", f"{path}.{name}")
        entries: dict[str, Any] = map_of(read)(value, path, notes)
        return entries

    return read_section


def _generic_resources(value: Any, path: str, notes: Notes) -> list[dict[str, Any]]:
    table = Table({"discrete_resource_spec": Table({"kind": STRING, "value": INTEGER}).read})
    return [item.get("discrete_resource_spec", {}) for item in list_of(table.read)(value, path, notes)]


_CPUS = plain(values.nano_cpus)

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
        "bind": Table({"propagation": STRING}).read,
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
_UPDATE = Table(
    {
        "parallelism": at_least(0),
        "delay": DURATION,
        "failure_action": choice("pause", "continue", "rollback"),
        "monitor": DURATION,
        "max_failure_ratio": NUMBER,
        "order": choice("stop-first", "start-first"),
    }
)
_ROLLBACK = Table({**_UPDATE.keys, "failure_action": choice("pause", "continue")})
_RESOURCES = Table(
    {
        "limits": Table({"cpus": _CPUS, "memory": SIZE, "pids": INTEGER}).read,
        "reservations": Table(
            {"cpus": _CPUS, "memory": SIZE, "generic_resources": _generic_resources},
            forbidden={"devices": "use generic_resources."},
        ).read,
    }
)
_DEPLOY = Table(
    {
        "mode": choice("replicated", "global", "replicated-job", "global-job"),
        "replicas": at_least(0),
        "endpoint_mode": choice("vip", "dnsrr"),
        "labels": LABELS,
        "resources": _RESOURCES.read,
        "restart_policy": Table(
            {
                "condition": choice("none", "on-failure", "any"),
                "delay": DURATION,
                "max_attempts": at_least(0),
                "window": DURATION,
            }
        ).read,
        "update_config": _UPDATE.read,
        "rollback_config": _ROLLBACK.read,
        "placement": Table(
            {
                "constraints": STRINGS,
                "preferences": list_of(Table({"spread": STRING}).read),
                "max_replicas_per_node": at_least(0),
            }
        ).read,
    }
)
_LOGGING = Table({"driver": STRING, "options": STRING_MAP})

_ON_A_SWARM = "a swarm has no such setting."
SERVICE = Table(
    {
        "image": STRING,
        "command": COMMAND,
        "entrypoint": COMMAND,
        "environment": _environment,
        "env_file": STRING_OR_STRINGS,
        "labels": LABELS,
        "hostname": STRING,
        "user": STRING,
        "working_dir": STRING,
        "tty": BOOLEAN,
        "stdin_open": BOOLEAN,
        "read_only": BOOLEAN,
        "init": BOOLEAN,
        "isolation": STRING,
        "sysctls": LABELS,
        "oom_score_adj": INTEGER,
        "stop_grace_period": DURATION,
        "stop_signal": STRING,
        "cap_add": STRINGS,
        "cap_drop": STRINGS,
        "ulimits": map_of(_ulimit),
        "dns": STRING_OR_STRINGS,
        "dns_search": STRING_OR_STRINGS,
        "extra_hosts": _extra_hosts,
        "healthcheck": _healthcheck,
        "secrets": list_of(_file_reference),
        "configs": list_of(_file_reference),
        "credential_spec": Table({"config": STRING, "file": STRING, "registry": STRING}).read,
        "volumes": list_of(_mount),
        "logging": _LOGGING.read,
        "networks": _service_networks,
        "ports": _ports,
        "restart": STRING,
        "deploy": _DEPLOY.read,
    },
    ignored={
        "build": "a swarm does not build; build the image before, and name it in image.",
        "container_name": "a swarm names its containers.",
        "expose": "ports inside a network are always open.",
        "cgroup_parent": _ON_A_SWARM,
        "cgroupns_mode": _ON_A_SWARM,
        "devices": _ON_A_SWARM,
        "domainname": _ON_A_SWARM,
        "external_links": "services of a network find each other by name.",
        "links": "services of a network find each other by name.",
        "ipc": _ON_A_SWARM,
        "mac_address": _ON_A_SWARM,
        "network_mode": "name a network in networks.",
        "pid": _ON_A_SWARM,
        "privileged": "name what is needed in cap_add.",
        "security_opt": _ON_A_SWARM,
        "shm_size": "mount a tmpfs of the wanted size on /dev/shm.",
        "userns_mode": _ON_A_SWARM,
        "depends_on": "a swarm starts all services at once; have them wait for each other.",
        "tmpfs": "write it as an entry of volumes with type tmpfs.",
    },
    forbidden={
        "extends": "merge several documents.",
        "volume_driver": "set driver of the volume.",
        "volumes_from": "name the volumes in volumes.",
        "cpu_quota": "use deploy.resources.limits.cpus.",
        "cpu_shares": "use deploy.resources.reservations.cpus.",
        "cpuset": "use deploy.resources.",
        "mem_limit": "use deploy.resources.limits.memory.",
        "memswap_limit": "use deploy.resources.limits.memory.",
    },
)
_NETWORK = Table(
    {
        "name": STRING,
        "driver": STRING,
        "driver_opts": STRING_MAP,
        "external": _external,
        "internal": BOOLEAN,
        "attachable": BOOLEAN,
        "labels": LABELS,
        "ipam": Table({"driver": STRING, "config": list_of(Table({"subnet": STRING}).read)}).read,
    }
)
_VOLUME = Table(
    {"name": STRING, "driver": STRING, "driver_opts": STRING_MAP, "external": _external, "labels": LABELS}
)
_SECRET = Table(
    {
        "name": STRING,
        "file": STRING,
        "external": _external,
        "labels": LABELS,
        "driver": STRING,
        "driver_opts": STRING_MAP,
        "template_driver": STRING,
    }
)
_CONFIG = Table(
    {
        "name": STRING,
        "file": STRING,
        "content": STRING,
        "external": _external,
        "labels": LABELS,
        "template_driver": STRING,
    }
)
DOCUMENT = Table(
    {
        "services": _named(SERVICE.read),
        "networks": _named(_object(_NETWORK)),
        "volumes": _named(_object(_VOLUME)),
        "secrets": _named(_object(_SECRET)),
        "configs": _named(_object(_CONFIG)),
    },
    silent=frozenset({"version"}),
)
