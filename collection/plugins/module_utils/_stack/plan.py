# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner: (desired, live) to the ordered actions that lead from one to the other. Pure."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .canonical import canonical_service
from .desired import IMAGE, NAMESPACE, PAUSED, DesiredFile, DesiredStack
from .errors import ComposeError, StackError
from .files import FilePlan, plan_file
from .live import LiveStack, Objects, labels_of, network_body, network_options
from .tasks import replicas_of


@dataclass(frozen=True)
class Action:
    """One step."""

    action: str  # create, update or remove
    kind: str  # network, secret, config, service or volume
    name: str
    body: Any = field(default=None, repr=False)  # what the engine is sent
    live: Mapping[str, Any] | None = field(default=None, repr=False)  # the object as it is
    before: Any = None  # for people: readable, without secrets
    after: Any = None

    def brief(self) -> dict[str, str]:
        """The action as it is returned."""
        return {"action": self.action, "kind": self.kind, "name": self.name}


@dataclass(frozen=True)
class Plan:
    """Ordered actions. ``cleanup`` is done after all services have converged."""

    actions: list[Action] = field(default_factory=list)
    cleanup: list[Action] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def everything(self) -> list[Action]:
        """All actions in their order."""
        return [*self.actions, *self.cleanup]


@dataclass(frozen=True)
class Choices:
    """How to plan."""

    prune: bool = False
    prune_volumes: Collection[str] = ()  # volumes that there are, to be removed if no longer named
    keep_replicas: bool = False  # of services that are there
    recreate_networks: bool = False  # and the services on them, where a network has changed
    keep_versions: int = 1  # superseded versions of a secret or config that are kept
    digests: Mapping[str, str] = field(default_factory=dict)  # keyed hashes of the contents, by desired name
    same: Collection[str] = ()  # live secrets and configs whose content is known to be the wanted one
    assume_same: bool = False


def make_plan(desired: DesiredStack, live: LiveStack, choices: Choices | None = None) -> Plan:
    """The actions that make ``live`` into ``desired``; none if they mean the same.

    :raises ComposeError: something external is missing, or a name belongs to somebody else
    """
    try:
        return _make_plan(desired, live, choices or Choices())
    except ComposeError as error:
        raise ComposeError(error.message, error.path, desired.origins.get(error.path, "")) from error


def _make_plan(desired: DesiredStack, live: LiveStack, choices: Choices) -> Plan:
    plan = Plan()
    _check_external_networks(desired, live)
    live = _plan_networks(desired, live, plan, choices)
    secrets = _plan_files("secret", desired.secrets, live.secrets, live.all_secrets, plan, choices)
    configs = _plan_files("config", desired.configs, live.configs, live.all_configs, plan, choices)
    if choices.prune:
        _plan_removals("service", desired.services, live.services, plan.actions)
    current = {"Secret": secrets, "Config": configs}
    for name, spec in sorted(desired.services.items()):
        _plan_service(name, _with_versions(spec, current), live, plan, choices)
    if choices.prune:
        _plan_removals("network", desired.networks, live.networks, plan.cleanup)
        _plan_removals("secret", _kept(secrets), live.secrets, plan.cleanup)
        _plan_removals("config", _kept(configs), live.configs, plan.cleanup)
        unnamed = sorted(set(choices.prune_volumes) - set(desired.volumes))
        _plan_removals("volume", (), {name: {"ID": name} for name in unnamed}, plan.cleanup)
    return plan


def created_services(plan: Plan) -> list[str]:
    """Names of the services that a plan makes and that are not there before."""
    removed = {action.name for action in plan.actions if action.action == "remove"}
    return [
        action.name
        for action in plan.actions
        if (action.action, action.kind) == ("create", "service") and action.name not in removed
    ]


def check_names_are_free(stack: str, names: Collection[str], others: Objects) -> None:
    """Check that the names of new services are not those of services outside of the stack.

    :param others: services of the swarm whose names may be among ``names``
    :raises StackError: one is
    """
    for name in sorted(set(names) & set(others)):
        owner = labels_of(others[name]).get(NAMESPACE)
        if owner == stack:
            continue  # made by somebody else just now: the plan is made anew when it is applied
        whose = f"it belongs to the stack {owner}" if owner else "it belongs to no stack"
        raise StackError(
            f"A service {name} exists already outside of the stack {stack} ({whose}), and a swarm has each "
            f"name but once; rename one of the two, or remove it with 'docker service rm {name}'."
        )


def _check_external_networks(desired: DesiredStack, live: LiveStack) -> None:
    for name, path in desired.external_networks.items():
        network = live.all_networks.get(name)
        if network is None:
            raise ComposeError(
                f"the external network {name!r} does not exist; create it with "
                f"'docker network create --driver overlay {name}', or remove external.",
                path,
            )
        if network.get("Scope") != "swarm" and name not in {"host", "bridge", "none"}:
            raise ComposeError(
                f"the external network {name!r} has the scope {network.get('Scope')!r}, "
                "a stack needs 'swarm'; create it with the driver overlay.",
                path,
            )


def _plan_networks(desired: DesiredStack, live: LiveStack, plan: Plan, choices: Choices) -> LiveStack:
    """Plan networks, returning the stack as the planned actions leave it."""
    changed = {
        name: _network_differences(body, live.networks[name])
        for name, body in desired.networks.items()
        if name in live.networks
    }
    outdated = sorted(name for name, keys in changed.items() if keys)
    if choices.recreate_networks and outdated:
        live = _plan_network_removals(outdated, desired, live, plan, choices.prune)
    else:
        plan.warnings.extend(
            f"The network {name} differs from the document in {', '.join(changed[name])} and stays as it is: "
            "a network cannot be changed. With recreate_networks it and the services on it are made anew."
            for name in outdated
        )
    for name, body in sorted(desired.networks.items()):
        if name in live.networks:
            continue
        if live.all_networks.get(name, {}).get("Scope") == "swarm":
            plan.warnings.append(
                f"The network {name} does not carry the label of this stack; it is used as it is."
            )
        else:
            plan.actions.append(Action("create", "network", name, body, after=_readable_network(body)))
    return live


def _plan_network_removals(
    names: Collection[str], desired: DesiredStack, live: LiveStack, plan: Plan, prune: bool
) -> LiveStack:
    """Plan the removal of networks and of the services on them, returning the stack without those.

    :raises ComposeError: a service on one of them would not be made anew
    """
    going = {live.networks[name]["Id"] for name in names} | set(names)
    services = sorted(name for name, service in live.services.items() if going & _networks_of(service))
    for service in services:
        if service not in desired.services and not prune:
            raise ComposeError(
                f"the network is to be made anew, but the service {service!r} is on it, which the document "
                "does not name; add the service to the document, or remove it with prune.",
                f"networks.{', '.join(names)}",
            )
    _plan_removals("service", (), {name: live.services[name] for name in services}, plan.actions)
    for name in names:
        before = _readable_network(network_body(live.networks[name]))
        plan.actions.append(Action("remove", "network", name, None, live.networks[name], before))
    return replace(
        live,
        services={name: item for name, item in live.services.items() if name not in services},
        networks={name: item for name, item in live.networks.items() if name not in names},
        all_networks={name: item for name, item in live.all_networks.items() if name not in names},
    )


def _networks_of(service: Mapping[str, Any]) -> set[str]:
    """Ids or names of the networks that a live service is on."""
    attachments = service["Spec"].get("TaskTemplate", {}).get("Networks") or []
    return {attachment["Target"] for attachment in attachments}


def _network_differences(body: Mapping[str, Any], live: Mapping[str, Any]) -> list[str]:
    pairs = {
        "driver": (body["Driver"], live.get("Driver")),
        "internal": (bool(body.get("Internal")), bool(live.get("Internal"))),
        "attachable": (bool(body.get("Attachable")), bool(live.get("Attachable"))),
        "labels": (body["Labels"], live.get("Labels") or {}),
        "driver_opts": (body.get("Options") or {}, network_options(live)),
    }
    wanted = [pool["Subnet"] for pool in (body.get("IPAM") or {}).get("Config", [])]
    if wanted:
        pairs["ipam"] = (
            wanted,
            [pool.get("Subnet") for pool in (live.get("IPAM") or {}).get("Config") or []],
        )
    return [key for key, (new, old) in pairs.items() if new != old]


def _readable_network(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != "CheckDuplicate"}


def _plan_files(
    kind: str,
    desired: Mapping[str, DesiredFile],
    live: Objects,
    everyones: Objects,
    plan: Plan,
    choices: Choices,
) -> dict[str, FilePlan]:
    """Plan secrets or configs, returning what becomes of each by its desired name."""
    result = {}
    for name, file in sorted(desired.items()):
        if file.external:
            if name not in everyones:
                raise ComposeError(
                    f"the external {kind} {name!r} does not exist; create it with 'docker {kind} create', "
                    "or remove external.",
                    file.path,
                )
            result[name] = FilePlan(name)
            continue
        if name in everyones and name not in live:
            raise ComposeError(
                f"a {kind} {name!r} exists and does not belong to this stack; "
                "mark it as external, or rename one.",
                file.path,
            )
        chosen = plan_file(
            file,
            live,
            choices.digests.get(f"{kind}/{name}", ""),
            choices.same,
            assume_same=choices.assume_same,
            taken={*everyones, *desired} - {name},
        )
        _add_file_actions(kind, chosen, live, plan, choices)
        result[name] = chosen
    return result


def _add_file_actions(kind: str, chosen: FilePlan, live: Objects, plan: Plan, choices: Choices) -> None:
    if chosen.create:
        before = {"name": chosen.before, "content": "(old)"} if chosen.before else None
        after = {"name": chosen.current, "content": "(new)", "labels": _public(chosen.create.labels)}
        plan.actions.append(Action("create", kind, chosen.current, chosen.create, None, before, after))
    if chosen.relabel:
        existing = live[chosen.current]
        was: dict[str, Any] = {"name": chosen.current, "labels": _public(labels_of(existing))}
        now: dict[str, Any] = {"name": chosen.current, "labels": _public(chosen.relabel.labels)}
        plan.actions.append(Action("update", kind, chosen.current, chosen.relabel, existing, was, now))
    for name in chosen.old[choices.keep_versions :]:
        plan.cleanup.append(Action("remove", kind, name, None, live[name], {"name": name}))


def _public(labels: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if not key.startswith("labyard.stack.")}


def _kept(files: Mapping[str, FilePlan]) -> set[str]:
    """Names that pruning leaves: current versions, and old ones (keep_versions decides over those)."""
    return {name for file in files.values() for name in (file.current, *file.old)}


def _with_versions(spec: dict[str, Any], current: Mapping[str, Mapping[str, FilePlan]]) -> dict[str, Any]:
    """The spec with the names of the current versions of its secrets and configs."""
    result = copy.deepcopy(spec)
    container = result["TaskTemplate"]["ContainerSpec"]
    for kind, files in current.items():
        for reference in container.get(f"{kind}s", []):
            reference[f"{kind}Name"] = files[reference[f"{kind}Name"]].current
    return result


def _plan_service(name: str, spec: dict[str, Any], live: LiveStack, plan: Plan, choices: Choices) -> None:
    existing = live.services.get(name)
    if existing is not None and choices.keep_replicas:
        _keep_replicas(spec, existing)
    after = canonical_service(spec)
    if existing is None:
        plan.actions.append(Action("create", "service", name, spec, None, None, after))
        return
    before = canonical_service(existing["Spec"], live.network_names)
    if before == after and not _stale_references(spec, existing["Spec"], live):
        return
    force = existing["Spec"].get("TaskTemplate", {}).get("ForceUpdate")
    if force:
        spec["TaskTemplate"]["ForceUpdate"] = force
    plan.actions.append(Action("update", "service", name, spec, existing, before, after))


def _keep_replicas(spec: dict[str, Any], live: Mapping[str, Any]) -> None:
    """Set the number that the live service has, or had before it was stopped after a failure."""
    if "Replicated" in spec["Mode"] and "Replicated" in (live["Spec"].get("Mode") or {}):
        paused = labels_of(live).get(PAUSED, "")
        number = int(paused) if paused.isdigit() else replicas_of(live)
        spec["Mode"] = {"Replicated": {"Replicas": number}}


def _stale_references(spec: Mapping[str, Any], live_spec: Mapping[str, Any], live: LiveStack) -> bool:
    """Whether the live service points at a secret or config that was made anew under the same name."""
    container = live_spec.get("TaskTemplate", {}).get("ContainerSpec", {})
    for kind, objects in (("Secret", live.all_secrets), ("Config", live.all_configs)):
        for reference in container.get(f"{kind}s") or []:
            found = objects.get(reference.get(f"{kind}Name", ""))
            if found is not None and found["ID"] != reference.get(f"{kind}ID"):
                return True
    return False


def _plan_removals(kind: str, keep: Collection[str], live: Objects, actions: list[Action]) -> None:
    for name, item in sorted(live.items()):
        planned = any(action.name == name and action.kind == kind for action in actions)
        if name not in keep and not planned:
            before = {"name": name}
            if kind == "service":
                before["image"] = item["Spec"].get("Labels", {}).get(IMAGE, "")
            actions.append(Action("remove", kind, name, None, item, before))
