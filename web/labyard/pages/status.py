"""The page that says how the platform does: all of it to admins, to others what concerns them."""

from __future__ import annotations

from flask import render_template
from flask_login import login_required

from labyard.context import context, session
from labyard.security import require_person
from labyard.status import Thresholds, read_own_status, read_status

from .blueprint import blueprint


@blueprint.get("/status")
@login_required
def status() -> str:
    """How the platform does."""
    person, settings = require_person(), context().settings
    if not person.is_admin:
        return render_template("status_own.html", status=read_own_status(session(), person, settings))
    return render_template("status.html", status=read_status(session(), settings), thresholds=Thresholds())
