# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploy a stack: read, plan, apply, wait; on failure put back what ran before."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .adopt import adopt_contents, content_digests
from .apply import Applier, Journal, PlanOutdated, remove_all, undo
from .client import SwarmClient
from .desired import DesiredStack
from .errors import NotConverged, StackError
from .images import resolve_images, words_about_images
from .live import LiveStack, Objects, identity_of
from .outcome import Outcome, describe_service
from .pause import pause_services
from .plan import Action, Choices, Plan, check_names_are_free, created_services, make_plan
from .tasks import ENDED, replicas_of, running_of, state_of
from .wait import poll, wait_until_converged
from .watch import Limits

#: How often a plan is made anew because somebody else changes the stack at the same time.
ATTEMPTS = 6
#: Seconds that putting things back may take.
UNDO_TIMEOUT = 60.0
#: Seconds that removing superseded and pruned things may take.
CLEANUP_TIMEOUT = 30.0


@dataclass(frozen=True)
class Settings:
    """How to deploy. Times are seconds."""

    prune: bool = False
    resolve_image: str = "changed"
    with_registry_auth: bool = False
    keep_versions: int = 1
    wait: bool = True
    wait_timeout: float = 300
    on_failure: str = "rollback"  # or pause, leave
    keep_replicas: bool = False
    recreate_networks: bool = False
    prune_volumes: bool = False  # with prune
    check_mode: bool = False
    limits: Limits = field(default_factory=Limits)


def deploy(client: SwarmClient, desired: DesiredStack, settings: Settings) -> Outcome:
    """Make the swarm's stack what ``desired`` says.

    :raises NotConverged: services do not come to run
    :raises StackError: anything else that stands in the way
    """
    live, choices = _read(client, desired, settings)
    warnings = resolve_images(desired, live, settings.resolve_image, client)
    plan = make_plan(desired, live, choices)
    new = created_services(plan)
    if new:
        check_names_are_free(desired.name, new, client.services_named(new))
    if settings.check_mode:
        return make_outcome(plan.everything, live.services, live, desired, [*warnings, *plan.warnings])
    known = ended_tasks(client, desired.name) if plan.actions and live.services else set()
    journal = Journal(new_volumes=_new_volumes(client, desired, plan, settings))
    services = None
    try:
        plan, live = _apply(client, desired, live, plan, choices, journal, settings)
        if settings.wait:
            services = wait_until_converged(
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
        words = words_about_images(error.reasons, desired, warnings, settings.with_registry_auth)
        handle_failure(client, desired.name, journal, _extended(error, words) if words else error, settings)
    warnings += [*plan.warnings, *_clean_up(client, desired.name, plan, journal)]
    if services is None:
        services = client.services(desired.name)
    return make_outcome(journal.done, services, live, desired, warnings)


def _new_volumes(
    client: SwarmClient, desired: DesiredStack, plan: Plan, settings: Settings
) -> frozenset[str]:
    """Names of the volumes to remove again if all is put back: plain ones that this engine does not have.

    Not those with a driver or options of their own: their data may lie elsewhere, and be older.
    """
    if settings.on_failure != "rollback" or not (plan.actions and desired.volumes):
        return frozenset()
    mounts = [
        mount
        for spec in desired.services.values()
        for mount in spec["TaskTemplate"]["ContainerSpec"].get("Mounts", [])
    ]
    driven = {mount.get("Source") for mount in mounts if "DriverConfig" in mount.get("VolumeOptions", {})}
    return frozenset(desired.volumes) - driven - set(client.volumes(desired.name))


def _read(client: SwarmClient, desired: DesiredStack, settings: Settings) -> tuple[LiveStack, Choices]:
    """The stack as it is, and what the planner has to know beside it."""
    digests = content_digests(client.swarm_key(), desired)
    live = client.read_stack(desired.name)
    same: set[str] = set()
    if not settings.check_mode:
        same = adopt_contents(client, desired, live, digests)
        live = client.read_stack(desired.name) if same else live
    choices = Choices(
        prune=settings.prune,
        prune_volumes=client.volumes(desired.name) if settings.prune and settings.prune_volumes else (),
        keep_replicas=settings.keep_replicas,
        recreate_networks=settings.recreate_networks,
        keep_versions=settings.keep_versions,
        digests=digests,
        same=same,
        assume_same=settings.check_mode,
    )
    return live, choices


def _clean_up(client: SwarmClient, stack: str, plan: Plan, journal: Journal) -> list[str]:
    """Remove what is no longer needed. What cannot go is a warning: the stack runs."""
    left: list[str] = []
    volumes = [action.name for action in plan.cleanup if action.kind == "volume"]
    if volumes:
        client.remove_ended_containers(stack, volumes)
    entries = [(action.kind, action.name, identity_of(action.live)) for action in plan.cleanup]
    remove_all(client, entries, CLEANUP_TIMEOUT, left)
    going = {identity for kind, _, identity in entries if kind == "network"}
    if going and not left:
        poll(lambda: not going & client.all_networks(), CLEANUP_TIMEOUT)
    journal.done += [action for action in plan.cleanup if not any(action.name in words for words in left)]
    return [f"This could not be removed, something else uses it: {words}." for words in left]


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
                    f"The stack {desired.name} cannot be changed, something else keeps changing it "
                    f"({error}); try again."
                ) from error
            if error.network:
                _wait_for_network_to_go(client, error.network, settings.wait_timeout)
            time.sleep(0.1 * 2**attempt)  # whoever else changes it is given ever more time to end
            live = client.read_stack(desired.name)
            plan = make_plan(desired, live, choices)
    raise AssertionError("not reached")


def _wait_for_network_to_go(client: SwarmClient, network: str, timeout: float) -> None:
    """A former stack of the same name was removed a moment ago, and its network is on its way out."""
    poll(lambda: network not in client.all_networks(), timeout)


def handle_failure(
    client: SwarmClient, stack: str, journal: Journal, error: StackError, settings: Settings
) -> None:
    """Put back what ran before if that is wanted, then raise ``error`` with what became of it."""
    if journal.is_empty:
        raise error
    if settings.on_failure == "pause":
        failed = {str(reason["service"]) for reason in error.reasons} & journal.touched
        paused = pause_services(client, stack, failed)
        raise _extended(error, _words_for_paused(stack, paused)) from error
    if settings.on_failure != "rollback":
        raise _extended(error, f"The stack {stack} is left as it is.") from error
    problems = undo(client, stack, journal, UNDO_TIMEOUT)
    if problems:
        words = f"What ran before could not all be put back: {'; '.join(problems)}."
    elif journal.replaced or journal.removed or journal.removed_networks:
        words = _words_for_put_back(client, stack, journal, settings)
    else:
        words = "What this call had created was removed again."
    raise _extended(error, words) from error


def _words_for_paused(stack: str, paused: list[str]) -> str:
    if not paused:
        return f"The stack {stack} is left as it is."
    return (
        f"{', '.join(paused)} {'is' if len(paused) == 1 else 'are'} stopped (0 replicas) until the next "
        f"deployment; all else of the stack {stack} is left as it is."
    )


def _words_for_put_back(client: SwarmClient, stack: str, journal: Journal, settings: Settings) -> str:
    """Wait until what was put back runs again, and say whether it does."""
    if not settings.wait:
        return "What ran before was put back."
    names = {*journal.replaced, *journal.removed}
    known = ended_tasks(client, stack)
    try:
        wait_until_converged(client, stack, names, timeout=UNDO_TIMEOUT, limits=settings.limits, known=known)
    except StackError as error:
        return f"What ran before was put back, but does not run either: {error}"
    return "What ran before was put back and runs."


def _extended(error: StackError, words: str) -> StackError:
    message = f"{str(error).rstrip()} {words}"
    return NotConverged(message, error.reasons) if error.reasons else StackError(message)


def _contents(desired: DesiredStack) -> list[str]:
    """Contents of secrets that would be readable in a log, to be hidden there."""
    texts = []
    for file in desired.secrets.values():
        text = (file.data or b"").decode("utf-8", "ignore").strip()
        texts += [line for line in {text, *text.splitlines()} if len(line) >= 4]
    return sorted(texts, key=len, reverse=True)


def ended_tasks(client: SwarmClient, stack: str) -> set[str]:
    """Ids of the tasks of a stack that have ended."""
    return {task["ID"] for task in client.tasks(stack) if state_of(task) in ENDED}


def make_outcome(
    actions: list[Action],
    services: Objects,
    live: LiveStack,
    desired: DesiredStack | None,
    warnings: list[str],
) -> Outcome:
    """What is returned: the actions, and the services as they are now."""
    networks = set(live.networks) | {action.name for action in actions if action.kind == "network"}
    networks -= {action.name for action in actions if action.kind == "network" and action.action == "remove"}
    changed = bool(actions)
    if changed:
        message = (
            f"{len(actions)} changes: " + ", ".join(f"{a.action} {a.kind} {a.name}" for a in actions) + "."
        )
    else:
        message = "Nothing to change."
    return Outcome(
        changed=changed,
        message=message,
        actions=[action.brief() for action in actions],
        services=[
            describe_service(service, replicas_of(service), running_of(service))
            for _, service in sorted(services.items())
        ],
        networks=sorted(networks),
        volumes=list(desired.volumes) if desired else [],
        before={f"{a.kind} {a.name}": a.before for a in actions if a.before is not None},
        after={f"{a.kind} {a.name}": a.after for a in actions if a.after is not None},
        warnings=warnings,
    )
