"""The end of a run: what it left becomes the end of its command, or another run."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labyard.artifacts.difference import read_difference
from labyard.artifacts.events import read_events
from labyard.artifacts.outcome import RunOutcome, read_outcome
from labyard.clock import utc_now
from labyard.context import context, session
from labyard.deployments.health import ServiceView
from labyard.deployments.outcome import record_cut_off, record_outcome, show_health
from labyard.deployments.progress import take_events
from labyard.deployments.swarm import engine, read_services
from labyard.errors import Unavailable
from labyard.models import Command, Run
from labyard.models.base import begin_writing
from labyard.runs.claim import Claim, hold_command, lease_clock, reclaim_command
from labyard.runs.folder import artifacts_of, forget_secrets, shows_difference
from labyard.runs.lifeline import lifeline_broke
from labyard.runs.process import end_leftovers
from labyard.runs.supervise import Verdict

log = logging.getLogger(__name__)

_NOTHING = RunOutcome(False, False, None, "", None, "", 0)
_FULL = 1024 * 1024  # bytes: with less left on the disk a run cannot say how it went


@dataclass(frozen=True)
class Ended:
    """A run that goes on no more."""

    claim: Claim
    run_id: int
    folder: Path | None  # None: on another host, out of reach
    verdict: Verdict


def end_run(ended: Ended, worker: str) -> Claim | None:
    """Write how the run ended; the claim for another run, if the command is to be run again at once.

    Raises LeaseLost, OperationalError.
    """
    claim, folder = ended.claim, ended.folder
    outcome = read_outcome(artifacts_of(folder)) if folder else _NOTHING
    if folder and not outcome.finished:
        end_leftovers(folder)
    seen = None if outcome.succeeded else _look_at_services(claim)
    begin_writing()
    if folder:
        take_events(session(), claim.command_id, claim.fence, artifacts_of(folder))
    command = hold_command(session(), claim.command_id, claim.fence)
    reason = _reason(command, ended, outcome)
    if reason == "lost" and record_cut_off(session(), claim.command_id, claim.fence, ended.run_id):
        following = reclaim_command(session(), claim, worker, lease_clock(session()))
        session().commit()
        _tidy(folder)
        return following
    difference = (
        read_difference(read_events(artifacts_of(folder))) if folder and shows_difference(command) else ()
    )
    record_outcome(session(), claim.command_id, claim.fence, outcome, reason, difference=difference)
    if seen is not None and command.changes_deployment:
        show_health(command.deployment, seen)
    log.info("command %s (%s): %s %s", command.id, command.phase, command.state.name, command.reason or "")
    session().commit()
    _tidy(folder)
    return None


def _reason(command: Command, ended: Ended, outcome: RunOutcome) -> str | None:
    """Why the run did not end by itself: cancelled, timeout, lost; None if it did."""
    if ended.verdict.reason or outcome.succeeded:
        return ended.verdict.reason
    if command.cancel_requested:
        return "cancelled"
    run = session().get_one(Run, ended.run_id)
    if not outcome.finished and (utc_now() - run.started_at).total_seconds() >= command.timeout:
        return "timeout"
    folder = ended.folder
    if folder is None or not outcome.finished or lifeline_broke(folder) or _is_full(folder):
        return "lost"
    return None


def _is_full(folder: Path) -> bool:
    return folder.exists() and shutil.disk_usage(folder).free < _FULL


def _look_at_services(claim: Claim) -> Sequence[ServiceView] | None:
    """What the swarm shows of the deployment after a failure; None if it does not answer."""
    deployment_id = session().get_one(Command, claim.command_id).deployment_id
    session().rollback()
    try:
        with engine(context().settings.docker_host) as client:
            return read_services(client, deployment_id).get(deployment_id, ())
    except Unavailable as error:
        log.warning("the swarm was not looked at: %s", error.detail)
        return None


def _tidy(folder: Path | None) -> None:
    if folder:
        forget_secrets(folder)
