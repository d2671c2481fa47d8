"""Asking for a failed command again, from the step where it failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from labyard.accounts.scope import get_command
from labyard.catalog.removal import configuration_for
from labyard.clock import Clock, utc_now
from labyard.errors import Conflict, NotFound
from labyard.models import Command, State, User
from labyard.sealing import Sealer
from labyard.settings import Settings

from .submit import CommandRequest, LaunchGuard, submit_command


def retry_command(
    session: Session,
    person: User,
    command_id: str,
    sealer: Sealer,
    *,
    address: str = "",
    clock: Clock = utc_now,
    deployment_limit: int = Settings.deployment_limit,
    guard: LaunchGuard | None = None,
) -> Command:
    """Write a new command that repeats the failed one: the same phase with the same parameters.

    Steps that the role marks with `repeat: false`, and that the failed command completed, are left
    out if nothing was done with the deployment since; all others are run again. `deployment_limit` and
    `guard`: as in `submit_command`, whose errors this raises too; besides NotFound, and Conflict if the
    command did not fail.
    """
    failed = get_command(session, person, command_id)
    if failed.state != State.FAILED:
        raise Conflict(
            f"The command {failed.id} has not failed ({failed.state.name}): there is nothing to retry."
        )
    phase = configuration_for(failed.deployment.plan, failed.phase, person).phases.get(failed.phase)
    if phase is None:
        raise NotFound(f"The service has no phase {failed.phase} any more.")
    wanted = CommandRequest(
        failed.phase,
        deployment=failed.deployment_id,
        params=persons_params(failed),
        check=failed.check_only,
        priority=failed.priority if person.is_admin else 0,
    )
    done = steps_to_leave_out(failed, phase.once) if _is_newest(session, failed) else []
    command = submit_command(
        session,
        person,
        wanted,
        sealer,
        address=address,
        clock=clock,
        deployment_limit=deployment_limit,
        guard=guard,
    )
    command.retry_of = failed.id
    command.steps_done = done
    for task in command.tasks:
        if task.name in done:
            task.state = State.COMPLETED
    session.flush()
    return command


def persons_params(command: Command) -> dict[str, Any]:
    """The parameters of `command` that a person may send again, without those that the plan fixes."""
    plan = command.deployment.plan
    phase = configuration_for(plan, command.phase, command.issuer).phases.get(command.phase)
    known = {field.name for field in phase.fields} if phase else set()
    return {k: v for k, v in command.params.items() if k in known and k not in plan.fixed}


def steps_to_leave_out(command: Command, once: Sequence[str]) -> list[str]:
    """The steps of `once` (those with `repeat: false`) that `command`, or one it repeats, completed.

    A command in check mode completes nothing.
    """
    if command.check_only:
        return []
    completed = {task.name for task in command.tasks if task.state == State.COMPLETED}
    return [name for name in once if name in completed or name in command.steps_done]


def _is_newest(session: Session, command: Command) -> bool:
    """Whether nothing was done with the deployment after `command`; to look at it is nothing."""
    later = select(Command.id).where(
        Command.deployment_id == command.deployment_id,
        Command.created_at > command.created_at,
        Command.phase != "check",
        Command.check_only.is_(False),
    )
    return session.scalar(later.limit(1)) is None
