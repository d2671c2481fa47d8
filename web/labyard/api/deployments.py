"""Deployments."""

from __future__ import annotations

from typing import Any

from flask import Response, request, stream_with_context

from labyard.accounts.audit import record_action
from labyard.accounts.scope import get_deployment
from labyard.commands.submit import CommandRequest, submit_command
from labyard.context import context, session
from labyard.deployments.access import open_access
from labyard.deployments.swarm import engine, read_logs
from labyard.security import require_person
from labyard.views import show_deployment
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .answers import answer, check_match, tagged_answer
from .commands import accept_command
from .paging import answer_page, whole_list
from .schemas.commands import CommandOut
from .schemas.deployments import (
    DEPLOYMENT_FILTERS,
    AccessOut,
    DeploymentOut,
    LogLine,
    LogQuery,
    RemoveQuery,
)
from .schemas.lists import list_of, query_of
from .selections import DEPLOYMENTS, select_deployments
from .stream import follow_deployments, read_moment, streamed


@blueprint.get("/deployments")
@blueprint.input(query_of(DEPLOYMENTS, DeploymentOut, DEPLOYMENT_FILTERS), location="query", arg_name="query")
@blueprint.output(list_of(DeploymentOut))
@blueprint.doc(summary="Your deployments (an admin's: all), newest first", security="key")
def list_deployments(query: dict[str, Any]) -> Response:
    found = select_deployments(require_person(), query)
    return answer_page(found, DEPLOYMENTS, query, lambda rows: [show_deployment(row) for row in rows])


@blueprint.get("/deployments/events")
@blueprint.doc(
    summary="Your deployments as a stream: each at first, then whenever it has changed",
    security="key",
    extensions={"x-stream": True},
)
def watch_deployments() -> Response:
    person = require_person()
    since = read_moment(request.headers.get("Last-Event-ID", ""))
    return streamed(stream_with_context(follow_deployments(person.id, person.session_epoch, since)))


@blueprint.get("/deployments/<string(length=8):deployment_id>")
@blueprint.output(DeploymentOut)
@blueprint.doc(summary="One deployment", security="key")
def show_one_deployment(deployment_id: str) -> Response:
    return tagged_answer(show_deployment(get_deployment(session(), require_person(), deployment_id)))


@blueprint.delete("/deployments/<string(length=8):deployment_id>")
@blueprint.input(RemoveQuery, location="query", arg_name="query")
@blueprint.output(CommandOut, status_code=202)
@blueprint.doc(
    summary="Remove a deployment; follow the command at `Location`",
    security="key",
    extensions={"x-location": True},
)
def remove_deployment(deployment_id: str, query: dict[str, Any]) -> Response:
    person = require_person()
    deployment = get_deployment(session(), person, deployment_id)
    check_match(deployment.version)
    wanted = CommandRequest("remove", deployment=deployment.id, params=query)
    settings, sealer = context().settings, context().sealer
    return accept_command(
        submit_command(
            session(),
            person,
            wanted,
            sealer,
            address=remote_address(),
            deployment_limit=settings.deployment_limit,
        )
    )


@blueprint.post("/deployments/<string(length=8):deployment_id>/access")
@blueprint.output(AccessOut)
@blueprint.doc(
    summary="How to get in: the endpoint and its token",
    description="The answer holds a secret. It is given to the owner alone, and the call is audited.",
    security="key",
)
def open_deployment(deployment_id: str) -> Response:
    person = require_person()
    deployment = get_deployment(session(), person, deployment_id)
    access = open_access(person, deployment, context().sealer)
    record_action(session(), person.username, "access", remote_address(), deployment=deployment.id)
    commit_request()
    return answer({"name": access.name, "url": access.url, "token": access.token})


@blueprint.get("/deployments/<string(length=8):deployment_id>/logs")
@blueprint.input(LogQuery, location="query", arg_name="query")
@blueprint.output(list_of(LogLine))
@blueprint.doc(summary="The last lines of its services", security="key")
def show_logs(deployment_id: str, query: dict[str, Any]) -> Response:
    deployment = get_deployment(session(), require_person(), deployment_id)
    with engine(context().settings.docker_host) as client:
        return whole_list(read_logs(client, deployment.id, query["lines"]))
