# SPDX-License-Identifier: GPL-3.0-or-later
"""One form for specs that mean the same, so that desired and live ones can be compared. Pure.

The engine leaves out what is empty, writes out some of its defaults, and puts ids in place of names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Free mappings of the user: an empty value in them is a value.
_OPAQUE = {"Labels", "Options", "Sysctls", "DriverOpts"}
#: Keys whose zero or false is not the same as nothing.
_ZERO_COUNTS = {"Replicas", "Init", "StopGracePeriod", "Parallelism", "MaxConcurrent", "TotalCompletions"}
#: Values that the engine writes where nothing was asked for, by key.
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "Isolation": ("default",),
    "Runtime": ("container",),
    "Propagation": ("rprivate",),
    "PublishMode": ("ingress",),
    "Protocol": ("tcp",),
}
#: What the engine takes and does not keep.
_DROPPED = {"Consistency"}
_LIST_ORDER_FREE = {"Env", "CapabilityAdd", "CapabilityDrop"}


def canonical_service(
    spec: Mapping[str, Any], network_names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A ServiceSpec in canonical form; equal forms mean that an update would change nothing.

    ForceUpdate and Placement.Platforms are left out: they belong to the engine.

    :param network_names: names of networks by id, for specs that the engine gave
    """
    template = dict(spec.get("TaskTemplate", {}))
    template.pop("ForceUpdate", None)
    template["Placement"] = _without(template.get("Placement"), "Platforms")
    template["Networks"] = _networks(template.get("Networks") or [], network_names or {})
    template["RestartPolicy"] = _restart_policy(template.get("RestartPolicy"))
    container = _credentials_by_name(dict(template.get("ContainerSpec", {})))
    for kind in ("Secret", "Config"):
        container[f"{kind}s"] = _references(container.get(f"{kind}s") or [], kind)
    template["ContainerSpec"] = container
    prepared = {
        "Name": spec.get("Name"),
        "Labels": spec.get("Labels"),
        "TaskTemplate": template,
        "Mode": _mode(spec.get("Mode") or {}),
        "UpdateConfig": _update_config(spec.get("UpdateConfig")),
        "RollbackConfig": _update_config(spec.get("RollbackConfig")),
        "EndpointSpec": _endpoint(spec.get("EndpointSpec") or {}),
    }
    result: dict[str, Any] = _strip(prepared, "")
    return result


def _strip(value: Any, key: str) -> Any:
    """Leave out what is empty or a default, all the way down."""
    if isinstance(value, Mapping):
        if key in _OPAQUE:
            return dict(value)
        stripped = {name: _strip(item, name) for name, item in value.items()}
        return {
            name: item
            for name, item in stripped.items()
            if name not in _DROPPED
            and not (item in (None, "", [], {}) or (_is_zero(item) and name not in _ZERO_COUNTS))
            and item not in _DEFAULTS.get(name, ())
        }
    if isinstance(value, list | tuple):
        items = [_strip(item, "") for item in value]
        return sorted(items) if key in _LIST_ORDER_FREE else items
    return value


def _is_zero(value: Any) -> bool:
    return isinstance(value, bool | int | float) and not value


def _without(value: Mapping[str, Any] | None, key: str) -> dict[str, Any]:
    return {name: item for name, item in (value or {}).items() if name != key}


def _references(references: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Secrets or configs by name and file; ids follow from the names."""
    without_ids = [_without(reference, f"{kind}ID") for reference in references]
    return sorted(
        without_ids, key=lambda item: (item.get(f"{kind}Name", ""), (item.get("File") or {}).get("Name", ""))
    )


def _credentials_by_name(container: dict[str, Any]) -> dict[str, Any]:
    """A credential_spec names the id of its config; the config stands among the references, too."""
    privileges = dict(container.get("Privileges") or {})
    given = privileges.get("CredentialSpec") or {}
    if given.get("Config"):
        names = [item.get("ConfigName") for item in container.get("Configs") or [] if "Runtime" in item]
        privileges["CredentialSpec"] = {**given, "Config": ", ".join(map(str, names))}
        container["Privileges"] = privileges
    return container


def _networks(attachments: list[dict[str, Any]], names: Mapping[str, str]) -> list[dict[str, Any]]:
    readable = [
        {
            **attachment,
            "Target": names.get(attachment["Target"], attachment["Target"]),
            "Aliases": sorted(attachment.get("Aliases") or []),
        }
        for attachment in attachments
    ]
    return sorted(readable, key=lambda attachment: str(attachment["Target"]))


def _restart_policy(policy: Mapping[str, Any] | None) -> dict[str, Any]:
    """No delay asked for means five seconds, another thing than a delay of zero."""
    result = dict(policy or {})
    if result.get("Condition") == "any":
        del result["Condition"]
    if result.get("Delay") == 0:
        result["Delay"] = "0"
    return result


def _mode(mode: Mapping[str, Any]) -> dict[str, Any]:
    """The kind of the mode is a key, so it is kept even where nothing is in it."""
    for kind in ("Global", "GlobalJob"):
        if kind in mode:
            return {"Kind": kind}
    if "ReplicatedJob" in mode:
        job = mode["ReplicatedJob"] or {}
        at_once = job.get("MaxConcurrent")
        at_once = 1 if at_once is None else at_once
        total = job.get("TotalCompletions")
        return {
            "Kind": "ReplicatedJob",
            "MaxConcurrent": at_once,
            "TotalCompletions": at_once if total is None else total,
        }
    replicas = (mode.get("Replicated") or {}).get("Replicas")
    return {"Kind": "Replicated", "Replicas": 1 if replicas is None else replicas}


def _update_config(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if config is None:
        return None
    result = dict(config)
    if result.get("FailureAction") == "pause":
        del result["FailureAction"]
    if result.get("Order") == "stop-first":
        del result["Order"]
    return result


def _endpoint(endpoint: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(endpoint)
    if result.get("Mode") == "vip":
        del result["Mode"]
    ports = [{"Protocol": "tcp", "PublishMode": "ingress", **port} for port in endpoint.get("Ports") or []]
    result["Ports"] = sorted(
        ports, key=lambda port: (port.get("PublishedPort", 0), port.get("TargetPort", 0))
    )
    return result
