"""What the end of a run makes of its command and deployment: one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._request.request import stack_name
from ansible_collections.labyard.platform.plugins.module_utils._request.spec import PhaseSpec
from labyard.artifacts.outcome import RunOutcome
from labyard.artifacts.steps import Step, finish_steps
from labyard.catalog.removal import configuration_for
from labyard.clock import Clock, utc_now
from labyard.commands.retry import steps_to_leave_out
from labyard.errors import NotFound
from labyard.models import Command, Deployment, Health, Run, State
from labyard.models.states import COMMAND_MOVES, DEPLOYMENT_MOVES, check_move
from labyard.notices.outbox import write_notices
from labyard.runs.claim import hold_command

from .health import ServiceView, judge_health
from .progress import read_steps, write_steps

_WORDS = {
    "timeout": "The command took longer than the {timeout} s it may take and was stopped.",
    "cancelled": "The command was cancelled.",
    "lost": (
        "The run was cut off before it ended: its process or its machine went away, and nobody knows how far "
        "it came. {repeated}"
    ),
}
_REPEATED = "It was run again by itself and was cut off again."
_NOT_REPEATED = "This phase is not run again by itself, for its role does not say that it may be."
_CHECKED = " Nothing was changed; ask for it again."
_LEFT = (
    " What it had made so far stands on the swarm under {stack}; retry the command, or remove the deployment."
)


def begin_command(
    session: Session, command_id: str, fence: int, folder: str, host: str = "", clock: Clock = utc_now
) -> Command:
    """Mark the claimed command and its deployment as running, and write the row of its run on `host`."""
    command = hold_command(session, command_id, fence)
    if command.state == State.INITIATED:
        command.state = check_move(COMMAND_MOVES, command.state, State.PENDING)
        command.started_at = clock()
    command.message = ""
    deployment = command.deployment
    if command.changes_deployment and deployment.state == State.INITIATED:
        deployment.state = check_move(DEPLOYMENT_MOVES, deployment.state, State.PENDING)
    session.add(Run(command=command, fence=fence, folder=folder, host=host, started_at=clock()))
    session.flush()
    return command


def take_over(session: Session, command_id: str, fence: int, run_id: int) -> Run:
    """Put the run that a silent worker left under the claim `fence`; raises LeaseLost."""
    hold_command(session, command_id, fence)
    run = session.get_one(Run, run_id)
    run.fence = fence
    session.flush()
    return run


def record_cut_off(
    session: Session, command_id: str, fence: int, run_id: int, clock: Clock = utc_now
) -> bool:
    """Write that a run was cut off; True if its phase is to be run again by itself.

    It is, once, where its role says that the phase may be repeated and nobody has asked to cancel.
    Its steps begin anew then, but for completed ones that must not be repeated.
    """
    command = hold_command(session, command_id, fence)
    run = session.get_one(Run, run_id)
    run.ended_at, run.status = clock(), "lost"
    phase = phase_of(command)
    if phase is None or not phase.idempotent or command.cancel_requested or _lost_runs(command) > 1:
        return False
    command.steps_done = steps_to_leave_out(command, phase.once)
    steps = [s if s.name in command.steps_done else Step(s.name) for s in read_steps(command)]
    write_steps(command, steps)
    command.message = "The run was cut off before it ended; it is run again."
    return True


def phase_of(command: Command) -> PhaseSpec | None:
    """The phase of the command's configuration, or None if its role is gone."""
    try:
        found = configuration_for(command.deployment.plan, command.phase, command.issuer)
    except NotFound:
        return None
    return found.phases.get(command.phase)


def _lost_runs(command: Command) -> int:
    return sum(1 for run in command.runs if run.status == "lost")


def record_outcome(
    session: Session,
    command_id: str,
    fence: int,
    outcome: RunOutcome,
    reason: str | None = None,
    clock: Clock = utc_now,
    difference: Sequence[Mapping[str, str]] = (),
) -> Command:
    """Write the end of a run. `reason` says why it was stopped, if it did not end by itself.

    `difference` is what the run changed or, in check mode, would change: object, before, after.
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
            run.ended_at, run.exit_code = now, outcome.exit_code
            run.status = outcome.status or run.status
    write_steps(command, finish_steps(read_steps(command), succeeded, now, "" if succeeded else message))
    end = State.COMPLETED if succeeded else State.FAILED
    command.state = check_move(COMMAND_MOVES, command.state, end)
    command.reason = None if succeeded else reason
    command.message = message
    command.difference = [dict(part) for part in difference]
    command.finished_at = now
    command.lease_owner = command.lease_until = None
    if command.check_only:
        command.message = message if not succeeded else _words_about(command.difference)
    else:
        _change_deployment(command, outcome.result if succeeded else None, message, clock)
    write_notices(session, command)
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
    if command.changes_deployment and command.deployment.state == State.INITIATED:
        command.deployment.state = check_move(DEPLOYMENT_MOVES, State.INITIATED, State.PENDING)
    return record_outcome(session, command_id, fence, outcome, reason, clock)


def _words_about(difference: Sequence[Mapping[str, str]]) -> str:
    if not difference:
        return "Nothing would change."
    objects = "one object" if len(difference) == 1 else f"{len(difference)} objects"
    return f"It would change {objects}; nothing was changed yet."


def _result_message(outcome: RunOutcome) -> str:
    return str((outcome.result or {}).get("message") or "")


def _failure_message(command: Command, outcome: RunOutcome, reason: str) -> str:
    template = _WORDS.get(reason)
    if template is None:
        return outcome.error
    deployment = command.deployment
    if not command.runs:
        left = ""
    elif command.changes_deployment:
        left = _LEFT.format(stack=stack_name(deployment.plan.name, deployment.id))
    else:
        left = _CHECKED
    repeated = _REPEATED if _lost_runs(command) > 1 else _NOT_REPEATED
    return template.format(timeout=command.timeout, repeated=repeated) + left


def _change_deployment(
    command: Command, result: Mapping[str, Any] | None, message: str, clock: Clock
) -> None:
    deployment = command.deployment
    deployment.updated_at = clock()
    if result is None:
        if command.changes_deployment and not command.runs and _was_well(command):
            # Nothing was done, so nothing is broken.
            deployment.state = check_move(DEPLOYMENT_MOVES, deployment.state, State.COMPLETED)
        elif command.changes_deployment:
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


def show_health(deployment: Deployment, services: Sequence[ServiceView], clock: Clock = utc_now) -> None:
    """Take over what the swarm shows of `deployment` now, after a command that did not succeed."""
    health, detail = judge_health(services)
    deployment.health, deployment.health_detail = health.value, detail
    deployment.health_at = clock()
    stack = stack_name(deployment.plan.name, deployment.id)
    deployment.services = [
        {
            "name": s.name.removeprefix(f"{stack}_"),
            "image": s.image,
            "replicas": s.desired,
            "running": s.running,
        }
        for s in services
    ]


def _was_well(command: Command) -> bool:
    """Whether what was done with the deployment before `command` had succeeded."""
    before = next((c for c in command.deployment.commands if c.changes_deployment and c is not command), None)
    return before is not None and before.state == State.COMPLETED


def _take_result(deployment: Deployment, result: Mapping[str, Any], clock: Clock) -> None:
    for part in ("services", "endpoints", "volumes"):
        if isinstance(result.get(part), list):
            setattr(deployment, part, [dict(item) for item in result[part]])
    health = str(result.get("health") or "")
    if health in {h.value for h in Health}:
        deployment.health = health
        deployment.health_detail = ""
        deployment.health_at = clock()
