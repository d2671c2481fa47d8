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
from .forms import (
    ON_A_SWARM,
    read_env_files,
    read_environment,
    read_extends,
    read_external,
    read_extra_hosts,
    read_file_reference,
    read_generic_resources,
    read_group_add,
    read_healthcheck,
    read_includes,
    read_mount,
    read_ports,
    read_service_networks,
    read_ulimit,
)
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

    What it includes is not read here, see :func:`read_include`.

    :raises ComposeError: an unknown key, or a value that cannot be, with the path of the key
    """
    sections = DOCUMENT.read(document, "", notes)
    return {section: sections.get(section, {}) for section in _SECTIONS}


def read_include(document: dict[str, Any]) -> list[dict[str, Any]]:
    """What a compose document includes, in normal form.

    :raises ComposeError: with the path of the key
    """
    return read_includes(document["include"], "include", Notes()) if document.get("include") else []


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


_CPUS = plain(values.nano_cpus)
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
            {"cpus": _CPUS, "memory": SIZE, "generic_resources": read_generic_resources},
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

#: Keys of the Compose specification that docker refuses on a swarm, too.
_COMPOSE_ONLY = {
    **dict.fromkeys(("cpus", "cpu_count", "cpu_percent", "cpu_period"), "use deploy.resources.limits.cpus."),
    "mem_reservation": "use deploy.resources.reservations.memory.",
    "pids_limit": "use deploy.resources.limits.pids.",
    "scale": "use deploy.replicas.",
    "platform": "use deploy.placement.constraints on node.platform.arch.",
    "gpus": "use deploy.resources.reservations.generic_resources.",
    "pull_policy": "use the option resolve_image of the task.",
    "label_file": "write them in labels.",
    **dict.fromkeys(
        (
            *(
                "annotations",
                "attach",
                "blkio_config",
                "cgroup",
                "cpu_rt_period",
                "cpu_rt_runtime",
                "develop",
            ),
            *("device_cgroup_rules", "mem_swappiness", "models", "oom_kill_disable", "post_start"),
            *("pre_start", "pre_stop", "provider", "pull_refresh_after", "runtime", "storage_opt"),
            *("use_api_socket", "uts"),
        ),
        "remove it.",
    ),
}
SERVICE = Table(
    {
        "image": STRING,
        "command": COMMAND,
        "entrypoint": COMMAND,
        "environment": read_environment,
        "env_file": read_env_files,
        "extends": read_extends,
        "profiles": STRINGS,
        "group_add": read_group_add,
        "dns_opt": STRINGS,
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
        "ulimits": map_of(read_ulimit),
        "dns": STRING_OR_STRINGS,
        "dns_search": STRING_OR_STRINGS,
        "extra_hosts": read_extra_hosts,
        "healthcheck": read_healthcheck,
        "secrets": list_of(read_file_reference),
        "configs": list_of(read_file_reference),
        "credential_spec": Table({"config": STRING, "file": STRING, "registry": STRING}).read,
        "volumes": list_of(read_mount),
        "logging": _LOGGING.read,
        "networks": read_service_networks,
        "ports": read_ports,
        "restart": STRING,
        "deploy": _DEPLOY.read,
    },
    ignored={
        "build": "a swarm does not build; build the image before, and name it in image.",
        "container_name": "a swarm names its containers.",
        "expose": "ports inside a network are always open.",
        "cgroup_parent": ON_A_SWARM,
        "cgroupns_mode": ON_A_SWARM,
        "devices": ON_A_SWARM,
        "domainname": ON_A_SWARM,
        "external_links": "services of a network find each other by name.",
        "links": "services of a network find each other by name.",
        "ipc": ON_A_SWARM,
        "mac_address": ON_A_SWARM,
        "network_mode": "name a network in networks.",
        "pid": ON_A_SWARM,
        "privileged": "name what is needed in cap_add.",
        "security_opt": ON_A_SWARM,
        "shm_size": "mount a tmpfs of the wanted size on /dev/shm.",
        "userns_mode": ON_A_SWARM,
        "depends_on": "a swarm starts all services at once; have them wait for each other.",
        "tmpfs": "write it as an entry of volumes with type tmpfs.",
    },
    forbidden={
        "volume_driver": "set driver of the volume.",
        "volumes_from": "name the volumes in volumes.",
        "cpu_quota": "use deploy.resources.limits.cpus.",
        "cpu_shares": "use deploy.resources.reservations.cpus.",
        "cpuset": "use deploy.resources.",
        "mem_limit": "use deploy.resources.limits.memory.",
        "memswap_limit": "use deploy.resources.limits.memory.",
        **_COMPOSE_ONLY,
    },
)
_NETWORK = Table(
    {
        "name": STRING,
        "driver": STRING,
        "driver_opts": STRING_MAP,
        "external": read_external,
        "internal": BOOLEAN,
        "attachable": BOOLEAN,
        "labels": LABELS,
        "ipam": Table({"driver": STRING, "config": list_of(Table({"subnet": STRING}).read)}).read,
    }
)
_VOLUME = Table(
    {"name": STRING, "driver": STRING, "driver_opts": STRING_MAP, "external": read_external, "labels": LABELS}
)
_SECRET = Table(
    {
        "name": STRING,
        "file": STRING,
        "environment": STRING,
        "external": read_external,
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
        "environment": STRING,
        "external": read_external,
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
    ignored={"name": "the option name of the task names the stack."},
    silent=frozenset({"version", "include"}),
)
