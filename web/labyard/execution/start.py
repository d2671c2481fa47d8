"""From a claimed command to a run that goes on."""

from __future__ import annotations

import errno
import logging
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from ansible_collections.labyard.platform.plugins.module_utils._request.resources import Needs, read_needs
from labyard.catalog.plans import configuration_of, spec_of
from labyard.catalog.removal import goes_by_name
from labyard.catalog.sources import fetch_configuration
from labyard.clock import utc_now
from labyard.commands.preflight import NEEDS_ROOM
from labyard.context import context, session
from labyard.deployments.nodes import find_lack
from labyard.deployments.outcome import begin_command
from labyard.deployments.swarm import engine
from labyard.errors import NotFound, Unavailable
from labyard.models import Command, Run
from labyard.models.base import begin_writing
from labyard.runs.claim import Claim, hold_command
from labyard.runs.folder import play_environment, prepare_folder, prepare_removal, run_folder
from labyard.runs.inventory import operator_values
from labyard.runs.process import RunProcess, end_process, start_process

from .place import is_shared, this_host
from .watcher import prolong

log = logging.getLogger(__name__)

# Faults of the machine that pass: no room on the disk or in the quota, no memory, no process or file left.
_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE}
_LONGEST_WAIT = 15.0  # seconds until a postponed command is tried again


class CannotStart(Exception):
    """The run cannot be started; `reason` is for programs, the text for people."""

    def __init__(self, reason: str, text: str):
        super().__init__(text)
        self.reason = reason


class Postponed(Exception):
    """The run cannot be started now; it is tried again after `seconds`. The text says why it waits."""

    seconds = _LONGEST_WAIT


@dataclass
class StartedRun:
    """A run that goes on, as its worker holds it."""

    id: int
    folder: Path
    process: RunProcess | None  # None: it never began
    child: subprocess.Popen[bytes] | None  # None: not a child of this process


def start_run(claim: Claim) -> StartedRun:
    """Prepare and start a run of the claimed command.

    Raises CannotStart, Postponed, LeaseLost, OperationalError. Nothing goes on after an exception.
    """
    command = hold_command(session(), claim.command_id, claim.fence)
    folder = run_folder(context().settings, claim.command_id, claim.fence)
    try:
        commit = _prepare(folder, command)
    except OSError as error:
        raise _explain(error) from error
    try:
        begin_writing()
        command = begin_command(session(), claim.command_id, claim.fence, str(folder), this_host())
        command.source_commit = commit or command.source_commit
        run_id = command.runs[-1].id
        session().commit()
    except OperationalError:
        shutil.rmtree(folder, ignore_errors=True)  # nobody would find it, and it holds secrets
        raise
    # The row is there before the process: whoever takes over finds what was started.
    if is_shared():
        prolong(folder)
    try:
        process, child = start_process(folder, play_environment(context().settings, folder))
    except OSError as error:
        _never_began(claim, run_id, folder)
        raise _explain(error) from error
    try:
        begin_writing()
        hold_command(session(), claim.command_id, claim.fence)
        run = session().get_one(Run, run_id)
        run.pid, run.pid_started = process.pid, process.started
        session().commit()
    except BaseException:
        # Nobody else knows of this process yet; it must not go on unseen.
        end_process(process)
        raise
    return StartedRun(run_id, folder, process, child)


def _never_began(claim: Claim, run_id: int, folder: Path) -> None:
    """Write that the run has no process and will have none: the next try is one of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    begin_writing()
    hold_command(session(), claim.command_id, claim.fence)
    run = session().get_one(Run, run_id)
    run.ended_at, run.status = utc_now(), "not-started"
    session().commit()


def _prepare(folder: Path, command: Command) -> str:
    """Everything that a run needs before it starts; the commit of a fetched configuration, or ""."""
    settings = context().settings
    deployment, plan = command.deployment, command.deployment.plan
    if goes_by_name(plan, command.phase, command.issuer):
        prepare_removal(folder, command, settings)
        session().commit()
        return ""
    sealed = deployment.sealed_secrets
    secrets = context().sealer.open(sealed) if sealed else {}
    needs, last = _needs_of(command), _last_commit(command)
    spec = spec_of(plan)
    prepare_folder(folder, command, asdict(spec), secrets, settings, command.steps_done)
    # git and the engine may take their time: no transaction is open meanwhile.
    deployment_id = deployment.id
    session().commit()
    fetched = fetch_configuration(spec, folder, settings, last)
    if needs is not None:
        _check_room(deployment_id, needs)
    return fetched.commit


def _needs_of(command: Command) -> Needs | None:
    """What the command will take of the swarm, or None if it starts nothing or nobody says what."""
    if command.phase not in NEEDS_ROOM or command.check_only:
        return None
    try:
        configuration = configuration_of(command.deployment.plan)
    except NotFound:
        return None
    by_operator = operator_values(configuration, context().settings)
    return read_needs(configuration, {**by_operator, **command.deployment.params, **command.params})


def _check_room(deployment_id: str, needs: Needs) -> None:
    try:
        with engine(context().settings.docker_host) as client:
            lack = find_lack(client, deployment_id, needs)
    except Unavailable as error:
        log.warning("the preflight is left out: %s", error.detail)  # the role meets the engine and says so
        return
    if lack:
        raise CannotStart("no-capacity", lack)


def _last_commit(command: Command) -> str:
    """The commit that the deployment was run with last."""
    if not command.deployment.plan.source:
        return ""
    query = select(Command.source_commit).where(Command.deployment_id == command.deployment_id)
    query = query.where(Command.source_commit != "").order_by(Command.created_at.desc())
    return session().scalar(query.limit(1)) or ""


def _explain(error: OSError) -> Exception:
    text = f"The run could not be started: {error.strerror or error}."
    if error.errno in _PASSING:
        return Postponed(f"{text} It is tried again every {_LONGEST_WAIT:.0f} s until that has passed.")
    return CannotStart("not-started", text)
