"""Claim a command, start its run or take over the one it has, and write its end."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from labyard.clock import utc_now
from labyard.context import context, session
from labyard.deployments.outcome import fail_command, take_over
from labyard.errors import DomainError
from labyard.models import Command, Run
from labyard.models.base import begin_writing
from labyard.runs.claim import (
    LEASE,
    SILENCE,
    Claim,
    LeaseLost,
    claim_command,
    claim_next,
    hold_command,
    lease_clock,
    postpone_command,
)
from labyard.runs.folder import run_folder
from labyard.runs.guard import Held
from labyard.runs.process import RunProcess, end_leftovers, end_process, started_in, withdraw_job
from labyard.runs.supervise import Verdict, supervise_run

from .ending import Ended, end_run
from .place import guard, is_shared, this_host
from .start import CannotStart, Postponed, StartedRun, start_run
from .watcher import DatabaseWatcher

log = logging.getLogger(__name__)

_UNEXPECTED = (
    "Labyard itself made a mistake. Try again; an operator finds the cause in the worker's log under the "
    "command {command_id}."
)


def see_through_next(worker: str) -> bool:
    """Take the command that comes next and stay with it until it has ended; False if none waits."""
    try:
        begin_writing()
        limit = context().settings.command_limit
        claim = claim_next(session(), worker, this_host(), limit, lease_clock(session()))
        session().commit()
    except OperationalError as error:
        session().rollback()
        log.warning("no command was claimed: %s", error)
        return False
    if claim is not None:
        _carry_out(claim, worker)
    return claim is not None


def see_through(command_id: str, worker: str, silence: timedelta = LEASE) -> None:
    """Claim that command and stay with it until it has ended; nothing if another worker has it."""
    begin_writing()
    fence = claim_command(session(), command_id, worker, lease_clock(session()), silence)
    session().commit()
    if fence is not None:
        _carry_out(Claim(command_id, fence), worker)


def look_after(command_id: str, worker: str) -> None:
    """Take over a command with a run on this host of which nobody has said anything for a while."""
    see_through(command_id, worker, SILENCE)


@dataclass
class _Work:
    """One run of a command as this worker sees it."""

    claim: Claim
    held: Held | None = None  # once there is a process


def _carry_out(claim: Claim, worker: str) -> None:
    following: Claim | None = claim
    while following is not None:
        following = _carry_out_once(_Work(following), worker)


def _carry_out_once(work: _Work, worker: str) -> Claim | None:
    """See one run through; the claim for another one, if the command is to be run again at once."""
    command_id = work.claim.command_id
    try:
        return _run_or_say_why_not(work, worker)
    except LeaseLost:
        session().rollback()
        log.warning("command %s was taken over by another worker", command_id)
        _end_if_fenced_out(work)
    except OperationalError as error:
        # The database is away. The guard knows when the run must end; the sweep takes it up again.
        session().rollback()
        log.warning("command %s waits for the database: %s", command_id, error)
    return None


def _run_or_say_why_not(work: _Work, worker: str) -> Claim | None:
    claim = work.claim
    try:
        return _run(work, worker)
    except (LeaseLost, OperationalError):
        raise
    except Postponed as pause:
        session().rollback()
        _postpone(claim, pause)
    except CannotStart as refusal:
        session().rollback()
        _fail(claim, refusal.reason, str(refusal))
    except DomainError as error:
        session().rollback()
        _fail(claim, "not-started", error.detail)
    except Exception:
        # A fault of ours must not leave a command running for ever.
        session().rollback()
        log.exception("command %s met an unexpected error", claim.command_id)
        _fail(claim, "error", _UNEXPECTED.format(command_id=claim.command_id))
    return None


def _run(work: _Work, worker: str) -> Claim | None:
    """Start the command's run, or take over the one it has, watch it and write its end."""
    claim = work.claim
    command = hold_command(session(), claim.command_id, claim.fence)
    left = next((run for run in command.runs if run.ended_at is None), None)
    if left is not None and left.host not in ("", this_host()):
        log.warning("the run of command %s on %s is lost", claim.command_id, left.host)
        return end_run(Ended(claim, left.id, None, Verdict(None)), worker)
    if left is None and command.cancel_requested:
        session().commit()
        _fail(claim, "cancelled", "")
        return None
    started = start_run(claim) if left is None else _take_over(claim, left)
    verdict = _watch(work, started)
    return end_run(Ended(claim, started.id, started.folder, verdict), worker)


def _take_over(claim: Claim, left: Run) -> StartedRun:
    """The run that a silent worker has left; its process may have ended."""
    begin_writing()
    run = take_over(session(), claim.command_id, claim.fence, left.id)
    folder = Path(run.folder)
    if run.pid is None:
        withdraw_job(folder)  # what has not begun yet finds nothing to do
        process = started_in(folder)
        if process is not None:
            run.pid, run.pid_started = process.pid, process.started
    else:
        process = RunProcess(run.pid, run.pid_started or 0.0)
    started = StartedRun(run.id, folder, process, None)
    session().commit()
    return started


def _watch(work: _Work, started: StartedRun) -> Verdict:
    if started.process is None:
        return Verdict(None)
    command = session().get_one(Command, work.claim.command_id, populate_existing=True)
    run = session().get_one(Run, started.id)
    left_over = timedelta(seconds=command.timeout) - (utc_now() - run.started_at)
    session().commit()
    shared = is_shared()
    hold = guard.hold if shared else Held
    work.held = held = hold(started.process, started.folder)
    watcher = DatabaseWatcher(work.claim, held, shared)
    reap = started.child.poll if started.child is not None else lambda: None
    verdict = supervise_run(started.process, started.folder, left_over.total_seconds(), watcher, reap)
    if held.given_up:
        raise LeaseLost(work.claim.command_id)
    guard.release(held)
    return verdict


def _end_if_fenced_out(work: _Work) -> None:
    """End the run of a worker that lost its lease, unless a worker of this host watches it now."""
    held = work.held
    if held is None:
        return
    try:
        found = session().execute(
            select(Run.fence, Run.ended_at, Command.fence.label("last"))
            .join(Run.command)
            .where(Run.command_id == work.claim.command_id, Run.folder == str(held.folder))
        )
        run = found.one_or_none()
        session().rollback()
    except OperationalError as error:
        session().rollback()
        log.warning("who has command %s is not known: %s", work.claim.command_id, error)
        return  # the guard ends it in time
    if run is None or run.ended_at is not None or run.fence != run.last:
        end_process(held.process)
        end_leftovers(held.folder)
    guard.release(held)


def _postpone(claim: Claim, pause: Postponed) -> None:
    """Give the command back with the reason, to be taken again a little later."""
    log.warning("command %s waits: %s", claim.command_id, pause)
    begin_writing()
    hold_command(session(), claim.command_id, claim.fence).message = str(pause)
    session().flush()
    postpone_command(session(), claim, pause.seconds, lease_clock(session()))
    session().commit()


def _fail(claim: Claim, reason: str, message: str) -> None:
    """End the command without an outcome, and its process if it has one."""
    shutil.rmtree(run_folder(context().settings, claim.command_id, claim.fence), ignore_errors=True)
    begin_writing()
    command = hold_command(session(), claim.command_id, claim.fence)
    for run in command.runs:
        if run.ended_at is None and run.pid and run.host in ("", this_host()):
            end_process(RunProcess(run.pid, run.pid_started or 0.0))
    fail_command(session(), claim.command_id, claim.fence, reason, message)
    session().commit()
