# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploy a stack: read, plan, apply, wait; on failure put back what ran before."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from .apply import Applier, Journal, PlanOutdated, undo
from .client import SwarmClient
from .desired import DesiredFile, DesiredStack
from .errors import EngineError, NotConverged, StackError
from .files import digest, versions
from .images import resolve_images
from .live import LiveStack, Objects, labels_of
from .outcome import Outcome, describe_service
from .plan import Action, Choices, Plan, make_plan
from .tasks import ENDED, Task, replicas_of, state_of
from .wait import wait_until_converged
from .watch import Limits, running_counts

#: How often a plan is made anew because somebody else changes the stack at the same time.
ATTEMPTS = 6
#: Seconds that putting things back may take.
UNDO_TIMEOUT = 60.0


@dataclass(frozen=True)
class Settings:
    """How to deploy. Times are seconds."""

    prune: bool = False
    resolve_image: str = "changed"
    with_registry_auth: bool = False
    keep_versions: int = 1
    wait: bool = True
    wait_timeout: float = 300
    on_failure: str = "rollback"  # or leave
    check_mode: bool = False
    limits: Limits = field(default_factory=Limits)


def deploy(client: SwarmClient, desired: DesiredStack, settings: Settings) -> Outcome:
    """Make the swarm's stack what ``desired`` says.

    :raises NotConverged: services do not come to run
    :raises StackError: anything else that stands in the way
    """
    key = client.swarm_key()
    digests = _digests(key, desired)
    live = client.read_stack(desired.name)
    warnings = resolve_images(desired, live, settings.resolve_image, client)
    choices = Choices(
        prune=settings.prune,
        keep_versions=settings.keep_versions,
        digests=digests,
        same=() if settings.check_mode else _same_contents(client, desired, live, digests),
        assume_same=settings.check_mode,
    )
    plan = make_plan(desired, live, choices)
    if settings.check_mode:
        return _outcome(plan.everything, live.services, [], live, desired, [*warnings, *plan.warnings])
    known = _ended_tasks(client, desired.name) if plan.actions and live.services else set()
    journal = Journal()
    services, tasks = live.services, None
    try:
        plan, live = _apply(client, desired, live, plan, choices, journal, settings)
        if settings.wait:
            services, tasks = wait_until_converged(
                client,
                desired.name,
                list(desired.services),
                timeout=settings.wait_timeout,
                limits=settings.limits,
                touched=journal.touched,
                known=known,
                hide=_contents(desired),
            )
    except StackError as error:
        _handle_failure(client, desired.name, journal, error, settings)
    Applier(client, live, journal, lambda image: "").apply(plan.cleanup)
    if tasks is None:
        services, tasks = client.services(desired.name), list(client.tasks(desired.name))
    return _outcome(journal.done, services, tasks, live, desired, [*warnings, *plan.warnings])


def scale(client: SwarmClient, stack: str, replicas: dict[str, int], settings: Settings) -> Outcome:
    """Set the number of replicas of services of a stack, by their name with or without that of the stack.

    :raises StackError: there is no such service, or it is not replicated
    """
    client.swarm_key()
    live = client.read_stack(stack, all_files=False)
    actions = plan_scale(stack, replicas, live)
    if settings.check_mode:
        return _outcome(actions, live.services, [], live, None, [])
    known = _ended_tasks(client, stack)
    journal = Journal()
    names = [_service_name(stack, name, live) for name in replicas]
    services, tasks = live.services, None
    try:
        for _ in range(ATTEMPTS):
            try:
                Applier(client, live, journal, lambda image: "").apply(actions)
                break
            except PlanOutdated:
                live = client.read_stack(stack, all_files=False)
                actions = plan_scale(stack, replicas, live)
        if settings.wait:
            services, tasks = wait_until_converged(
                client,
                stack,
                names,
                timeout=settings.wait_timeout,
                limits=settings.limits,
                touched=journal.touched,
                known=known,
            )
    except StackError as error:
        _handle_failure(client, stack, journal, error, settings)
    if tasks is None:
        services, tasks = client.services(stack), list(client.tasks(stack))
    return _outcome(journal.done, services, tasks, live, None, [])


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
            spec = {**service["Spec"], "Mode": {"Replicated": {"Replicas": number}}}
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


def _apply(
    client: SwarmClient,
    desired: DesiredStack,
    live: LiveStack,
    plan: Plan,
    choices: Choices,
    journal: Journal,
    settings: Settings,
) -> tuple[Plan, LiveStack]:
    """Apply the plan; where the stack has changed meanwhile, read, plan and apply again."""
    auth: Callable[[str], str] = client.registry_auth if settings.with_registry_auth else lambda image: ""
    for attempt in range(ATTEMPTS):
        try:
            Applier(client, live, journal, auth).apply(plan.actions)
            return plan, live
        except PlanOutdated as error:
            if attempt == ATTEMPTS - 1:
                raise StackError(
                    f"The stack {desired.name} is being changed by somebody else all the time ({error}); try again."
                ) from error
            time.sleep(0.1 * 2**attempt)
            live = client.read_stack(desired.name)
            plan = make_plan(desired, live, choices)
    raise AssertionError("not reached")


def _handle_failure(
    client: SwarmClient, stack: str, journal: Journal, error: StackError, settings: Settings
) -> None:
    """Put back what ran before if that is wanted, then raise ``error`` with what became of it."""
    if journal.is_empty:
        raise error
    if settings.on_failure != "rollback":
        raise _extended(error, f"The stack {stack} is left as it is.") from error
    problems = undo(client, journal, UNDO_TIMEOUT)
    if problems:
        words = f"What ran before could not all be put back: {'; '.join(problems)}."
    elif journal.replaced or journal.removed:
        words = "What ran before was put back."
    else:
        words = "What this call had created was removed again."
    raise _extended(error, words) from error


def _extended(error: StackError, words: str) -> StackError:
    message = f"{str(error).rstrip()} {words}"
    return NotConverged(message, error.reasons) if error.reasons else StackError(message)


def _digests(key: bytes, desired: DesiredStack) -> dict[str, str]:
    result = {}
    for kind, files in (("secret", desired.secrets), ("config", desired.configs)):
        for name, file in files.items():
            result[f"{kind}/{name}"] = digest(key, f"{kind}/{desired.name}", file)
    return result


def _same_contents(
    client: SwarmClient, desired: DesiredStack, live: LiveStack, digests: dict[str, str]
) -> set[str]:
    """Names of live secrets and configs that turn out to have the wanted content though their hash is missing.

    Those were made by ``docker stack deploy``, or hashed with a key that has been rotated since. The engine
    refuses to update one with other content, so an update that leaves the labels as they are tells.
    """
    same = set()
    for kind, files, objects in (
        ("secret", desired.secrets, live.secrets),
        ("config", desired.configs, live.configs),
    ):
        for name, file in files.items():
            existing = versions(file, objects)
            if file.external or not existing:
                continue
            newest = existing[-1][1]
            if file.data is None or _content_is(client, kind, file, objects[newest], digests[f"{kind}/{name}"]):
                same.add(newest)
    return same


def _content_is(
    client: SwarmClient, kind: str, file: DesiredFile, live: dict[str, Any], content_digest: str
) -> bool:
    from .files import BASE, DIGEST, VERSION

    labels = labels_of(live)
    if content_digest and labels.get(DIGEST) == content_digest:
        return True
    name = live["Spec"]["Name"]
    stamped = {**labels, BASE: file.name, VERSION: labels.get(VERSION, "1")}
    if content_digest:
        stamped[DIGEST] = content_digest
    try:
        client.update_file(kind, live["ID"], live["Version"]["Index"], replace(file, name=name, labels=stamped))
    except EngineError as error:
        if error.status in {400, 500}:
            return False
        raise
    live["Version"]["Index"] = -1
    return True


def _contents(desired: DesiredStack) -> list[str]:
    """Contents of secrets that would be readable in a log, to be hidden there."""
    texts = []
    for file in desired.secrets.values():
        text = (file.data or b"").decode("utf-8", "ignore").strip()
        texts += [line for line in {text, *text.splitlines()} if len(line) >= 4]
    return sorted(texts, key=len, reverse=True)


def _ended_tasks(client: SwarmClient, stack: str) -> set[str]:
    return {task["ID"] for task in client.tasks(stack) if state_of(task) in ENDED}


def _outcome(
    actions: list[Action],
    services: Objects,
    tasks: list[Task],
    live: LiveStack,
    desired: DesiredStack | None,
    warnings: list[str],
) -> Outcome:
    counts = running_counts(services, tasks)
    networks = set(live.networks) | {action.name for action in actions if action.kind == "network"}
    networks -= {action.name for action in actions if action.kind == "network" and action.action == "remove"}
    changed = bool(actions)
    if changed:
        message = f"{len(actions)} changes: " + ", ".join(f"{a.action} {a.kind} {a.name}" for a in actions) + "."
    else:
        message = "Nothing to change."
    return Outcome(
        changed=changed,
        message=message,
        actions=[action.brief() for action in actions],
        services=[
            describe_service(service, replicas_of(service), counts[name]) for name, service in sorted(services.items())
        ],
        networks=sorted(networks),
        volumes=list(desired.volumes) if desired else [],
        before={f"{a.kind} {a.name}": a.before for a in actions if a.before is not None},
        after={f"{a.kind} {a.name}": a.after for a in actions if a.after is not None},
        warnings=warnings,
    )
