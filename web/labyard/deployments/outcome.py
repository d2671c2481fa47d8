"""What the end of a run makes of its command and deployment: one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._request.request import stack_name
from labyard.artifacts.outcome import RunOutcome
from labyard.artifacts.steps import finish_steps
from labyard.clock import Clock, utc_now
from labyard.models import Command, Deployment, Health, Run, State
from labyard.models.states import COMMAND_MOVES, DEPLOYMENT_MOVES, check_move
from labyard.runs.claim import hold_command

from .progress import read_steps, write_steps

_WORDS = {
    "timeout": "The command took longer than the {timeout} s it may take and was stopped.",
    "cancelled": "The command was cancelled.",
    "lost": "The run was cut off before it ended: its process or its machine went away.",
}
_LEFT = (
    " What it had made so far stands on the swarm under {stack}; retry the command, or remove the deployment."
)


def begin_command(
    session: Session, command_id: str, fence: int, folder: str, clock: Clock = utc_now
) -> Command:
    """Mark the claimed command and its deployment as running, and write the row of its run."""
    command = hold_command(session, command_id, fence)
    if command.state == State.INITIATED:
        command.state = check_move(COMMAND_MOVES, command.state, State.PENDING)
        command.started_at = clock()
    deployment = command.deployment
    if command.phase != "check" and deployment.state == State.INITIATED:
        deployment.state = check_move(DEPLOYMENT_MOVES, deployment.state, State.PENDING)
    session.add(Run(command=command, fence=fence, folder=folder, started_at=clock()))
    session.flush()
    return command


def record_outcome(
    session: Session,
    command_id: str,
    fence: int,
    outcome: RunOutcome,
    reason: str | None = None,
    clock: Clock = utc_now,
) -> Command:
    """Write the end of a run. `reason` says why it was stopped, if it did not end by itself.

    Raises LeaseLost if the claim `fence` is no longer the last one.
    """
    command = hold_command(session, command_id, fence)
    if command.state.final:
        return command
    now = clock()
    succeeded = outcome.succeeded and reason is None
    if not succeeded and reason is None:
        reason = "failed" if outcome.finished else "lost"
    message = (
        _result_message(outcome) if succeeded else _failure_message(command, outcome, reason or "failed")
    )
    for run in command.runs:
        if run.fence == fence:
            run.ended_at, run.exit_code, run.status = now, outcome.exit_code, outcome.status
    write_steps(command, finish_steps(read_steps(command), succeeded, now, "" if succeeded else message))
    end = State.COMPLETED if succeeded else State.FAILED
    command.state = check_move(COMMAND_MOVES, command.state, end)
    command.reason = None if succeeded else reason
    command.message = message
    command.finished_at = now
    command.lease_owner = command.lease_until = None
    _change_deployment(command, outcome.result if succeeded else None, message, clock)
    return command


def fail_command(
    session: Session, command_id: str, fence: int, reason: str, message: str, clock: Clock = utc_now
) -> Command:
    """End a command that could not be run at all, with the cause in words."""
    outcome = RunOutcome(False, True, None, "error", None, message, 0)
    command = hold_command(session, command_id, fence)
    if command.state == State.INITIATED:
        command.state = check_move(COMMAND_MOVES, command.state, State.PENDING)
        command.started_at = clock()
    if command.deployment.state == State.INITIATED:
        command.deployment.state = State.PENDING
    return record_outcome(session, command_id, fence, outcome, reason, clock)


def _result_message(outcome: RunOutcome) -> str:
    return str((outcome.result or {}).get("message") or "")


def _failure_message(command: Command, outcome: RunOutcome, reason: str) -> str:
    template = _WORDS.get(reason)
    if template is None:
        return outcome.error
    deployment = command.deployment
    left = _LEFT.format(stack=stack_name(deployment.plan.name, deployment.id)) if command.runs else ""
    return template.format(timeout=command.timeout) + left


def _change_deployment(
    command: Command, result: Mapping[str, Any] | None, message: str, clock: Clock
) -> None:
    deployment = command.deployment
    deployment.updated_at = clock()
    if result is None:
        if command.phase != "check":
            deployment.state = check_move(DEPLOYMENT_MOVES, deployment.state, State.FAILED)
            deployment.message = message
        return
    _take_result(deployment, result, clock)
    deployment.message = message
    if command.phase == "remove":
        deployment.state = check_move(DEPLOYMENT_MOVES, deployment.state, State.REMOVED)
        deployment.health = Health.MISSING.value
        deployment.removed_at = clock()
        deployment.sealed_secrets = ""
        deployment.endpoints = []
    elif command.phase != "check":
        deployment.state = check_move(DEPLOYMENT_MOVES, deployment.state, State.COMPLETED)
        takes = {f: v for f, v in command.params.items() if command.phase in ("install", "update", "scale")}
        deployment.params = {**deployment.params, **takes}


def _take_result(deployment: Deployment, result: Mapping[str, Any], clock: Clock) -> None:
    for part in ("services", "endpoints", "volumes"):
        if isinstance(result.get(part), list):
            setattr(deployment, part, [dict(item) for item in result[part]])
    health = str(result.get("health") or "")
    if health in {h.value for h in Health}:
        deployment.health = health
        deployment.health_detail = ""
        deployment.health_at = clock()
