"""What stands on the swarm or in the database alone, for admins to repair."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_login import login_required

from labyard.context import context, session
from labyard.deployments.orphans import ACTIONS, list_orphans, repair_orphan
from labyard.errors import Conflict, Forbidden, InvalidInput, NotFound
from labyard.models import User
from labyard.security import require_person
from labyard.web_requests import commit_request, remote_address

from .blueprint import blueprint
from .issuing import go_to

# What each choice is called, and what it does.
WORDS = {
    "remove": ("Remove", "It is taken from the swarm within a minute. Volumes stay."),
    "forget": ("Ignore", "It stays as it is, and is listed no more."),
    "reinstall": ("Install again", "Its install command runs with the parameters it has."),
    "mark_removed": ("Mark as removed", "The deployment counts as removed. Its volumes are listed as kept."),
}


@blueprint.get("/orphans")
@login_required
def orphans() -> Any:
    """All orphans, with what can be done about each."""
    _require_admin()
    return render_template("orphans.html", orphans=list_orphans(session()), actions=ACTIONS, words=WORDS)


@blueprint.post("/orphans/<int:orphan_id>")
@login_required
def repair(orphan_id: int) -> Any:
    """Carry out the choice; a reinstall goes on to the page of its command."""
    admin, action = _require_admin(), request.form.get("action", "")
    try:
        command = repair_orphan(
            session(), admin, orphan_id, action, context().sealer, address=remote_address()
        )
    except (Conflict, InvalidInput, NotFound) as error:  # it was repaired, or has changed meanwhile
        session().rollback()
        words = "; ".join(error.errors.values())
        flash(f"{error.detail} {words}".strip(), "warning")
        return redirect(url_for("pages.orphans"), 303)
    if command is not None:
        return go_to(command)
    commit_request()
    return redirect(url_for("pages.orphans"), 303)


def _require_admin() -> User:
    person = require_person()
    if not person.is_admin:
        raise Forbidden("Only an admin can see and repair orphans.")
    return person
