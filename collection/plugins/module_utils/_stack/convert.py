# SPDX-License-Identifier: GPL-3.0-or-later
"""A compose document in normal form to the specs of the Docker Engine. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .container import convert_container
from .desired import IMAGE, NAMESPACE, DesiredFile, DesiredStack
from .errors import ComposeError
from .features import api_needs
from .merge import Document

_STACK_NAME = re.compile(r"[a-zA-Z0-9]+(?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?")
#: What the engine takes as a name: length, pattern, and the characters of the pattern in words.
_PLAIN = r"[a-zA-Z0-9](?:[-_]*[a-zA-Z0-9]+)*"
_DOTTED = r"[a-zA-Z0-9]+(?:[a-zA-Z0-9_.-]*[a-zA-Z0-9])?"
_NAMES = {
    "services": (63, _PLAIN, "'-' and '_'"),
    "networks": (255, ".+", "more"),
    "secrets": (64, _DOTTED, "'-', '_' and '.'"),
    "configs": (64, _DOTTED, "'-', '_' and '.'"),
}
_LARGEST = {"secrets": 500 * 1024, "configs": 1000 * 1024}


@dataclass(frozen=True)
class Naming:
    """What a stack adds to everything in it."""

    stack: str
    labels: Mapping[str, str] = field(default_factory=dict)
    endpoint_mode: str = ""  # for services that name none; empty: the engine's own default
    container_labels: Mapping[str, str] = field(default_factory=dict)

    def scoped(self, key: str, entry: Mapping[str, Any] | None = None) -> str:
        """The name on the swarm of an entry of the document."""
        name = (entry or {}).get("name")
        if name:
            return str(name)
        return key if (entry or {}).get("external") else f"{self.stack}_{key}"

    def labelled(self, labels: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Labels with those of the stack added."""
        return {**(labels or {}), **self.labels, NAMESPACE: self.stack}


def check_stack_name(name: str) -> None:
    """Refuse what cannot be the name of a stack.

    :raises ComposeError:
    """
    if not _STACK_NAME.fullmatch(name):
        raise ComposeError(
            f"{name!r} cannot name a stack; use letters, digits, '-' and '_', "
            "with a letter or digit at both ends."
        )


def convert(document: Document, naming: Naming) -> DesiredStack:
    """The stack that a document (normal form, files resolved) asks for.

    :raises ComposeError: a service refers to what is not there, or a name or content is too long
    """
    check_stack_name(naming.stack)
    networks = {"default": {"external": False}, **document.get("networks", {})}
    used = _used_networks(document)
    services = {
        naming.scoped(key): _service(key, service, {**document, "networks": networks}, naming)
        for key, service in document.get("services", {}).items()
    }
    for key in document.get("services", {}):
        _check_name(naming.scoped(key), "services", key)
    own = {key: networks[key] for key in networks if key in used and not networks[key].get("external")}
    return DesiredStack(
        name=naming.stack,
        services=services,
        networks={naming.scoped(key, entry): _network(key, entry, naming) for key, entry in own.items()},
        external_networks={
            naming.scoped(key, entry): f"networks.{key}"
            for key, entry in networks.items()
            if key in used and entry.get("external")
        },
        secrets=_files("secrets", document, naming),
        configs=_files("configs", document, naming),
        volumes=_volumes(document, naming),
        needs=api_needs(document),
    )


def _used_networks(document: Document) -> set[str]:
    used: set[str] = set()
    for key, service in document.get("services", {}).items():
        wanted = service.get("networks") or {"default": {}}
        for name in wanted:
            if name != "default" and name not in document.get("networks", {}):
                raise ComposeError(
                    f"the network {name!r} is not defined; add it to the top-level networks.",
                    f"services.{key}.networks",
                )
        used |= set(wanted)
    return used


def _network(key: str, entry: Mapping[str, Any], naming: Naming) -> dict[str, Any]:
    name = naming.scoped(key, entry)
    _check_name(name, "networks", key)
    body: dict[str, Any] = {
        "Name": name,
        "CheckDuplicate": True,
        "Driver": entry.get("driver") or "overlay",
        "Labels": naming.labelled(entry.get("labels")),
    }
    if entry.get("driver_opts"):
        body["Options"] = entry["driver_opts"]
    if entry.get("internal"):
        body["Internal"] = True
    if entry.get("attachable"):
        body["Attachable"] = True
    ipam = entry.get("ipam")
    if ipam:
        body["IPAM"] = {
            "Driver": ipam.get("driver") or "default",
            "Config": [{"Subnet": pool["subnet"]} for pool in ipam.get("config", []) if pool.get("subnet")],
        }
    return body


def _files(section: str, document: Document, naming: Naming) -> dict[str, DesiredFile]:
    result = {}
    for key, entry in document.get(section, {}).items():
        name = naming.scoped(key, entry)
        data = entry.get("data")
        _check_name(name, section, key)
        if data is not None and not 0 < len(data) <= _LARGEST[section]:
            raise ComposeError(
                f"the content has {len(data)} bytes; it must have 1 to {_LARGEST[section]}.",
                f"{section}.{key}",
            )
        result[name] = DesiredFile(
            name=name,
            labels=naming.labelled(entry.get("labels")),
            data=data,
            external=bool(entry.get("external")),
            driver={"Name": entry["driver"], "Options": entry.get("driver_opts", {})}
            if "driver" in entry
            else None,
            templating=entry.get("template_driver", ""),
            path=f"{section}.{key}",
        )
    return result


def _volumes(document: Document, naming: Naming) -> tuple[str, ...]:
    entries = document.get("volumes", {})
    used = {
        mount["source"]
        for service in document.get("services", {}).values()
        for mount in service.get("volumes", [])
        if mount["type"] == "volume" and mount.get("source")
    }
    own = (key for key in entries if key in used and not (entries[key] or {}).get("external"))
    return tuple(sorted(naming.scoped(key, entries[key]) for key in own))


def _check_name(name: str, section: str, key: str) -> None:
    longest, pattern, characters = _NAMES[section]
    path = f"{section}.{key}"
    if len(name) > longest:
        raise ComposeError(
            f"the name {name!r} has {len(name)} characters, a swarm allows {longest} for {section}; "
            "shorten the name of the stack or of the entry.",
            path,
        )
    if not re.fullmatch(pattern, name):
        raise ComposeError(
            f"a swarm refuses the name {name!r}; {section} have letters, digits and {characters}, "
            "with a letter or digit at both ends.",
            path,
        )


def _service(key: str, service: Mapping[str, Any], document: Document, naming: Naming) -> dict[str, Any]:
    path = f"services.{key}"
    if not service.get("image"):
        raise ComposeError("image is missing.", path)
    deploy = service.get("deploy", {})
    template: dict[str, Any] = {
        "ContainerSpec": convert_container(key, service, document, naming),
        "Resources": _resources(deploy.get("resources", {})),
        "RestartPolicy": _restart_policy(service, f"{path}.restart"),
        "Placement": _placement(deploy.get("placement", {})),
        "Networks": _service_networks(key, service, document, naming),
    }
    if service.get("logging"):
        logging = service["logging"]
        template["LogDriver"] = {"Name": logging.get("driver", ""), "Options": logging.get("options", {})}
    spec = {
        "Name": naming.scoped(key),
        "Labels": naming.labelled({**deploy.get("labels", {}), IMAGE: service["image"]}),
        "TaskTemplate": {part: value for part, value in template.items() if value is not None},
        "Mode": _mode(deploy, f"{path}.deploy"),
        "UpdateConfig": _update_config(deploy.get("update_config")),
        "RollbackConfig": _update_config(deploy.get("rollback_config")),
        "EndpointSpec": _endpoint(service, deploy, naming, path),
    }
    return {part: value for part, value in spec.items() if value is not None}


def _service_networks(
    key: str, service: Mapping[str, Any], document: Document, naming: Naming
) -> list[dict[str, Any]]:
    result = []
    for name, options in (service.get("networks") or {"default": {}}).items():
        target = naming.scoped(name, document["networks"][name])
        attachment: dict[str, Any] = {"Target": target}
        if target not in {"host", "bridge", "none"}:
            attachment["Aliases"] = [*(options or {}).get("aliases", []), key]
        if (options or {}).get("driver_opts"):
            attachment["DriverOpts"] = options["driver_opts"]
        result.append(attachment)
    return sorted(result, key=lambda attachment: str(attachment["Target"]))


def _resources(resources: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for part in ("limits", "reservations"):
        wanted = resources.get(part, {})
        numbers = {
            "NanoCPUs": wanted.get("cpus"),
            "MemoryBytes": wanted.get("memory"),
            "Pids": wanted.get("pids"),
        }
        converted: dict[str, Any] = {name: value for name, value in numbers.items() if value}
        if wanted.get("generic_resources"):
            converted["GenericResources"] = [
                {"DiscreteResourceSpec": {"Kind": item.get("kind", ""), "Value": item.get("value", 0)}}
                for item in wanted["generic_resources"]
            ]
        if part in resources:
            result[part.capitalize()] = converted
    return result


def _restart_policy(service: Mapping[str, Any], path: str) -> dict[str, Any] | None:
    policy = service.get("deploy", {}).get("restart_policy")
    if policy is not None:
        names = {
            "condition": "Condition",
            "delay": "Delay",
            "max_attempts": "MaxAttempts",
            "window": "Window",
        }
        return {names[key]: value for key, value in policy.items()}
    name, _, attempts = service.get("restart", "").partition(":")
    if name in {"", "no"}:
        return None
    if name in {"always", "unless-stopped"} and not attempts:
        return {"Condition": "any"}
    if name == "on-failure" and (attempts.isdigit() or not attempts):
        return {"Condition": "on-failure", **({"MaxAttempts": int(attempts)} if attempts else {})}
    raise ComposeError(
        f"{service['restart']!r} is not no, always, unless-stopped or on-failure[:times].", path
    )


def _placement(placement: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if placement.get("constraints"):
        result["Constraints"] = placement["constraints"]
    if placement.get("preferences"):
        result["Preferences"] = [
            {"Spread": {"SpreadDescriptor": item.get("spread", "")}} for item in placement["preferences"]
        ]
    if placement.get("max_replicas_per_node"):
        result["MaxReplicas"] = placement["max_replicas_per_node"]
    return result


def _mode(deploy: Mapping[str, Any], path: str) -> dict[str, Any]:
    mode, replicas = deploy.get("mode", "replicated"), deploy.get("replicas")
    if mode.startswith("global"):
        if replicas is not None:
            raise ComposeError("replicas has no meaning in a global mode; remove one of the two.", path)
        return {"Global": {}} if mode == "global" else {"GlobalJob": {}}
    if mode == "replicated-job":
        counts = ("MaxConcurrent", "TotalCompletions")
        return {"ReplicatedJob": {} if replicas is None else dict.fromkeys(counts, replicas)}
    return {"Replicated": {} if replicas is None else {"Replicas": replicas}}


def _update_config(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if config is None:
        return None
    result: dict[str, Any] = {"Parallelism": config.get("parallelism", 1)}
    names = {"delay": "Delay", "failure_action": "FailureAction", "monitor": "Monitor", "order": "Order"}
    names["max_failure_ratio"] = "MaxFailureRatio"
    result.update({names[key]: value for key, value in config.items() if key in names})
    return result


def _endpoint(
    service: Mapping[str, Any], deploy: Mapping[str, Any], naming: Naming, path: str
) -> dict[str, Any]:
    mode = deploy.get("endpoint_mode") or naming.endpoint_mode
    ports = [
        {
            "Protocol": port["protocol"],
            "TargetPort": port["target"],
            "PublishedPort": port["published"],
            "PublishMode": port["mode"],
        }
        for port in service.get("ports", [])
    ]
    if mode == "dnsrr" and any(port["PublishMode"] == "ingress" for port in ports):
        raise ComposeError(
            "a port in mode ingress needs endpoint_mode vip; write the port in long form with 'mode: host'.",
            f"{path}.ports",
        )
    endpoint: dict[str, Any] = {"Mode": mode} if mode else {}
    if ports:
        endpoint["Ports"] = sorted(ports, key=lambda port: (port["PublishedPort"], port["TargetPort"]))
    return endpoint
