# SPDX-License-Identifier: GPL-3.0-or-later
"""Do exactly what a plan says, and keep a journal so that it can be undone."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .client import SwarmClient
from .container import link_credential_spec
from .errors import Conflict, EngineError, NotFound, OutOfSequence
from .live import LiveStack, identity_of, network_body
from .plan import Action
from .wait import poll, unended_tasks


class PlanOutdated(Exception):
    """The swarm has changed since it was read: read it again, plan again, go on.

    :param network: id of a network that is just going away, if that is the reason
    """

    def __init__(self, message: str, network: str = "") -> None:
        self.network = network
        super().__init__(message)


#: Seconds that a network may take to go once its services are removed.
_NETWORK_TIMEOUT = 60.0
#: The engine still lists a network that a removal is taking away, but refuses to use it.
_NETWORK_GOING = re.compile(r"network (\S+) not found")


@dataclass
class Journal:
    """What was done, as needed to undo it."""

    created: list[tuple[str, str, str]] = field(default_factory=list)  # kind, name, id
    replaced: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # service -> spec before this call
    removed: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # service -> spec before this call
    removed_networks: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # as they were
    new_volumes: frozenset[str] = frozenset()  # those of the stack that were not there before this call
    done: list[Action] = field(default_factory=list)

    @property
    def touched(self) -> set[str]:
        """Names of services that were created or updated."""
        return {action.name for action in self.done if action.kind == "service" and action.action != "remove"}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to undo."""
        return not (self.created or self.replaced or self.removed or self.removed_networks)


class Applier:
    """Applies actions, one after another."""

    def __init__(
        self, client: SwarmClient, live: LiveStack, journal: Journal, registry_auth: Callable[[str], str]
    ) -> None:
        self.client, self.journal = client, journal
        self._registry_auth = registry_auth
        self._ids = {
            "network": {name: item["Id"] for name, item in live.all_networks.items()},
            "secret": {name: item["ID"] for name, item in live.all_secrets.items()},
            "config": {name: item["ID"] for name, item in live.all_configs.items()},
        }

    def apply(self, actions: Sequence[Action]) -> None:
        """Apply ``actions`` in their order.

        :raises PlanOutdated: somebody else changed the stack meanwhile
        :raises EngineError: the engine refuses
        """
        for action in actions:
            try:
                getattr(self, f"_{action.action}")(action)
            except (OutOfSequence, Conflict, NotFound) as error:
                raise PlanOutdated(str(error)) from error
            except EngineError as error:
                going = _NETWORK_GOING.search(str(error))
                if going:
                    raise PlanOutdated(str(error), going[1]) from error
                raise _refused(action, error) if error.status else error from error
            self.journal.done.append(action)

    def _create(self, action: Action) -> None:
        if action.kind == "network":
            identity = self.client.create_network(action.body)
        elif action.kind == "service":
            spec = self._with_ids(action.body)
            identity = self.client.create_service(spec, self._auth(spec))
        else:
            identity = self.client.create_file(action.kind, action.body)
        self._ids.setdefault(action.kind, {})[action.name] = identity
        self.journal.created.append((action.kind, action.name, identity))

    def _update(self, action: Action) -> None:
        live = action.live or {}
        version = live["Version"]["Index"]
        if action.kind != "service":
            self.client.update_file(action.kind, live["ID"], version, action.body)
            return
        spec = self._with_ids(action.body)
        self.client.update_service(live["ID"], version, spec, self._auth(spec))
        if not any(name == action.name for kind, name, _ in self.journal.created if kind == "service"):
            self.journal.replaced.setdefault(action.name, live["Spec"])

    def _remove(self, action: Action) -> None:
        live = action.live or {}
        if action.kind == "network":
            self._remove_network(action.name, live)
            return
        self.client.remove(action.kind, identity_of(live))
        if action.kind == "service":
            self.journal.removed[action.name] = live["Spec"]

    def _remove_network(self, name: str, live: Mapping[str, Any]) -> None:
        """Remove a network whose services are just being removed, and wait until it is gone."""
        identity, problems = identity_of(live), list[str]()
        remove_all(self.client, [("network", name, identity)], _NETWORK_TIMEOUT, problems)
        if problems or not poll(lambda: identity not in self.client.all_networks(), _NETWORK_TIMEOUT):
            raise EngineError(
                f"The network {name} cannot be made anew, something still uses it: "
                f"{'; '.join(problems) or 'it does not go'}. Disconnect what uses it and try again."
            )
        self._ids["network"].pop(name, None)
        self.journal.removed_networks[name] = live

    def _auth(self, spec: Mapping[str, Any]) -> str:
        return self._registry_auth(spec["TaskTemplate"]["ContainerSpec"]["Image"])

    def _with_ids(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """The spec with the ids of networks, secrets and configs filled in."""
        result = copy.deepcopy(dict(spec))
        template = result["TaskTemplate"]
        for attachment in template.get("Networks", []):
            attachment["Target"] = self._ids["network"].get(attachment["Target"], attachment["Target"])
        for kind in ("Secret", "Config"):
            for reference in template["ContainerSpec"].get(f"{kind}s", []):
                reference[f"{kind}ID"] = self._ids[kind.lower()][reference[f"{kind}Name"]]
        link_credential_spec(template["ContainerSpec"])
        return result


def undo(client: SwarmClient, stack: str, journal: Journal, timeout: float) -> list[str]:
    """Put back what ran before, returning what could not be, in words; empty if all could.

    :param timeout: seconds that removed things may take to go
    """
    problems: list[str] = []
    created = [entry for entry in journal.created if entry[0] == "service"]
    for kind, name, identity in created:
        _try(problems, name, client.remove, kind, identity)
    for name, spec in journal.replaced.items():
        _try(problems, name, _put_back, client, name, spec)
    others = [entry for entry in journal.created if entry[0] != "service"]
    services = {identity for _, _, identity in created}
    networks = {name for kind, name, _ in others if kind == "network"}
    poll(lambda: all(task.get("ServiceID") not in services for task in unended_tasks(client, stack)), timeout)
    remove_all(client, others, timeout, problems)
    poll(lambda: not networks & set(client.networks(stack)), timeout)
    _remove_new_volumes(client, stack, journal.new_volumes, timeout, problems)
    new_ids: dict[str, str] = {}
    for name, network in journal.removed_networks.items():
        try:
            new_ids[network["Id"]] = client.create_network(network_body(network))
        except EngineError as error:
            problems.append(f"network {name} ({error})")
    for name, spec in journal.removed.items():
        _try(problems, name, client.create_service, _on_networks(spec, new_ids))
    return problems


def _remove_new_volumes(
    client: SwarmClient, stack: str, names: Collection[str], timeout: float, problems: list[str]
) -> None:
    """Remove volumes that the swarm made for this call on this engine.

    Only those with the label of the stack: a volume that somebody else has made does not have it.
    """
    if not names:
        return
    left = set(names) & set(client.volumes(stack))
    if remove_volumes(client, stack, left, timeout):
        problems.append(f"volumes {', '.join(sorted(left))} (in use)")


def remove_volumes(client: SwarmClient, stack: str, names: Collection[str], timeout: float) -> list[str]:
    """Remove volumes of this engine, and the ended containers of the stack that hold them.

    The swarm removes those itself, but forgets the ones that it had when its engine was killed.

    :returns: what could not be removed within `timeout` seconds, in words
    """
    refused: list[str] = []

    def try_all() -> bool:
        refused.clear()
        client.remove_ended_containers(stack, names)
        remove_all(client, [("volume", name, name) for name in sorted(names)], 0, refused)
        return not refused

    if names:
        poll(try_all, timeout)
    return refused


def _on_networks(spec: Mapping[str, Any], new_ids: Mapping[str, str]) -> dict[str, Any]:
    """A spec with the ids of networks that were made anew."""
    result = copy.deepcopy(dict(spec))
    for attachment in result["TaskTemplate"].get("Networks") or []:
        attachment["Target"] = new_ids.get(attachment["Target"], attachment["Target"])
    return result


def _put_back(client: SwarmClient, name: str, spec: Mapping[str, Any]) -> None:
    for attempt in range(5):
        service = client.service(name)
        try:
            client.update_service(service["ID"], service["Version"]["Index"], spec)
            return
        except OutOfSequence:
            if attempt == 4:
                raise


def remove_all(
    client: SwarmClient, entries: Collection[tuple[str, str, str]], timeout: float, problems: list[str]
) -> None:
    """Remove objects that may still be in use for a moment; what stays is added to ``problems``.

    :param entries: kind, name, id
    """
    left = list(entries)
    errors: dict[str, str] = {}

    def try_all() -> bool:
        for entry in list(left):
            kind, name, identity = entry
            try:
                client.remove(kind, identity)
                left.remove(entry)
            except EngineError as error:
                errors[name] = str(error)
        return not left

    if not poll(try_all, timeout):
        problems += [f"{kind} {name} ({errors.get(name, 'in use')})" for kind, name, _ in left]


def _try(problems: list[str], service: str, action: Callable[..., Any], *arguments: Any) -> None:
    try:
        action(*arguments)
    except EngineError as error:
        problems.append(f"service {service} ({error})")


def _refused(action: Action, error: EngineError) -> EngineError:
    text = str(error).removeprefix("rpc error: code = InvalidArgument desc = ").rstrip(".")
    return EngineError(
        f"The engine refuses to {action.action} the {action.kind} {action.name}: {text}. "
        "Correct the document.",
        error.status,
    )
