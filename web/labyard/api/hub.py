"""Notebooks of the hub."""

from __future__ import annotations

from typing import Any

from flask import Response

from labyard.context import context, session
from labyard.hubs.client import HubServer
from labyard.hubs.servers import list_hub_servers, stop_hub_server
from labyard.security import require_person
from labyard.views import show_time
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .answers import answer, no_content
from .schemas.hub import HubServerOut
from .schemas.lists import list_of


@blueprint.get("/hub/servers")
@blueprint.output(list_of(HubServerOut))
@blueprint.doc(summary="Your notebooks of the hub, in one page; an admin's are all", security="key")
def list_servers() -> Response:
    found = list_hub_servers(require_person(), context().settings)
    return answer({"items": [show_server(server) for server in found], "next": None})


@blueprint.delete("/hub/servers/<owner>")
@blueprint.output({}, status_code=204)
@blueprint.doc(summary="Stop a person's first notebook of the hub; its files stay", security="key")
def stop_first_server(owner: str) -> Response:
    return _stop(owner, "")


@blueprint.delete("/hub/servers/<owner>/<name>")
@blueprint.output({}, status_code=204)
@blueprint.doc(summary="Stop another notebook of the hub, by its name; its files stay", security="key")
def stop_named_server(owner: str, name: str) -> Response:
    return _stop(owner, name)


def _stop(owner: str, name: str) -> Response:
    settings = context().settings
    stop_hub_server(session(), require_person(), settings, owner, name, address=remote_address())
    commit_request()
    return no_content()


def show_server(server: HubServer) -> dict[str, Any]:
    """A notebook of the hub as a document."""
    return {
        "owner": server.owner,
        "name": server.name,
        "state": server.state,
        "plan": server.plan,
        "started_at": show_time(server.started_at),
        "last_activity_at": show_time(server.last_activity_at),
        "url": server.url,
    }
