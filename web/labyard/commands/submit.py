"""Asking for a command: checked as a whole, then written as a row."""

from __future__ import annotations

import secrets as random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._request.request import (
    RequestError,
    check_name,
    merge_params,
)
from ansible_collections.labyard.platform.plugins.module_utils._request.resources import Needs, read_needs
from ansible_collections.labyard.platform.plugins.module_utils._request.shapes import shape_of
from ansible_collections.labyard.platform.plugins.module_utils._request.spec import PHASES, Configuration
from labyard.accounts.audit import record_action
from labyard.accounts.scope import get_deployment
from labyard.catalog.plans import configuration_of, get_plan, require_available, spec_of
from labyard.catalog.removal import configuration_for
from labyard.clock import Clock, utc_now
from labyard.errors import Conflict, Forbidden, InvalidInput, NotFound
from labyard.models import Command, Deployment, Plan, Project, State, Task, User
from labyard.models.base import lock_row
from labyard.models.states import DEPLOYMENT_MOVES, check_move
from labyard.sealing import Sealer
from labyard.settings import Settings

from .owners import find_by_name, find_owner, find_project, name_taken
from .preflight import NEEDS_ROOM, check_deployment_limit, refuse_what_never_fits

# A phase that changes single parameters of a running deployment starts from what it has.
_KEEPS_PARAMS = ("update", "scale", "install")
_NEEDS_INSTALLED = ("update", "start", "stop", "scale", "check")
_LARGEST_PRIORITY = 1000


@dataclass(frozen=True)
class CommandRequest:
    """What a person asks for: a phase of a new deployment (`plan`) or of an old one (`deployment`)."""

    phase: str
    plan: str | None = None
    deployment: str | None = None
    name: str | None = None
    project: str | None = None
    owner: str | None = None  # whose deployment it is, by user name: for admins; None: the person's own
    params: Mapping[str, Any] = field(default_factory=dict)
    check: bool = False  # only say what would change: Ansible's check mode
    priority: int = 0  # the larger goes first; people who are no admins may ask for 0 or less


@dataclass(frozen=True)
class Launch:
    """What is about to be started or made larger: its parameters are not the deployment's yet."""

    deployment: Deployment
    phase: str
    params: Mapping[str, Any]
    needs: Needs | None  # None: the configuration does not say what it takes
    shape: str  # the plan's whose values these are; empty if none
    is_new: bool


#: Says no by an error (InvalidInput, Conflict) to what may not be started.
LaunchGuard = Callable[[Session, Launch], None]


def submit_command(
    session: Session,
    person: User,
    request: CommandRequest,
    sealer: Sealer,
    *,
    address: str = "",
    clock: Clock = utc_now,
    deployment_limit: int = Settings.deployment_limit,
    guard: LaunchGuard | None = None,
) -> Command:
    """Write the command row that `request` asks for; its id goes to the queue after the commit.

    `deployment_limit`: how many deployments a person may have; 0: any number. `guard`: asked last whether
    what takes room may be started.
    Raises InvalidInput (422) with a message for each wrong field and for each resource that the swarm
    can never give, Forbidden (403) for a field that is an operator's, NotFound (404) for a plan or
    deployment that is not there or not the person's, Conflict (409) for a name taken or a
    deployment on which a command runs already.
    """
    if request.phase not in PHASES:
        raise InvalidInput("There is no such phase.", {"phase": f"must be one of: {', '.join(PHASES)}"})
    if not isinstance(request.params, Mapping):
        raise InvalidInput(
            "The parameters have no names.", {"params": "must be a mapping of names to values"}
        )
    _check_frame(person, request)
    if request.deployment:
        deployment = _existing(session, person, request)
    else:
        deployment = _new_or_named(session, person, request, sealer, deployment_limit)
    command = _write_command(session, person, deployment, request, clock, guard)
    owner = deployment.owner
    record_action(
        session,
        person.username,
        f"command {request.phase}{' (check)' if request.check else ''}",
        address,
        deployment=deployment.id,
        name=deployment.name,
        command=command.id,
        **({} if owner.id == person.id else {"owner": owner.username}),
    )
    return command


def _check_frame(person: User, request: CommandRequest) -> None:
    if not -_LARGEST_PRIORITY <= request.priority <= _LARGEST_PRIORITY:
        text = f"must be between -{_LARGEST_PRIORITY} and {_LARGEST_PRIORITY}"
        raise InvalidInput("The priority is not right.", {"priority": text})
    if request.priority > 0 and not person.is_admin:
        raise Forbidden("Only operators may let a command go before others. Leave the priority out.")
    if request.owner is not None and not person.is_admin:
        raise Forbidden(
            "Only admins may ask for a command on somebody else's deployment. Leave the owner out.",
            {"owner": "is for admins"},
        )
    if request.check and request.phase == "install" and not request.deployment:
        raise InvalidInput(
            "There is nothing to compare with.",
            {"check": "shows what would change in a deployment that is there; leave it out to launch one"},
        )


def _existing(session: Session, person: User, request: CommandRequest) -> Deployment:
    deployment = get_deployment(session, person, request.deployment or "")
    lock_row(session, deployment)
    if request.plan and request.plan != deployment.plan.name:
        raise InvalidInput(
            "Plan and deployment do not go together.",
            {"plan": f"the deployment {deployment.name} is of the plan {deployment.plan.name}"},
        )
    if request.owner is not None and request.owner != deployment.owner.username:
        raise InvalidInput(
            "Owner and deployment do not go together.",
            {"owner": f"the deployment {deployment.name} is {deployment.owner.username}'s"},
        )
    if deployment.state == State.REMOVED:
        raise Conflict(f"The deployment {deployment.name} was removed. Launch a new one.")
    return deployment


def _new_or_named(
    session: Session, person: User, request: CommandRequest, sealer: Sealer, deployment_limit: int
) -> Deployment:
    """A new deployment for install; for every other phase the one of that plan and name."""
    if not request.plan:
        raise InvalidInput(
            "The command names neither a plan nor a deployment.",
            {"plan": "is required for a new deployment", "deployment": "is required for an existing one"},
        )
    try:
        plan = get_plan(session, person, request.plan)
    except NotFound as error:
        raise InvalidInput("The command names a plan that is not there.", {"plan": error.detail}) from error
    owner = find_owner(session, person, request.owner, request.phase)
    project = find_project(person, owner, request.project)
    if request.phase == "install":
        return _new(session, person, owner, plan, project, request, sealer, deployment_limit)
    found = find_by_name(session, owner, project, str(request.name or ""))
    if found is None or found.plan_id != plan.id:
        whose = "You have" if owner.id == person.id else f"{owner.username} has"
        raise NotFound(f"{whose} no deployment {str(request.name)[:63]} of the plan {plan.name}.")
    lock_row(session, found)
    return found


def _new(
    session: Session,
    person: User,
    owner: User,
    plan: Plan,
    project: Project,
    request: CommandRequest,
    sealer: Sealer,
    deployment_limit: int,
) -> Deployment:
    """A new deployment; faults of its name and of its parameters are reported together."""
    errors: dict[str, str] = {}
    try:
        check_name(request.name)
    except ValueError as error:
        errors["name"] = str(error)
    try:
        _merge(require_available(plan), plan, request.phase, request.params)
    except InvalidInput as error:
        errors |= error.errors
    errors |= check_deployment_limit(session, owner, deployment_limit, is_own=owner.id == person.id)
    name = str(request.name)
    found = None if "name" in errors else find_by_name(session, owner, project, name)
    taken = None if found is None else name_taken(person, found)
    if errors:
        raise InvalidInput("Some fields are not right.", errors | (taken.errors if taken else {}))
    if taken:
        raise taken
    return _create_deployment(session, person, owner, plan, project, name, sealer)


def _create_deployment(
    session: Session, person: User, owner: User, plan: Plan, project: Project, name: str, sealer: Sealer
) -> Deployment:
    made = {s.name: random.token_urlsafe(s.size) for s in configuration_of(plan).secrets}
    deployment = Deployment(
        name=name,
        plan=plan,
        owner=owner,
        project=project,
        state=State.INITIATED,
        sealed_secrets=sealer.seal(made),
    )
    try:
        with session.begin_nested():
            session.add(deployment)
    except IntegrityError:
        # Somebody took the name between the look and the write.
        found = find_by_name(session, owner, project, name)
        if found is None:
            raise
        raise name_taken(person, found) from None
    return deployment


def _write_command(
    session: Session,
    person: User,
    deployment: Deployment,
    request: CommandRequest,
    clock: Clock,
    guard: LaunchGuard | None,
) -> Command:
    configuration = configuration_for(deployment.plan, request.phase, person)
    phase = configuration.phases.get(request.phase)
    if phase is None:
        raise InvalidInput(
            f"{configuration.title} has no phase {request.phase}.",
            {"phase": f"must be one of: {', '.join(configuration.phases)}"},
        )
    _refuse_wrong_time(session, deployment, request.phase)
    takes = {f.name for f in phase.fields}
    base = deployment.params if request.phase in _KEEPS_PARAMS else {}
    given = {**{k: v for k, v in base.items() if k in takes}, **request.params}
    params = _merge(configuration, deployment.plan, request.phase, given)
    refuse_what_never_fits(session, configuration, request.phase, {**deployment.params, **params})
    if guard is not None and request.phase in NEEDS_ROOM and not request.check:
        guard(session, _launch(deployment, configuration, request.phase, params))
    command = Command(
        deployment_id=deployment.id,
        issuer_id=person.id,
        phase=request.phase,
        params=params,
        state=State.INITIATED,
        timeout=phase.timeout,
        priority=request.priority,
        check_only=request.check,
        created_at=clock(),
    )
    command.tasks = [Task(position=i, name=step) for i, step in enumerate(phase.steps)]
    try:
        with session.begin_nested():
            session.add(command)
    except IntegrityError:
        raise _busy(session, deployment) from None
    if command.changes_deployment:
        if request.phase == "install":
            deployment.params = params
        if deployment.state != State.INITIATED:
            deployment.state = check_move(DEPLOYMENT_MOVES, deployment.state, State.PENDING)
        deployment.updated_at = clock()
    return command


def _launch(
    deployment: Deployment, configuration: Configuration, phase: str, params: Mapping[str, Any]
) -> Launch:
    wanted = {**deployment.params, **params}
    return Launch(
        deployment=deployment,
        phase=phase,
        params=wanted,
        needs=read_needs(configuration, wanted),
        shape=shape_of(deployment.plan.shapes, {**wanted, **deployment.plan.fixed}),
        is_new=deployment.state == State.INITIATED,
    )


def _refuse_wrong_time(session: Session, deployment: Deployment, phase: str) -> None:
    if running_command(session, deployment) is not None:
        raise _busy(session, deployment)
    if phase in _NEEDS_INSTALLED and not deployment.services and deployment.state == State.FAILED:
        raise Conflict(
            f"{deployment.name} was never installed: the install failed. Retry the install or remove it."
        )


def running_command(session: Session, deployment: Deployment) -> Command | None:
    """The command that is waiting or running for `deployment`, or None."""
    return session.scalar(
        select(Command)
        .where(Command.deployment_id == deployment.id)
        .where(Command.state.in_((State.INITIATED, State.PENDING)))
    )


def _busy(session: Session, deployment: Deployment) -> Conflict:
    running = running_command(session, deployment)
    what = f"the command {running.phase} ({running.id})" if running else "another command"
    return Conflict(f"{what} is running for {deployment.name}. Wait until it has ended, or cancel it.")


def _merge(configuration: Configuration, plan: Plan, phase: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Clean parameters with the plan's fixed values and the role's defaults."""
    try:
        merged = merge_params(configuration, spec_of(plan), phase, params)
    except RequestError as error:
        raise InvalidInput("Some fields are not right.", error.errors) from error
    defaults = {f.name: f.default for f in configuration.phases[phase].fields if f.default is not None}
    return {**defaults, **merged}
