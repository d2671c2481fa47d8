"""Notebooks of the hub."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_login import login_required

from labyard.context import context, session
from labyard.errors import Conflict, NotFound, Unavailable
from labyard.hubs.servers import list_hub_servers, stop_hub_server
from labyard.security import require_person
from labyard.web_requests import commit_request, remote_address

from .blueprint import blueprint


@blueprint.get("/hub")
@login_required
def hub() -> Any:
    """The person's notebooks of the hub; an admin's are all."""
    settings, away = context().settings, ""
    try:
        servers = list_hub_servers(require_person(), settings)
    except Unavailable as error:
        servers, away = [], error.detail
    return render_template("hub.html", servers=servers, away=away, hub_url=settings.hub_url)


@blueprint.post("/hub/stop")
@login_required
def stop_hub_notebook() -> Any:
    """Have one stopped."""
    owner, name = request.form.get("owner", ""), request.form.get("name", "")
    try:
        stop_hub_server(
            session(), require_person(), context().settings, owner, name, address=remote_address()
        )
        commit_request()
    except (Conflict, NotFound, Unavailable) as error:
        session().rollback()
        flash(error.detail, "warning")
    return redirect(url_for("pages.hub"), 303)


@blueprint.app_context_processor
def _know_the_hub() -> dict[str, str]:
    return {"hub_url": context().settings.hub_url}
