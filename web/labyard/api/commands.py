"""Commands: issue, look at, follow, cancel."""

from __future__ import annotations

from typing import Any

from flask import Response, request, stream_with_context, url_for
from sqlalchemy import select

from labyard.accounts.scope import commands_of, get_command
from labyard.commands.cancel import request_cancel
from labyard.commands.submit import CommandRequest, submit_command
from labyard.context import context, session
from labyard.models import Command, Event
from labyard.security import require_person
from labyard.views import show_command, show_event, show_task
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .schemas import CommandIn, CommandOut, CommandQuery, EventQuery, TaskOut, list_of
from .stream import follow_command


@blueprint.post("/commands")
@blueprint.input(CommandIn, arg_name="document")
@blueprint.output(CommandOut, status_code=202)
@blueprint.doc(summary="Ask for a phase; follow it at `Location`", security="key")
def issue_command(document: dict[str, Any]) -> Any:
    person = require_person()
    wanted = CommandRequest(**document)
    command = submit_command(session(), person, wanted, context().sealer, address=remote_address())
    shown = show_command(command)
    commit_request(command)
    return shown, 202, {"Location": url_for("api.show_one_command", command_id=shown["id"])}


@blueprint.get("/commands")
@blueprint.input(CommandQuery, location="query", arg_name="query")
@blueprint.output(list_of(CommandOut))
@blueprint.doc(summary="Commands, newest first", security="key")
def list_commands(query: dict[str, Any]) -> dict[str, Any]:
    found = commands_of(require_person())
    filters = {"deployment": Command.deployment_id, "state": Command.state, "phase": Command.phase}
    for name, column in filters.items():
        if name in query:
            found = found.where(column == query[name])
    found = found.order_by(Command.created_at.desc()).limit(query["limit"]).offset(query["offset"])
    return {"items": [show_command(command) for command in session().scalars(found)]}


@blueprint.get("/commands/<command_id>")
@blueprint.output(CommandOut)
@blueprint.doc(summary="One command", security="key")
def show_one_command(command_id: str) -> dict[str, Any]:
    return show_command(get_command(session(), require_person(), command_id))


@blueprint.get("/commands/<command_id>/tasks")
@blueprint.output(list_of(TaskOut))
@blueprint.doc(summary="The steps of a command", security="key")
def list_tasks(command_id: str) -> dict[str, Any]:
    command = get_command(session(), require_person(), command_id)
    return {"items": [show_task(task) for task in command.tasks]}


@blueprint.get("/commands/<command_id>/events")
@blueprint.input(EventQuery, location="query", arg_name="query")
@blueprint.doc(
    summary="What a command says: a stream (text/event-stream), or a list where JSON is asked for",
    security="key",
)
def list_events(command_id: str, query: dict[str, Any]) -> Any:
    command = get_command(session(), require_person(), command_id)
    if request.accept_mimetypes.best_match(("text/event-stream", "application/json")) == "application/json":
        found = select(Event).where(Event.command_id == command.id, Event.id > query["after"])
        found = found.order_by(Event.id).limit(query["limit"])
        return {"items": [show_event(event) for event in session().scalars(found)]}
    last = request.headers.get("Last-Event-ID", "")
    after = int(last) if last.isdigit() else query["after"]
    stream = stream_with_context(follow_command(command.id, after))
    return Response(stream, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})


@blueprint.post("/commands/<command_id>/cancel")
@blueprint.output(CommandOut, status_code=202)
@blueprint.doc(summary="Stop a command", security="key")
def cancel_command(command_id: str) -> Any:
    command = request_cancel(session(), require_person(), command_id, remote_address())
    shown = show_command(command)
    commit_request()
    return shown
