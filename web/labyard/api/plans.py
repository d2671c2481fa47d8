"""Plans and configurations."""

from __future__ import annotations

from typing import Any

from flask import request

from ansible_collections.labyard.platform.plugins.module_utils._request.request import (
    RequestError,
    parse_plan,
)
from labyard.accounts.audit import record_action
from labyard.catalog.configurations import known_configurations
from labyard.catalog.plans import configuration_of, get_plan, parse_error, plans_for, save_plan
from labyard.catalog.schema import phase_schema
from labyard.context import session
from labyard.errors import Forbidden, NotFound
from labyard.security import require_person
from labyard.views import show_plan
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .schemas import PlanIn, PlanOut, list_of


@blueprint.get("/plans")
@blueprint.output(list_of(PlanOut))
@blueprint.doc(summary="The plans you can order", security="key")
def list_plans() -> dict[str, Any]:
    person = require_person()
    return {"items": [show_plan(plan) for plan in session().scalars(plans_for(person))]}


@blueprint.post("/plans")
@blueprint.input(PlanIn, arg_name="document")
@blueprint.output(PlanOut)
@blueprint.doc(summary="Make or change a plan (admins)", security="key")
def put_plan(document: dict[str, Any]) -> dict[str, Any]:
    person = require_person()
    if not person.is_admin:
        raise Forbidden("Only an admin can make or change plans.")
    try:
        spec = parse_plan(document)
    except RequestError as error:
        raise parse_error(error) from error
    changed = save_plan(session(), spec)
    if changed:
        record_action(session(), person.username, "plan saved", remote_address(), plan=spec.name)
    shown = show_plan(get_plan(session(), person, spec.name))
    commit_request()
    return shown


@blueprint.get("/plans/<name>")
@blueprint.output(PlanOut)
@blueprint.doc(summary="One plan", security="key")
def show_one_plan(name: str) -> dict[str, Any]:
    return show_plan(get_plan(session(), require_person(), name))


@blueprint.get("/plans/<name>/schema")
@blueprint.doc(summary="JSON Schema of a phase's parameters (`?phase=`, install by default)", security="key")
def show_schema(name: str) -> dict[str, Any]:
    plan = get_plan(session(), require_person(), name)
    configuration = configuration_of(plan)
    phase_name = request.args.get("phase", "install")
    phase = configuration.phases.get(phase_name)
    if phase is None:
        raise NotFound(f"{plan.title} has no phase {phase_name[:20]}: {', '.join(configuration.phases)}.")
    return phase_schema(phase, plan.title, plan.fixed)


@blueprint.get("/configurations")
@blueprint.doc(summary="The service configurations that are installed", security="key")
def list_configurations() -> dict[str, Any]:
    require_person()
    return {
        "items": [
            {
                "name": c.name,
                "title": c.title,
                "summary": c.summary,
                "icon": c.icon,
                "phases": list(c.phases),
            }
            for c in known_configurations().values()
        ]
    }
