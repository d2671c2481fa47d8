# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove a stack, whatever is left of it, and wait until it is really gone."""

from __future__ import annotations

import time

from .apply import remove_all, remove_volumes
from .client import SwarmClient
from .errors import StackError
from .live import LiveStack, identity_of
from .outcome import Outcome
from .plan import Action
from .wait import poll, wait_until_gone


def remove_stack(
    client: SwarmClient,
    stack: str,
    *,
    remove_volumes: bool = False,
    wait: bool = True,
    timeout: float = 300,
    check_mode: bool = False,
) -> Outcome:
    """Remove all that carries the label of the stack: services, networks, secrets, configs.

    :param remove_volumes: its volumes on this engine too
    :param wait: until tasks and networks are gone, so that the stack can be deployed again at once
    :param timeout: seconds
    :raises StackError: something does not go
    """
    live = client.read_stack(stack, all_files=False)
    volumes = client.volumes(stack)
    actions = plan_removal(live, volumes if remove_volumes else [])
    lost: list[str] = []
    if actions and not check_mode:
        lost = _remove(client, stack, live, actions, wait, timeout)
    elif wait and not check_mode:
        wait_until_gone(client, stack, timeout)
    message = f"The stack {stack} is removed." if actions else f"There is no stack {stack}."
    if volumes and not remove_volumes:
        message += f" Its volumes are kept: {', '.join(volumes)}."
    return Outcome(
        changed=bool(actions),
        actions=[action.brief() for action in actions],
        before={f"{action.kind} {action.name}": action.before for action in actions},
        volumes=[] if remove_volumes else volumes,
        message=message,
        warnings=[f"Containers of the stack end when these nodes are back: {', '.join(lost)}."]
        if lost
        else [],
    )


def plan_removal(live: LiveStack, volumes: list[str]) -> list[Action]:
    """The removals of all objects of a stack, in their order. Pure."""
    actions = []
    for kind, objects in (
        ("service", live.services),
        ("config", live.configs),
        ("secret", live.secrets),
        ("network", live.networks),
    ):
        actions += [
            Action("remove", kind, name, None, item, {"name": name}) for name, item in sorted(objects.items())
        ]
    return actions + [
        Action("remove", "volume", name, None, {"ID": name}, {"name": name}) for name in volumes
    ]


def _remove(
    client: SwarmClient, stack: str, live: LiveStack, actions: list[Action], wait: bool, timeout: float
) -> list[str]:
    """Remove all, returning the names of nodes that are down and have containers of the stack."""
    end = time.monotonic() + timeout

    def left() -> float:
        return max(end - time.monotonic(), 0.0)

    problems: list[str] = []
    lost: list[str] = []
    entries = [(action.kind, action.name, identity_of(action.live)) for action in actions]
    at_once = [entry for entry in entries if entry[0] in {"service", "config", "secret"}]
    remove_all(client, at_once, min(left(), 10.0), problems)
    if wait or any(kind == "volume" for kind, _, _ in entries):
        lost = wait_until_gone(client, stack, left())
    remove_all(client, [entry for entry in entries if entry[0] == "network"], left(), problems)
    volumes = [name for kind, name, _ in entries if kind == "volume"]
    problems += remove_volumes(client, stack, volumes, left())
    if not problems and wait and live.networks and not poll(lambda: not client.networks(stack), left()):
        problems.append("its networks")
    if problems:
        raise StackError(
            f"Not all of the stack {stack} could be removed: {'; '.join(problems)}. "
            "Stop what uses it and try again."
        )
    return lost
