"""From a form that was sent to a command, or back to the form with what is wrong with it."""

from __future__ import annotations

from typing import Any

from flask import redirect, url_for
from flask_wtf import FlaskForm

from labyard.commands.submit import CommandRequest, submit_command
from labyard.context import context, session
from labyard.errors import DomainError
from labyard.forms.phase_form import show_errors
from labyard.launch_guard import ask_budgets
from labyard.models import Command
from labyard.security import require_person
from labyard.web_requests import commit_request, remote_address


def issue_command(wanted: CommandRequest) -> Any:
    """Submit what the person wants and go to its live page; raises what `submit_command` raises."""
    limit = context().settings.deployment_limit
    command = submit_command(
        session(),
        require_person(),
        wanted,
        context().sealer,
        address=remote_address(),
        deployment_limit=limit,
        guard=ask_budgets,
    )
    return go_to(command)


def go_to(command: Command) -> Any:
    """End the request that wrote `command` and go to its live page."""
    page = url_for("pages.command", command_id=command.id)
    commit_request(command)
    return redirect(page, 303)


def take_back(error: DomainError, form: FlaskForm, about: FlaskForm | None = None) -> dict[str, str]:
    """Undo the request and put the messages of `error` at their fields of `form` and `about`.

    Returns the messages that belong to no field; at least one, if no field has any.
    """
    session().rollback()
    left = show_errors(form, error.errors)
    for name in list(left):
        if about is not None and name in about:
            field = about[name]
            field.errors = [*field.errors, left.pop(name)]
    return left if left or error.errors else {"": error.detail}
