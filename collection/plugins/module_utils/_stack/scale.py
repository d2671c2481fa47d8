# SPDX-License-Identifier: GPL-3.0-or-later
"""Set numbers of replicas of services that are there, without a compose document."""

from __future__ import annotations

from .apply import Applier, Journal, PlanOutdated
from .client import SwarmClient
from .deploy import ATTEMPTS, Settings, ended_tasks, handle_failure, make_outcome
from .desired import PAUSED
from .errors import StackError
from .live import LiveStack, labels_of
from .outcome import Outcome
from .plan import Action
from .tasks import replicas_of
from .wait import wait_until_converged


def scale(client: SwarmClient, stack: str, replicas: dict[str, int], settings: Settings) -> Outcome:
    """Set the number of replicas of services of a stack, by their name with or without that of the stack.

    :raises StackError: there is no such service, or it is not replicated
    """
    client.swarm_key()
    live = client.read_stack(stack, all_files=False)
    actions = plan_scale(stack, replicas, live)
    if settings.check_mode:
        return make_outcome(actions, live.services, live, None, [])
    known = ended_tasks(client, stack)
    journal = Journal()
    names = [_service_name(stack, name, live) for name in replicas]
    services = None
    try:
        for _ in range(ATTEMPTS):
            try:
                Applier(client, live, journal, lambda image: "").apply(actions)
                break
            except PlanOutdated:
                live = client.read_stack(stack, all_files=False)
                actions = plan_scale(stack, replicas, live)
        if settings.wait:
            services = wait_until_converged(
                client,
                stack,
                names,
                timeout=settings.wait_timeout,
                limits=settings.limits,
                touched=journal.touched,
                known=known,
            )
    except StackError as error:
        handle_failure(client, stack, journal, error, settings)
    if services is None:
        services = client.services(stack)
    return make_outcome(journal.done, services, live, None, [])


def plan_scale(stack: str, replicas: dict[str, int], live: LiveStack) -> list[Action]:
    """The updates that set numbers of replicas. Pure.

    :raises StackError: there is no such service, or it is not replicated
    """
    actions = []
    for given, number in sorted(replicas.items()):
        name = _service_name(stack, given, live)
        service = live.services[name]
        if "Replicated" not in (service["Spec"].get("Mode") or {"Replicated": {}}):
            raise StackError(f"The service {name} is not replicated, so it has no number of replicas to set.")
        if number < 0:
            raise StackError(f"The service {name} cannot have {number} replicas; it is 0 or more.")
        have = replicas_of(service)
        if have != number:
            labels = {key: value for key, value in labels_of(service).items() if key != PAUSED}
            spec = {**service["Spec"], "Labels": labels, "Mode": {"Replicated": {"Replicas": number}}}
            actions.append(
                Action("update", "service", name, spec, service, {"replicas": have}, {"replicas": number})
            )
    return actions


def _service_name(stack: str, name: str, live: LiveStack) -> str:
    for candidate in (f"{stack}_{name}", name):
        if candidate in live.services:
            return candidate
    have = ", ".join(sorted(live.services)) or "none"
    raise StackError(f"The stack {stack} has no service {name!r}; its services are: {have}.")
