"""The end of a request that changed something."""

from __future__ import annotations

from flask import Response, g, request

from .context import context, session
from .launch_guard import require_looked
from .models import Command


def commit_request(*commands: Command) -> None:
    """Let the request's transaction be kept, and the workers be told about `commands`.

    Everything is written now, so that a rule of the database speaks up here. The commit comes when
    the answer is made: what is answered under an Idempotency-Key is kept in the same transaction.
    Raises LookFirst if the request launches something and money was not added up for its budgets yet.
    """
    require_looked()
    session().flush()
    g.keep = True
    g.notify.extend(command.id for command in commands)


def undo_request() -> None:
    """Let nothing of the request's transaction be kept."""
    session().rollback()
    g.keep = False
    g.notify = []


def end_request(response: Response) -> Response:
    """Commit what is to be kept, then tell the workers. In that order: a worker must find the row."""
    if g.pop("keep", False):
        session().commit()
        for command_id in g.notify:
            context().notify(command_id)
    return response


def remote_address() -> str:
    """From where the request came, for the audit trail."""
    return request.remote_addr or ""


def request_id() -> str:
    """The id under which the log has this request."""
    return str(g.get("request_id", ""))
