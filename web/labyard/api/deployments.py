"""Deployments."""

from __future__ import annotations

from typing import Any

from flask import make_response

from labyard.accounts.audit import record_action
from labyard.accounts.scope import deployments_of, get_deployment
from labyard.context import context, session
from labyard.deployments.access import open_access
from labyard.deployments.swarm import engine, read_logs
from labyard.models import Deployment, Plan, State
from labyard.security import require_person
from labyard.views import show_deployment
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .schemas import AccessOut, DeploymentOut, DeploymentQuery, LogQuery, list_of


@blueprint.get("/deployments")
@blueprint.input(DeploymentQuery, location="query", arg_name="query")
@blueprint.output(list_of(DeploymentOut))
@blueprint.doc(summary="Your deployments (an admin's: all), newest first", security="key")
def list_deployments(query: dict[str, Any]) -> dict[str, Any]:
    found = deployments_of(require_person()).join(Deployment.plan)
    if not query["removed"] and query.get("state") != State.REMOVED:
        found = found.where(Deployment.state != State.REMOVED)
    filters = {
        "name": Deployment.name,
        "plan": Plan.name,
        "state": Deployment.state,
        "health": Deployment.health,
    }
    for name, column in filters.items():
        if name in query:
            found = found.where(column == query[name])
    found = found.order_by(Deployment.created_at.desc(), Deployment.id)
    found = found.limit(query["limit"]).offset(query["offset"])
    return {"items": [show_deployment(d) for d in session().scalars(found)]}


@blueprint.get("/deployments/<deployment_id>")
@blueprint.output(DeploymentOut)
@blueprint.doc(summary="One deployment", security="key")
def show_one_deployment(deployment_id: str) -> dict[str, Any]:
    return show_deployment(get_deployment(session(), require_person(), deployment_id))


@blueprint.post("/deployments/<deployment_id>/access")
@blueprint.output(AccessOut)
@blueprint.doc(
    summary="How to get in: the endpoint and its token",
    description="The only answer that holds a secret, given to the owner alone. The call is audited.",
    security="key",
)
def open_deployment(deployment_id: str) -> Any:
    person = require_person()
    deployment = get_deployment(session(), person, deployment_id)
    access = open_access(person, deployment, context().sealer)
    record_action(session(), person.username, "access", remote_address(), deployment=deployment.id)
    commit_request()
    return {"name": access.name, "url": access.url, "token": access.token}


@blueprint.get("/deployments/<deployment_id>/logs")
@blueprint.input(LogQuery, location="query", arg_name="query")
@blueprint.doc(summary="The last lines of its services", security="key")
def show_logs(deployment_id: str, query: dict[str, Any]) -> Any:
    deployment = get_deployment(session(), require_person(), deployment_id)
    with engine(context().settings.docker_host) as client:
        return make_response({"items": read_logs(client, deployment.id, query["lines"])})
