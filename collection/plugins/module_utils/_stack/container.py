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
    "group_add": "Groups",
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
        "Labels": {
            **service.get("labels", {}),
            **naming.container_labels,
            "com.docker.stack.namespace": naming.stack,
        },
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
        "Configs": _configs(service, path, document, naming),
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
    parts = {
        "Nameservers": servers,
        "Search": service.get("dns_search", []),
        "Options": service.get("dns_opt", []),
    }
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
        given = {"config": _credential_config(given["config"], path, document, naming)}
    return {"CredentialSpec": {name.capitalize(): value for name, value in given.items()}}


def _credential_config(key: str, path: str, document: Document, naming: Naming) -> str:
    """The name of the config that a credential_spec is read from."""
    if key not in document.get("configs", {}):
        raise ComposeError(
            f"{key!r} is not defined; add it to the top-level configs.", f"{path}.credential_spec.config"
        )
    return naming.scoped(key, document["configs"][key])


def _configs(
    service: Mapping[str, Any], path: str, document: Document, naming: Naming
) -> list[dict[str, Any]]:
    """Configs that become files, and the one with the credentials, which does not."""
    references = _references("configs", "Config", service, path, document, naming)
    key = service.get("credential_spec", {}).get("config")
    if key:
        name = _credential_config(key, path, document, naming)
        references.append({"ConfigName": name, "Runtime": {}})
    return sorted(references, key=lambda item: str(item["ConfigName"]))


def link_credential_spec(container: dict[str, Any]) -> None:
    """Point the credential_spec of a ContainerSpec at the id of its config, once that is known."""
    given = (container.get("Privileges") or {}).get("CredentialSpec") or {}
    if given.get("Config"):
        (identity,) = [item["ConfigID"] for item in container["Configs"] if "Runtime" in item]
        given["Config"] = identity


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
    return sorted(result, key=lambda item: str(item[f"{kind}Name"]))


def _mount(mount: Mapping[str, Any], path: str, document: Document, naming: Naming) -> dict[str, Any]:
    kind = mount["type"]
    result: dict[str, Any] = {"Type": kind, "Target": mount["target"]}
    if mount.get("read_only"):
        result["ReadOnly"] = True
    if mount.get("consistency"):
        result["Consistency"] = mount["consistency"]
    if kind == "volume":
        result.update(_volume_mount(mount, path, document, naming))
    elif kind == "cluster":
        result.update(_cluster_mount(mount, path, document, naming))
    elif mount.get("source"):
        result["Source"] = mount["source"]
    if "bind" in mount:
        result["BindOptions"] = {"Propagation": mount["bind"].get("propagation", "")}
    if "tmpfs" in mount:
        result["TmpfsOptions"] = {"SizeBytes": mount["tmpfs"].get("size", 0)}
    if kind == "image" and mount.get("image"):
        result["ImageOptions"] = {"Subpath": mount["image"].get("subpath", "")}
    return result


def _volume(source: str, path: str, document: Document) -> Mapping[str, Any]:
    if source not in document.get("volumes", {}):
        raise ComposeError(f"the volume {source!r} is not defined; add it to the top-level volumes.", path)
    return document["volumes"][source] or {}


def _cluster_mount(mount: Mapping[str, Any], path: str, document: Document, naming: Naming) -> dict[str, Any]:
    """A volume of a storage plugin; ``group:<name>`` stands for any volume of that group."""
    source = mount["source"]
    if not source.startswith("group:"):
        source = naming.scoped(source, _volume(source, path, document))
    return {"Source": source, "ClusterOptions": {}}


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
    volume = _volume(source, path, document)
    if not volume.get("external"):
        options["Labels"] = naming.labelled(volume.get("labels"))
        if volume.get("driver") or volume.get("driver_opts"):
            options["DriverConfig"] = {
                "Name": volume.get("driver", ""),
                "Options": volume.get("driver_opts", {}),
            }
    return {"Source": naming.scoped(source, volume), "VolumeOptions": options}
