"""The door in the console: who is signed in here gets a ticket to a deployment's own address."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Response, redirect, render_template, request
from flask_login import login_required

from labyard.accounts.audit import record_action
from labyard.context import context, session
from labyard.errors import InvalidInput, NotFound, Unavailable
from labyard.models import Deployment, User
from labyard.security import content_policy, require_person
from labyard.web_requests import commit_request, remote_address

from .blueprint import blueprint
from .passes import Pass, Signer, Ticket
from .ways import find_deployment, find_way

_LONGEST_PATH = 2000


@blueprint.get("/enter")
@login_required
def enter() -> Any:
    """Send the owner on; ask an admin first whether they mean to enter what is somebody else's."""
    person = require_person()
    found = find_deployment(session(), person, request.args.get("deployment", ""))
    if not context().settings.edge_domain:
        raise NotFound("This console has no ingress.")
    try:
        find_way(found, context().sealer)
    except Unavailable as error:
        return render_template("edge_stopped.html", deployment=found, words=error.detail), error.status
    if found.owner_id == person.id:
        return _send_on(person, found)
    page = Response(render_template("edge_enter.html", deployment=found), mimetype="text/html")
    return _allow_leaving(page, found)


@blueprint.post("/enter")
@login_required
def enter_as_admin() -> Any:
    """Send an admin on to what is somebody else's, and write it down."""
    person = require_person()
    found = find_deployment(session(), person, request.args.get("deployment", ""))
    find_way(found, context().sealer)
    record_action(
        session(),
        person.username,
        "deployment entered",
        remote_address(),
        deployment=found.id,
        name=found.name,
        owner=found.owner.username,
    )
    commit_request()
    return _send_on(person, found)


def _send_on(person: User, deployment: Deployment) -> Any:
    knock, path = request.args.get("knock", ""), request.args.get("path", "/")
    if not path.startswith("/") or path.startswith(("//", "/\\")) or not path.isprintable():
        raise InvalidInput("The address to go to is none of that deployment.")
    if len(path) > _LONGEST_PATH:
        path = "/"
    ticket = Ticket(Pass(deployment.id, person.id, person.session_epoch), knock, path)
    signed = Signer(context().settings.key()).sign_ticket(ticket)
    query = urlencode({"ticket": signed})
    answer = redirect(f"{context().settings.edge_origin(deployment.id)}/_labyard/enter?{query}", 303)
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


def _allow_leaving(page: Response, deployment: Deployment) -> Response:
    """The form's answer leads to another origin, which browsers allow only where the page says so."""
    there = context().settings.edge_origin(deployment.id)
    page.headers["Content-Security-Policy"] = content_policy(f"form-action 'self' {there}")
    return page
