"""One command from its claim to its end: the place where runs, artifacts and deployments meet."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy.exc import OperationalError

from .artifacts.outcome import read_outcome
from .catalog.plans import spec_of
from .clock import utc_now
from .context import context, session
from .deployments.outcome import begin_command, fail_command, record_outcome
from .deployments.progress import take_events
from .models import Command, Run
from .models.base import begin_writing
from .runs.claim import LeaseLost, claim_command, hold_command, renew_lease
from .runs.folder import artifacts_of, forget_secrets, play_environment, prepare_folder, run_folder
from .runs.process import RunProcess, end_leftovers, end_process, start_process
from .runs.supervise import Verdict, supervise_run

log = logging.getLogger(__name__)

_UNEXPECTED = (
    "Labyard itself made a mistake. Try again; an operator finds the cause in the worker's log under the "
    "command {command_id}."
)


def see_through(command_id: str, worker: str) -> None:
    """Claim the command and stay with it until it has ended; nothing if another worker has it."""
    begin_writing()
    fence = claim_command(session(), command_id, worker)
    session().commit()
    if fence is None:
        return
    if _cancelled_in_the_queue(command_id):
        _fail(command_id, fence, "cancelled", "")
        return
    try:
        folder, verdict = _watch(command_id, fence)
        _record(command_id, fence, folder, verdict)
    except LeaseLost:
        session().rollback()
        log.warning("command %s was taken over by another worker", command_id)
    except OperationalError as error:
        # The database is away. The lease runs out and the command is sent again; its run goes on.
        session().rollback()
        log.warning("command %s waits for the database: %s", command_id, error)
    except OSError as error:
        # The run could not be prepared or started: no disk, no permission, no Python.
        session().rollback()
        _fail(command_id, fence, "not-started", f"The run could not be started: {error.strerror or error}.")
    except Exception:
        # A fault of ours must not leave a command running for ever.
        session().rollback()
        log.exception("command %s met an unexpected error", command_id)
        _fail(command_id, fence, "error", _UNEXPECTED.format(command_id=command_id))


@dataclass
class _DatabaseWatcher:
    """Writes what a run says into the database while it goes on."""

    command_id: str
    fence: int

    def take_events(self, folder: Path) -> None:
        try:
            begin_writing()
            take_events(session(), self.command_id, self.fence, artifacts_of(folder))
            session().commit()
        except OperationalError as error:
            # The database is away: the files keep, the next look takes them.
            session().rollback()
            log.warning("events of command %s wait: %s", self.command_id, error)

    def beat(self) -> bool:
        try:
            begin_writing()
            renew_lease(session(), self.command_id, self.fence)
            cancel = session().get_one(Command, self.command_id, populate_existing=True).cancel_requested
            session().commit()
        except OperationalError as error:
            session().rollback()
            log.warning("the lease of command %s was not renewed: %s", self.command_id, error)
            return False
        return cancel


def _watch(command_id: str, fence: int) -> tuple[Path, Verdict]:
    """Start the command's run, or take over the one that a dead worker has left, and watch it."""
    begin_writing()
    command = hold_command(session(), command_id, fence)
    left = command.runs[-1] if command.runs else None
    if left is not None:
        folder, process, child = _take_over(left, fence), _process_of(left), None
    else:
        folder = run_folder(context().settings, command_id, fence)
        command = begin_command(session(), command_id, fence, str(folder))
        secrets = _secrets_of(command)
        prepare_folder(folder, command, asdict(spec_of(command.deployment.plan)), secrets, context().settings)
        process, child = start_process(folder, play_environment(context().settings))
        command.runs[-1].pid, command.runs[-1].pid_started = process.pid, process.started
    since = command.started_at or utc_now()
    left_over = timedelta(seconds=command.timeout) - (utc_now() - since)
    session().commit()
    if process is None:
        return folder, Verdict(None)
    watcher = _DatabaseWatcher(command_id, fence)
    reap = child.poll if child is not None else lambda: None
    return folder, supervise_run(process, folder, left_over.total_seconds(), watcher, reap)


def _cancelled_in_the_queue(command_id: str) -> bool:
    command = session().get_one(Command, command_id)
    return command.cancel_requested and not command.runs


def _take_over(run: Run, fence: int) -> Path:
    run.fence = fence
    return Path(run.folder)


def _process_of(run: Run) -> RunProcess | None:
    return RunProcess(run.pid, run.pid_started) if run.pid and run.pid_started else None


def _secrets_of(command: Command) -> dict[str, str]:
    sealed = command.deployment.sealed_secrets
    return context().sealer.open(sealed) if sealed else {}


def _record(command_id: str, fence: int, folder: Path, verdict: Verdict) -> None:
    outcome = read_outcome(artifacts_of(folder))
    if not outcome.finished:
        end_leftovers(folder)
    begin_writing()
    take_events(session(), command_id, fence, artifacts_of(folder))
    command = record_outcome(session(), command_id, fence, outcome, verdict.reason)
    log.info("command %s (%s): %s %s", command_id, command.phase, command.state.name, command.reason or "")
    session().commit()
    forget_secrets(folder)


def _fail(command_id: str, fence: int, reason: str, message: str) -> None:
    """End the command without an outcome, and its process if it has one."""
    begin_writing()
    command = hold_command(session(), command_id, fence)
    process = _process_of(command.runs[-1]) if command.runs else None
    if process is not None:
        end_process(process)
    fail_command(session(), command_id, fence, reason, message)
    session().commit()
