"""Volumes that were kept when their deployments were removed."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_login import login_required

from labyard.context import session
from labyard.deployments.kept import delete_kept_volume, forget_kept_volume, list_kept_volumes
from labyard.errors import Conflict, NotFound
from labyard.security import require_person
from labyard.web_requests import commit_request, remote_address

from .blueprint import blueprint


@blueprint.get("/volumes")
@login_required
def volumes() -> Any:
    """The person's kept volumes; an admin's are all."""
    return render_template("volumes.html", volumes=list_kept_volumes(session(), require_person()))


@blueprint.route("/volumes/<name>/delete", methods=["GET", "POST"])
@login_required
def delete_volume(name: str) -> Any:
    """Ask once more, then let a worker delete the volume."""
    person = require_person()
    if request.method == "POST":
        try:
            delete_kept_volume(session(), person, name, address=remote_address())
            commit_request()
        except Conflict as error:
            session().rollback()
            flash(error.detail, "info")
        return redirect(url_for("pages.volumes"), 303)
    found = next((v for v in list_kept_volumes(session(), person) if v.name == name), None)
    if found is None:
        raise NotFound("You have no such volume.")
    return render_template("delete_volume.html", volume=found)


@blueprint.post("/volumes/<name>/forget")
@login_required
def forget_volume(name: str) -> Any:
    """List the volume no longer: it was deleted by hand."""
    forget_kept_volume(session(), require_person(), name, address=remote_address())
    commit_request()
    return redirect(url_for("pages.volumes"), 303)
