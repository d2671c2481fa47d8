"""The end of a request that changed something."""

from __future__ import annotations

from flask import g, request

from .context import context, session
from .models import Command


def commit_request(*commands: Command) -> None:
    """Commit the request's transaction, then tell the workers about `commands`.

    In that order: a worker must find the row when it looks.
    """
    ids = [command.id for command in commands]
    session().commit()
    for command_id in ids:
        context().notify(command_id)


def remote_address() -> str:
    """From where the request came, for the audit trail."""
    return request.remote_addr or ""


def request_id() -> str:
    """The id under which the log has this request."""
    return str(g.get("request_id", ""))
