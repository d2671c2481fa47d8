"""Deployments: the list, one of them, the way in, its logs."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from flask import redirect, render_template, request
from flask_login import login_required
from sqlalchemy import select

from ansible_collections.labyard.platform.plugins.module_utils._request.spec import Configuration
from labyard.accounts.scope import get_deployment
from labyard.catalog.removal import configuration_for
from labyard.commands.submit import running_command
from labyard.context import context, session
from labyard.deployments.access import open_access
from labyard.deployments.swarm import engine, read_logs
from labyard.errors import NotFound, Unavailable
from labyard.models import Command, Deployment, Health, State, User
from labyard.security import require_person

from .actions import list_actions
from .blueprint import blueprint
from .listing import owners, plans_in_use, read_filters, read_page
from .words import show_params

_HISTORY = 50  # commands on the page of a deployment
_LOG_LINES = (200, 1000, 5000)  # that may be asked for, of each service


@blueprint.get("/deployments")
@login_required
def deployments() -> Any:
    """The list, searched and filtered."""
    person = require_person()
    filters = read_filters(request.args, person)
    page = read_page(session(), person, filters, request.args.get("page", "1"))
    return render_template(
        "deployments.html",
        filters=filters,
        page=page,
        plans=plans_in_use(session(), person),
        owners=owners(session(), person) if person.is_admin else [],
        states=list(State),
        healths=list(Health),
    )


@blueprint.get("/deployments/<deployment_id>")
@login_required
def deployment(deployment_id: str) -> Any:
    """Everything about one deployment, and what can be done with it now."""
    person = require_person()
    found = get_deployment(session(), person, deployment_id)
    usable = _configuration(found, person)
    configuration = usable if usable and usable.role else None
    running = running_command(session(), found)
    history = select(Command).where(Command.deployment_id == found.id).order_by(Command.created_at.desc())
    return render_template(
        "deployment.html",
        deployment=found,
        running=running,
        actions=list_actions(usable, found, running is not None) if usable else [],
        params=show_params(configuration, found) if configuration else [],
        history=list(session().scalars(history.limit(_HISTORY))),
        mine=found.owner_id == person.id,
        configuration=configuration,
    )


@blueprint.get("/deployments/<deployment_id>/open")
@login_required
def open_endpoint(deployment_id: str) -> Any:
    """Send the owner to the deployment, with the secret that lets them in."""
    person = require_person()
    found = get_deployment(session(), person, deployment_id)
    return redirect(open_access(person, found, context().sealer).address)


@blueprint.get("/deployments/<deployment_id>/logs")
@login_required
def deployment_logs(deployment_id: str) -> Any:
    """The last lines that the services of a deployment wrote."""
    found = get_deployment(session(), require_person(), deployment_id)
    wanted = request.args.get("lines", type=int)
    lines = wanted if wanted in _LOG_LINES else _LOG_LINES[0]
    services, refused, status = [], "", 200
    try:
        with engine(context().settings.docker_host) as client:
            entries = read_logs(client, found.id, lines)
        services = [
            (name, [e["line"] for e in part]) for name, part in groupby(entries, lambda e: e["service"])
        ]
    except Unavailable as error:
        refused, status = error.detail, error.status
    return render_template(
        "logs.html", deployment=found, services=services, lines=lines, choices=_LOG_LINES, refused=refused
    ), status


def _configuration(found: Deployment, person: User) -> Configuration | None:
    """The configuration behind the deployment; if its role is gone, the removal for admins, else None."""
    try:
        return configuration_for(found.plan, "remove", person)
    except NotFound:
        return None
