"""The live page of a command; stopping it, asking for it again."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import select

from labyard.accounts.scope import get_command
from labyard.catalog.plans import configuration_of
from labyard.commands.cancel import request_cancel
from labyard.commands.submit import CommandRequest
from labyard.context import session
from labyard.errors import Conflict, InvalidInput
from labyard.models import Command, Event
from labyard.security import require_person
from labyard.web_requests import commit_request, remote_address

from .blueprint import blueprint
from .issuing import issue_command

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
    """The same command once more; what no longer fits is shown in its form."""
    found = get_command(session(), require_person(), command_id)
    deployment_id, phase = found.deployment_id, found.phase
    known = {field.name for field in configuration_of(found.deployment.plan).phases[phase].fields}
    params = {name: value for name, value in found.params.items() if name in known}
    try:
        return issue_command(CommandRequest(phase, deployment=deployment_id, params=params))
    except (InvalidInput, Conflict) as error:
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
