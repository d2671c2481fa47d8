"""Plans: loading them, finding them, what a person gets to see of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._request.request import PlanSpec, RequestError
from ansible_collections.labyard.platform.plugins.module_utils._request.spec import Configuration
from ansible_collections.labyard.platform.plugins.module_utils._request.validate import (
    InvalidParams,
    clean_fixed,
)
from labyard.clock import Clock, utc_now
from labyard.errors import InvalidInput, NotFound
from labyard.models import Plan, User

from .configurations import get_configuration

_COLUMNS = ("title", "summary", "configuration", "fixed", "shapes", "visible")


def save_plan(session: Session, spec: PlanSpec, clock: Clock = utc_now) -> bool:
    """Make or change the plan `spec`; says whether anything changed.

    Raises InvalidInput if its configuration is not installed or a fixed value does not fit.
    """
    _check_against_configuration(spec)
    plan = session.scalar(select(Plan).where(Plan.name == spec.name))
    wanted = {column: getattr(spec, column) for column in _COLUMNS}
    for column in ("fixed", "shapes"):
        wanted[column] = dict(wanted[column])
    if plan is None:
        session.add(Plan(name=spec.name, **wanted))
        session.flush()
        return True
    changed = plan.retired_at is not None
    for column, value in wanted.items():
        if getattr(plan, column) != value:
            setattr(plan, column, value)
            changed = True
    if changed:
        plan.retired_at = None
        plan.updated_at = clock()
    return changed


def save_plans(session: Session, specs: Iterable[PlanSpec]) -> list[str]:
    """Make or change all plans of `specs`; the names of those that changed."""
    return [spec.name for spec in specs if save_plan(session, spec)]


def plans_for(person: User) -> Select[Any]:
    """The plans that `person` may order; an admin sees hidden ones too."""
    query = select(Plan).where(Plan.retired_at.is_(None)).order_by(Plan.title)
    return query if person.is_admin else query.where(Plan.visible.is_(True))


def get_plan(session: Session, person: User, name: str) -> Plan:
    """The plan of that name, if `person` may order it; raises NotFound."""
    plan = session.scalar(plans_for(person).where(Plan.name == name))
    if plan is None:
        known = ", ".join(p.name for p in session.scalars(plans_for(person))) or "none"
        raise NotFound(f"there is no such plan; known are: {known}")
    return plan


def spec_of(plan: Plan) -> PlanSpec:
    """The plan as the request core takes it."""
    return PlanSpec(name=plan.name, **{column: getattr(plan, column) for column in _COLUMNS})


def configuration_of(plan: Plan) -> Configuration:
    """The configuration behind the plan; raises NotFound if its role is gone."""
    return get_configuration(plan.configuration)


def _check_against_configuration(spec: PlanSpec) -> None:
    try:
        configuration = get_configuration(spec.configuration)
    except NotFound as error:
        raise InvalidInput("The plan was not saved.", {"configuration": error.detail}) from error
    known = {
        f.name for phase in configuration.phases.values() for f in (*phase.fields, *phase.operator_fields)
    }
    errors = {f"fixed.{name}": "is an option of no phase" for name in spec.fixed if name not in known}
    for phase in configuration.phases.values():
        try:
            clean_fixed(phase, spec.fixed)
        except InvalidParams as error:
            errors |= {f"fixed.{name}": text for name, text in error.errors.items()}
    if errors:
        raise InvalidInput("The plan was not saved.", errors)


def parse_error(error: RequestError) -> InvalidInput:
    """A fault in a plan or request document as the console's own error."""
    return InvalidInput("Some fields are not right.", error.errors)
