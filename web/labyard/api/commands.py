"""Commands: issue, look at, follow, cancel, retry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, request, stream_with_context, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, lazyload, load_only, selectinload
from sqlalchemy.orm.attributes import set_committed_value

from labyard.accounts.scope import get_command, get_deployment
from labyard.commands.cancel import request_cancel
from labyard.commands.retry import retry_command
from labyard.commands.submit import CommandRequest, submit_command
from labyard.context import context, session
from labyard.errors import DomainError, InvalidInput
from labyard.launch_guard import ask_budgets
from labyard.models import Command, Deployment, Event, Plan, Project, Run, State, User
from labyard.security import describe_problem, require_person
from labyard.views import show_command, show_commands, show_event, show_task
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .answers import answer, check_match
from .paging import answer_page, whole_list
from .schemas.commands import (
    COMMAND_FILTERS,
    BulkIn,
    BulkOut,
    CommandIn,
    CommandOut,
    EventListOut,
    EventQuery,
    TaskOut,
)
from .schemas.lists import list_of, query_of
from .selections import COMMANDS, select_commands
from .stream import follow_command, last_event_id, streamed

_TASK_FIELDS = {"tasks", "progress"}
# Of the rows beside a command a page reads only what it shows.
_SHOWN = (
    selectinload(Command.runs).load_only(Run.id),
    joinedload(Command.issuer).load_only(User.username),
    joinedload(Command.deployment).options(
        load_only(Deployment.name, Deployment.state, Deployment.health, Deployment.endpoints),
        joinedload(Deployment.plan).load_only(Plan.name),
        lazyload(Deployment.owner),
        lazyload(Deployment.project),
    ),
)
# An example for the documentation.
_INSTALL = {"plan": "notebook", "phase": "install", "name": "demo", "params": {"cpu_limit": 0.5}}


@blueprint.post("/commands")
@blueprint.input(CommandIn, arg_name="document", example=_INSTALL)
@blueprint.output(CommandOut, status_code=202)
@blueprint.doc(
    summary="Ask for a phase; follow it at `Location`", security="key", extensions={"x-location": True}
)
def issue_command(document: dict[str, Any]) -> Response:
    person = require_person()
    if request.headers.get("If-Match") is not None:
        check_match(_version_meant(session(), person, document))
    return accept_command(_submit(person, document))


@blueprint.post("/commands/bulk")
@blueprint.input(BulkIn, arg_name="document", example={"commands": [_INSTALL]})
@blueprint.output(BulkOut)
@blueprint.doc(summary="Ask for up to 100 phases, each with its own result", security="key")
def issue_commands(document: dict[str, Any]) -> Response:
    person = require_person()
    results: list[Command | DomainError] = []
    for wanted in document["commands"]:
        try:
            with session().begin_nested():
                results.append(_submit(person, _check_command(wanted)))
        except DomainError as error:
            results.append(error)
    commit_request(*(r for r in results if isinstance(r, Command)))
    return answer({"items": [_show_result(result) for result in results]})


@blueprint.get("/commands")
@blueprint.input(query_of(COMMANDS, CommandOut, COMMAND_FILTERS), location="query", arg_name="query")
@blueprint.output(list_of(CommandOut))
@blueprint.doc(summary="Commands on your deployments (an admin's: on all), newest first", security="key")
def list_commands(query: dict[str, Any]) -> Response:
    found = select_commands(require_person(), query).options(*_SHOWN)
    if query.get("fields") and not _TASK_FIELDS & set(query["fields"]):
        return answer_page(found, COMMANDS, query, _show_without_tasks)
    return answer_page(found.options(selectinload(Command.tasks)), COMMANDS, query, show_commands)


@blueprint.get("/commands/<string(length=12):command_id>")
@blueprint.output(CommandOut)
@blueprint.doc(summary="One command", security="key")
def show_one_command(command_id: str) -> Response:
    return answer(show_command(get_command(session(), require_person(), command_id)))


@blueprint.get("/commands/<string(length=12):command_id>/tasks")
@blueprint.output(list_of(TaskOut))
@blueprint.doc(summary="The steps of a command", security="key")
def list_tasks(command_id: str) -> Response:
    command = get_command(session(), require_person(), command_id)
    return whole_list([show_task(task) for task in command.tasks])


@blueprint.get("/commands/<string(length=12):command_id>/events")
@blueprint.input(EventQuery, location="query", arg_name="query")
@blueprint.output(EventListOut)
@blueprint.doc(
    summary="What a command says: a stream (text/event-stream), or a list where JSON is asked for",
    security="key",
    extensions={"x-stream": True},
)
def list_events(command_id: str, query: dict[str, Any]) -> Response:
    command = get_command(session(), require_person(), command_id)
    if request.accept_mimetypes.best_match(("text/event-stream", "application/json")) == "application/json":
        found = select(Event).where(Event.command_id == command.id, Event.id > query["after"])
        found = found.order_by(Event.id).limit(query["limit"])
        return answer({"items": [show_event(event) for event in session().scalars(found)]})
    after = last_event_id(query["after"])
    return streamed(stream_with_context(follow_command(command.id, after)))


@blueprint.post("/commands/<string(length=12):command_id>/cancel")
@blueprint.output(CommandOut, status_code=202)
@blueprint.doc(summary="Stop a command", security="key")
def cancel_command(command_id: str) -> Response:
    command = request_cancel(session(), require_person(), command_id, remote_address())
    commit_request()
    return answer(show_command(command), 202)


@blueprint.post("/commands/<string(length=12):command_id>/retry")
@blueprint.output(CommandOut, status_code=202)
@blueprint.doc(
    summary="Ask for a failed command again; follow the new one at `Location`",
    security="key",
    extensions={"x-location": True},
)
def retry_failed_command(command_id: str) -> Response:
    settings, sealer = context().settings, context().sealer
    return accept_command(
        retry_command(
            session(),
            require_person(),
            command_id,
            sealer,
            address=remote_address(),
            deployment_limit=settings.deployment_limit,
            guard=ask_budgets,
        )
    )


def accept_command(command: Command) -> Response:
    """202 with `command` and where to follow it; the workers are told of it."""
    commit_request(command)
    place = url_for("api.show_one_command", command_id=command.id)
    return answer(show_command(command), 202, {"Location": place})


def _show_without_tasks(commands: Sequence[Command]) -> list[dict[str, Any]]:
    """Commands for a page that does not show their steps: these are not read."""
    for command in commands:
        set_committed_value(command, "tasks", [])
    return show_commands(commands)


def _submit(person: User, document: Mapping[str, Any]) -> Command:
    return submit_command(
        session(),
        person,
        CommandRequest(**document),
        context().sealer,
        address=remote_address(),
        deployment_limit=context().settings.deployment_limit,
        guard=ask_budgets,
    )


def _check_command(wanted: Any) -> dict[str, Any]:
    errors = CommandIn().validate(wanted)
    if errors:
        texts = {name: " ".join(map(str, found)) for name, found in errors.items()}
        raise InvalidInput("The command's fields are not right.", texts)
    document: dict[str, Any] = CommandIn().load(wanted)
    return document


def _show_result(result: Command | DomainError) -> dict[str, Any]:
    if isinstance(result, Command):
        return {"status": 202, "command": show_command(result)}
    return {"status": result.status, "problem": describe_problem(result)}


def _version_meant(session: Session, person: User, document: Mapping[str, Any]) -> int | None:
    """The version of the deployment that a command is for; None if it is for a new one."""
    if document.get("deployment"):
        return get_deployment(session, person, document["deployment"]).version
    owner = (document.get("owner") if person.is_admin else None) or person.username
    found = select(Deployment.version).join(Plan).join(Project).join(Deployment.owner)
    found = found.where(User.username == owner)
    found = found.where(Plan.name == document.get("plan"), Deployment.name == document.get("name"))
    if document.get("project"):
        found = found.where(Project.name == document["project"])
    return session.scalar(found.where(Deployment.state != State.REMOVED))
