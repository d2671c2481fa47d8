"""Plans and configurations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._request.request import (
    RequestError,
    parse_plan,
)
from labyard.accounts.audit import record_action
from labyard.accounts.searching import begins_with
from labyard.catalog.configurations import known_configurations
from labyard.catalog.plans import configuration_of, get_plan, parse_error, plans_for, retire_plan, save_plan
from labyard.catalog.schema import phase_schema
from labyard.context import context, session
from labyard.errors import NotFound
from labyard.models import Plan, User
from labyard.security import require_person
from labyard.views import show_plan
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .admins import require_admin
from .answers import answer, check_match, no_content, tagged_answer
from .paging import Listing, answer_page, whole_list
from .schemas.lists import list_of, query_of
from .schemas.plans import PLAN_FILTERS, ConfigurationOut, PlanBody, PlanIn, PlanOut, SchemaQuery

_PLANS = Listing(
    "plans", Plan.id, {"title": Plan.title, "name": Plan.name, "created_at": Plan.created_at}, "title"
)
# An example for the documentation.
_EXAMPLE = {
    "configuration": "labyard.platform.notebook",
    "title": "Small notebook",
    "fixed": {"cpu_limit": 0.5},
}


@blueprint.get("/plans")
@blueprint.input(query_of(_PLANS, PlanOut, PLAN_FILTERS), location="query", arg_name="query")
@blueprint.output(list_of(PlanOut))
@blueprint.doc(summary="The plans you can order", security="key")
def list_plans(query: dict[str, Any]) -> Response:
    found = plans_for(require_person()).order_by(None)
    if "search" in query:
        found = found.where(begins_with(Plan.name, query["search"]))
    if "configuration" in query:
        found = found.where(Plan.configuration == query["configuration"])
    return answer_page(found, _PLANS, query, lambda rows: [show_plan(row) for row in rows])


@blueprint.post("/plans")
@blueprint.input(PlanIn, arg_name="document", example={"name": "small", **_EXAMPLE})
@blueprint.output(PlanOut)
@blueprint.doc(
    summary="Make or change a plan (admins): 201 when it is new, else 200",
    security="key",
    extensions={"x-created": True},
)
def post_plan(document: dict[str, Any]) -> Response:
    return _save(require_admin(), document, replaces=False)


@blueprint.get("/plans/<name>")
@blueprint.output(PlanOut)
@blueprint.doc(summary="One plan", security="key")
def show_one_plan(name: str) -> Response:
    return tagged_answer(show_plan(get_plan(session(), require_person(), name)))


@blueprint.put("/plans/<name>")
@blueprint.input(PlanBody, arg_name="document", example=_EXAMPLE)
@blueprint.output(PlanOut)
@blueprint.doc(
    summary="Make a plan or replace one whole (admins)",
    description="To replace one, send its ETag as `If-Match`, or `If-Match: *`.",
    security="key",
    extensions={"x-created": True},
)
def put_plan(name: str, document: dict[str, Any]) -> Response:
    return _save(require_admin(), {**document, "name": name}, replaces=True)


@blueprint.delete("/plans/<name>")
@blueprint.output({}, status_code=204)
@blueprint.doc(summary="Offer a plan no longer (admins); its deployments stay", security="key")
def retire_one_plan(name: str) -> Response:
    admin = require_admin()
    before = _lock_plan(session(), name)
    check_match(before.version if before else None)
    retire_plan(session(), name)
    record_action(session(), admin.username, "plan retired", remote_address(), plan=name)
    commit_request()
    return no_content()


@blueprint.get("/plans/<name>/schema")
@blueprint.input(SchemaQuery, location="query", arg_name="query")
@blueprint.output({})
@blueprint.doc(summary="JSON Schema of a phase's parameters", security="key")
def show_schema(name: str, query: dict[str, Any]) -> Response:
    plan = get_plan(session(), require_person(), name)
    configuration = configuration_of(plan)
    phase = configuration.phases.get(query["phase"])
    if phase is None:
        raise NotFound(f"{plan.title} has no phase {query['phase']}: {', '.join(configuration.phases)}.")
    return answer(phase_schema(phase, plan.title, plan.fixed))


@blueprint.get("/configurations")
@blueprint.output(list_of(ConfigurationOut))
@blueprint.doc(summary="The service configurations that are installed", security="key")
def list_configurations() -> Response:
    return whole_list(
        [
            {
                "name": c.name,
                "title": c.title,
                "summary": c.summary,
                "icon": c.icon,
                "phases": list(c.phases),
            }
            for c in known_configurations().values()
        ]
    )


def _save(person: User, document: Mapping[str, Any], *, replaces: bool) -> Response:
    try:
        spec = parse_plan(document)
    except RequestError as error:
        raise parse_error(error) from error
    before = _lock_plan(session(), spec.name)
    check_match(before.version if before else None, required=replaces)
    if save_plan(session(), spec, source_hosts=context().settings.source_hosts):
        record_action(session(), person.username, "plan saved", remote_address(), plan=spec.name)
    commit_request()
    shown = show_plan(get_plan(session(), person, spec.name))
    if before:
        return tagged_answer(shown)
    return tagged_answer(shown, 201, {"Location": url_for("api.show_one_plan", name=spec.name)})


def _lock_plan(session: Session, name: str) -> Plan | None:
    """The plan of that name if it is offered; nobody else changes it until the request ends."""
    found = select(Plan).where(Plan.name == name, Plan.retired_at.is_(None))
    return session.scalar(found.with_for_update())
