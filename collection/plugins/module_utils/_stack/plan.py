# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner: (desired, live) to the ordered actions that lead from one to the other. Pure."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from .canonical import canonical_service
from .desired import IMAGE, DesiredFile, DesiredStack
from .errors import ComposeError
from .files import FilePlan, plan_file
from .live import LiveStack, Objects, labels_of


@dataclass(frozen=True)
class Action:
    """One step."""

    action: str  # create, update or remove
    kind: str  # network, secret, config or service
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
    keep_versions: int = 1  # superseded versions of a secret or config that are kept
    digests: Mapping[str, str] = field(default_factory=dict)  # keyed hashes of the contents, by desired name
    same: Collection[str] = ()  # live secrets and configs whose content is known to be the wanted one
    assume_same: bool = False


def make_plan(desired: DesiredStack, live: LiveStack, choices: Choices | None = None) -> Plan:
    """The actions that make ``live`` into ``desired``; none if they mean the same.

    :raises ComposeError: something external is missing, or a name belongs to somebody else
    """
    choices = choices or Choices()
    plan = Plan()
    _check_external_networks(desired, live)
    _plan_networks(desired, live, plan)
    secrets = _plan_files("secret", desired.secrets, live.secrets, live.all_secrets, plan, choices)
    configs = _plan_files("config", desired.configs, live.configs, live.all_configs, plan, choices)
    if choices.prune:
        _plan_removals("service", desired.services, live.services, plan.actions)
    current = {"Secret": secrets, "Config": configs}
    for name, spec in sorted(desired.services.items()):
        _plan_service(name, _with_versions(spec, current), live, plan)
    if choices.prune:
        _plan_removals("network", desired.networks, live.networks, plan.cleanup)
        _plan_removals("secret", _kept(secrets), live.secrets, plan.cleanup)
        _plan_removals("config", _kept(configs), live.configs, plan.cleanup)
    return plan


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


def _plan_networks(desired: DesiredStack, live: LiveStack, plan: Plan) -> None:
    for name, body in sorted(desired.networks.items()):
        existing = live.networks.get(name)
        if existing is not None:
            changed = _network_differences(body, existing)
            if changed:
                plan.warnings.append(
                    f"The network {name} differs from the document in {', '.join(changed)} "
                    "and stays as it is; a network cannot be changed, remove the stack to have it made anew."
                )
        elif live.all_networks.get(name, {}).get("Scope") == "swarm":
            plan.warnings.append(
                f"The network {name} does not carry the label of this stack; it is used as it is."
            )
        else:
            plan.actions.append(Action("create", "network", name, body, after=_readable_network(body)))


def _network_differences(body: Mapping[str, Any], live: Mapping[str, Any]) -> list[str]:
    pairs = {
        "driver": (body["Driver"], live.get("Driver")),
        "internal": (bool(body.get("Internal")), bool(live.get("Internal"))),
        "attachable": (bool(body.get("Attachable")), bool(live.get("Attachable"))),
        "labels": (body["Labels"], live.get("Labels") or {}),
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
                    f"{kind}s.{name}",
                )
            result[name] = FilePlan(name)
            continue
        if name in everyones and name not in live:
            raise ComposeError(
                f"a {kind} {name!r} exists and does not belong to this stack; "
                "mark it as external, or rename one.",
                f"{kind}s.{name}",
            )
        chosen = plan_file(
            file,
            live,
            choices.digests.get(f"{kind}/{name}", ""),
            choices.same,
            assume_same=choices.assume_same,
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


def _plan_service(name: str, spec: dict[str, Any], live: LiveStack, plan: Plan) -> None:
    existing = live.services.get(name)
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
