# SPDX-License-Identifier: GPL-3.0-or-later
"""The container of a service: ContainerSpec, its mounts, secrets and configs. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .errors import ComposeError
from .image import normal_image
from .values import capabilities

if TYPE_CHECKING:
    from .convert import Naming
    from .merge import Document

#: compose key -> ContainerSpec key, value taken as it is
_DIRECT = {
    "entrypoint": "Command",
    "command": "Args",
    "hostname": "Hostname",
    "user": "User",
    "working_dir": "Dir",
    "tty": "TTY",
    "stdin_open": "OpenStdin",
    "read_only": "ReadOnly",
    "stop_signal": "StopSignal",
    "isolation": "Isolation",
    "sysctls": "Sysctls",
    "oom_score_adj": "OomScoreAdj",
    "extra_hosts": "Hosts",
}
#: the same, but an empty value (0, false) says something other than no value at all
_DIRECT_EVEN_EMPTY = {"init": "Init", "stop_grace_period": "StopGracePeriod"}
_HEALTH = {
    "test": "Test",
    "interval": "Interval",
    "timeout": "Timeout",
    "start_period": "StartPeriod",
    "start_interval": "StartInterval",
    "retries": "Retries",
}


def convert_container(
    key: str, service: Mapping[str, Any], document: Document, naming: Naming
) -> dict[str, Any]:
    """The ContainerSpec of one service.

    :param key: the name of the service in the document
    :raises ComposeError: it refers to a volume, secret or config that is not there
    """
    path = f"services.{key}"
    spec: dict[str, Any] = {"Image": normal_image(service["image"])}
    spec.update({theirs: service[ours] for ours, theirs in _DIRECT.items() if service.get(ours)})
    spec.update({theirs: service[ours] for ours, theirs in _DIRECT_EVEN_EMPTY.items() if ours in service})
    add, drop = _capabilities(service)
    check = service.get("healthcheck", {})
    parts = {
        "Labels": {**service.get("labels", {}), "com.docker.stack.namespace": naming.stack},
        "Env": sorted(
            name if value is None else f"{name}={value}"
            for name, value in service.get("environment", {}).items()
        ),
        "CapabilityAdd": add,
        "CapabilityDrop": drop,
        "Ulimits": [
            {"Name": name, "Soft": limit["soft"], "Hard": limit["hard"]}
            for name, limit in sorted(service.get("ulimits", {}).items())
        ],
        "DNSConfig": _dns(service, path),
        "Healthcheck": {_HEALTH[name]: value for name, value in check.items()},
        "Mounts": [
            _mount(mount, f"{path}.volumes[{index}]", document, naming)
            for index, mount in enumerate(service.get("volumes", []))
        ],
        "Secrets": _references("secrets", "Secret", service, path, document, naming),
        "Configs": _references("configs", "Config", service, path, document, naming),
        "Privileges": _privileges(service, path, document, naming),
    }
    spec.update({name: value for name, value in parts.items() if value})
    spec.setdefault("Privileges", {})  # as docker does; the engine keeps it
    return spec


def _capabilities(service: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Adding beats dropping; ALL stands for every other name on its side."""
    add, drop = capabilities(service.get("cap_add", [])), capabilities(service.get("cap_drop", []))
    add = ["ALL"] if "ALL" in add else add
    drop = ["ALL"] if "ALL" in drop else drop
    return add, [name for name in drop if name not in add]


def _dns(service: Mapping[str, Any], path: str) -> dict[str, Any]:
    servers = service.get("dns", [])
    for server in servers:
        try:
            ipaddress.ip_address(server)
        except ValueError:
            raise ComposeError(f"{server!r} is not an address.", f"{path}.dns") from None
    parts = {"Nameservers": servers, "Search": service.get("dns_search", [])}
    return {name: value for name, value in parts.items() if value}


def _privileges(
    service: Mapping[str, Any], path: str, document: Document, naming: Naming
) -> dict[str, Any] | None:
    given = service.get("credential_spec")
    if not given:
        return None
    if len(given) != 1:
        raise ComposeError("exactly one of config, file and registry is wanted.", f"{path}.credential_spec")
    if "config" in given:
        raise ComposeError(
            "a credential_spec from a config is not supported; use file or registry.",
            f"{path}.credential_spec",
        )
    return {"CredentialSpec": {name.capitalize(): value for name, value in given.items()}}


def _references(
    section: str, kind: str, service: Mapping[str, Any], path: str, document: Document, naming: Naming
) -> list[dict[str, Any]]:
    """Secrets or configs of a service, each with the file it becomes in the container."""
    result, targets = [], set()
    for index, reference in enumerate(service.get(section, [])):
        here = f"{path}.{section}[{index}]"
        source = reference["source"]
        if source not in document.get(section, {}):
            raise ComposeError(f"{source!r} is not defined; add it to the top-level {section}.", here)
        target = reference.get("target") or source
        if target in targets:
            raise ComposeError(f"the target {target!r} is taken by another entry.", here)
        targets.add(target)
        result.append(
            {
                f"{kind}Name": naming.scoped(source, document[section][source]),
                "File": {
                    "Name": target,
                    "UID": reference.get("uid", "0"),
                    "GID": reference.get("gid", "0"),
                    "Mode": reference.get("mode", 0o444),
                },
            }
        )
    return sorted(result, key=lambda item: (str(item[f"{kind}Name"]), str(item["File"])))


def _mount(mount: Mapping[str, Any], path: str, document: Document, naming: Naming) -> dict[str, Any]:
    kind = mount["type"]
    result: dict[str, Any] = {"Type": kind, "Target": mount["target"]}
    if mount.get("read_only"):
        result["ReadOnly"] = True
    if mount.get("consistency"):
        result["Consistency"] = mount["consistency"]
    if kind == "volume":
        result.update(_volume_mount(mount, path, document, naming))
    elif mount.get("source"):
        result["Source"] = mount["source"]
    if kind == "bind" and mount.get("bind"):
        result["BindOptions"] = {"Propagation": mount["bind"].get("propagation", "")}
    if kind == "tmpfs" and mount.get("tmpfs", {}).get("size"):
        result["TmpfsOptions"] = {"SizeBytes": mount["tmpfs"]["size"]}
    if kind == "image" and mount.get("image"):
        result["ImageOptions"] = {"Subpath": mount["image"].get("subpath", "")}
    return result


def _volume_mount(mount: Mapping[str, Any], path: str, document: Document, naming: Naming) -> dict[str, Any]:
    given = mount.get("volume", {})
    options: dict[str, Any] = {}
    if given.get("nocopy"):
        options["NoCopy"] = True
    if given.get("subpath"):
        options["Subpath"] = given["subpath"]
    source = mount.get("source")
    if not source:
        return {"VolumeOptions": options} if options else {}
    if source not in document.get("volumes", {}):
        raise ComposeError(f"the volume {source!r} is not defined; add it to the top-level volumes.", path)
    volume = document["volumes"][source] or {}
    if not volume.get("external"):
        options["Labels"] = naming.labelled(volume.get("labels"))
        if volume.get("driver") or volume.get("driver_opts"):
            options["DriverConfig"] = {
                "Name": volume.get("driver", ""),
                "Options": volume.get("driver_opts", {}),
            }
    return {"Source": naming.scoped(source, volume), **({"VolumeOptions": options} if options else {})}
