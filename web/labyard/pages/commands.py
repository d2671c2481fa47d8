"""The live page of a command; stopping it, asking for it again."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import select

from labyard.accounts.scope import get_command
from labyard.commands.cancel import request_cancel
from labyard.commands.order import find_place
from labyard.commands.retry import persons_params, retry_command
from labyard.commands.submit import CommandRequest
from labyard.context import context, session
from labyard.errors import Conflict, InvalidInput, NotFound, Unavailable
from labyard.launch_guard import ask_budgets
from labyard.models import Command, Event
from labyard.security import require_person
from labyard.web_requests import commit_request, remote_address

from .blueprint import blueprint
from .issuing import go_to, issue_command

_LOG_EVENTS = 2000  # in a page for a browser without scripts


@blueprint.get("/commands/<command_id>")
@login_required
def command(command_id: str) -> Any:
    """How the command goes, step by step; scripts keep the page up to date."""
    person = require_person()
    found = get_command(session(), person, command_id)
    with_log = request.args.get("log") == "1"
    return render_template(
        "command.html",
        command=found,
        deployment=found.deployment,
        events=_events(found) if with_log else None,
        newest=_newest(found),
        place=find_place(session(), found, context().settings.command_limit),
        mine=found.deployment.owner_id == person.id,
    )


@blueprint.post("/commands/<command_id>/cancel")
@login_required
def cancel(command_id: str) -> Any:
    """Ask the worker to stop it."""
    try:
        request_cancel(session(), require_person(), command_id, remote_address())
        commit_request()
    except Conflict as error:  # it ended while the person reached for the button
        session().rollback()
        flash(error.detail, "info")
    return redirect(url_for("pages.command", command_id=command_id), 303)


@blueprint.post("/commands/<command_id>/retry")
@login_required
def retry(command_id: str) -> Any:
    """The same command once more, from the step that failed; what no longer fits is shown in its form."""
    person = require_person()
    found = get_command(session(), person, command_id)
    deployment_id, phase = found.deployment_id, found.phase
    try:
        return go_to(
            retry_command(
                session(),
                person,
                found.id,
                context().sealer,
                address=remote_address(),
                guard=ask_budgets,
            )
        )
    except (InvalidInput, Conflict, Unavailable) as error:
        session().rollback()
        flash(error.detail, "warning")
        return redirect(url_for("pages.phase", deployment_id=deployment_id, phase=phase), 303)


@blueprint.post("/commands/<command_id>/apply")
@login_required
def apply(command_id: str) -> Any:
    """Do what the command, run in check mode, has shown."""
    found = get_command(session(), require_person(), command_id)
    deployment_id, phase = found.deployment_id, found.phase
    if not found.check_only:
        raise NotFound("This command was no preview: there is nothing to apply.")
    try:
        return issue_command(CommandRequest(phase, deployment=deployment_id, params=persons_params(found)))
    except (InvalidInput, Conflict, Unavailable) as error:
        session().rollback()
        flash(error.detail, "warning")
        return redirect(url_for("pages.phase", deployment_id=deployment_id, phase=phase), 303)


def _events(found: Command) -> list[Event]:
    query = select(Event).where(Event.command_id == found.id).order_by(Event.id.desc()).limit(_LOG_EVENTS)
    return list(reversed(list(session().scalars(query))))


def _newest(found: Command) -> bool:
    """Whether no later command exists: only then does the present state tell what this one left."""
    query = select(Command.id).where(Command.deployment_id == found.deployment_id)
    return session().scalar(query.order_by(Command.created_at.desc()).limit(1)) == found.id
