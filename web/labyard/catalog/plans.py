"""Plans: loading them, finding them, whether they can be ordered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Select, Text, cast, or_, select
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

from .configurations import ConfigurationUnavailable, fetched_configuration, get_configuration
from .roles import find_role
from .sources import source_faults

_COLUMNS = ("title", "summary", "configuration", "fixed", "shapes", "visible", "projects", "source")
_NOT_SAVED = "The plan was not saved."


def save_plan(
    session: Session, spec: PlanSpec, clock: Clock = utc_now, *, source_hosts: Sequence[str] = ()
) -> bool:
    """Make or change the plan `spec`; says whether anything changed. A retired one is offered again.

    A configuration with a source is fetched by a worker within seconds; until then the plan is not
    available. `source_hosts` are the hosts it may come from. Raises InvalidInput if an installed
    configuration is not there or broken, or if a fixed value or the source does not fit.
    """
    if spec.source:
        _check_source(spec, source_hosts)
    else:
        _check_against_configuration(spec)
    plan = session.scalar(select(Plan).where(Plan.name == spec.name))
    wanted = _columns(spec)
    if plan is None:
        session.add(Plan(name=spec.name, **wanted))
        session.flush()
        return True
    changed = {column: value for column, value in wanted.items() if getattr(plan, column) != value}
    if not changed and plan.retired_at is None:
        return False
    if {"source", "configuration"} & changed.keys():
        plan.fetched, plan.fetched_at = {}, None
    for column, value in changed.items():
        setattr(plan, column, value)
    plan.retired_at = None
    plan.updated_at = clock()
    session.flush()
    return True


def save_plans(session: Session, specs: Iterable[PlanSpec], *, source_hosts: Sequence[str] = ()) -> list[str]:
    """Make or change all plans of `specs`; the names of those that changed."""
    return [spec.name for spec in specs if save_plan(session, spec, source_hosts=source_hosts)]


def retire_plan(session: Session, name: str, clock: Clock = utc_now) -> Plan:
    """Offer the plan no longer; its deployments stay and can be worked with. Raises NotFound."""
    plan = session.scalar(select(Plan).where(Plan.name == name, Plan.retired_at.is_(None)))
    if plan is None:
        raise NotFound(f"There is no plan {name[:40]} on offer.")
    found: Plan = plan
    found.retired_at = found.updated_at = clock()
    session.flush()
    return found


def plans_for(person: User) -> Select[Any]:
    """The plans that `person` may order: visible, and for everybody or for one of their projects.

    An admin sees all. Whether a plan can be ordered now is another question: `availability_of`.
    """
    query = select(Plan).where(Plan.retired_at.is_(None)).order_by(Plan.title, Plan.name)
    if person.is_admin:
        return query
    # A list of names, as JSON: the same text in every database, and a name holds no quotation mark.
    names = cast(Plan.projects, Text)
    mine = [names.contains(json.dumps(project.name), autoescape=True) for project in person.projects]
    return query.where(Plan.visible.is_(True), or_(names == "[]", *mine))


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
    """The configuration behind the plan; raises ConfigurationUnavailable if it is gone or broken.

    One that is fetched is as a worker saw it last: a look that failed later does not take it away
    from the deployments that are there.
    """
    if not plan.source:
        return get_configuration(plan.configuration)
    if "specs" not in plan.fetched:
        raise ConfigurationUnavailable(plan.fetched.get("error") or "The configuration is being fetched.")
    return fetched_configuration(plan.configuration, plan.fetched["specs"], plan.fetched["sidecar"])


def availability_of(plan: Plan) -> tuple[bool, str]:
    """Whether the plan can be ordered now, and why not."""
    if plan.retired_at is not None:
        return False, "The plan is no longer offered."
    if plan.source and plan.fetched.get("error"):
        return False, plan.fetched["error"]
    try:
        faults = fixed_faults(configuration_of(plan), spec_of(plan))
    except ConfigurationUnavailable as error:
        return False, error.detail
    if faults:
        words = "; ".join(f"{place} {text}" for place, text in faults.items())
        return False, f"The plan does not fit its configuration: {words}."
    return True, ""


def require_available(plan: Plan) -> Configuration:
    """The configuration of a plan that can be ordered now; raises ConfigurationUnavailable (409)."""
    available, reason = availability_of(plan)
    if not available:
        raise ConfigurationUnavailable(f"{plan.title} is not available: {reason}")
    return configuration_of(plan)


def fixed_faults(configuration: Configuration, spec: PlanSpec) -> dict[str, str]:
    """What of the plan's fixed values the configuration does not take, by place."""
    known = {
        f.name for phase in configuration.phases.values() for f in (*phase.fields, *phase.operator_fields)
    }
    errors = {f"fixed.{name}": "is an option of no phase" for name in spec.fixed if name not in known}
    for phase in configuration.phases.values():
        try:
            clean_fixed(phase, spec.fixed)
        except InvalidParams as error:
            errors |= {f"fixed.{name}": text for name, text in error.errors.items()}
    return errors


def parse_error(error: RequestError) -> InvalidInput:
    """A fault in a plan or request document as the console's own error."""
    return InvalidInput("Some fields are not right.", error.errors)


def _columns(spec: PlanSpec) -> dict[str, Any]:
    wanted = {column: getattr(spec, column) for column in _COLUMNS}
    for column in ("fixed", "shapes", "source"):
        wanted[column] = dict(wanted[column])
    wanted["projects"] = sorted(set(spec.projects))
    return wanted


def _check_source(spec: PlanSpec, hosts: Sequence[str]) -> None:
    errors = source_faults(spec.source, hosts)
    if find_role(spec.configuration) is not None:
        errors["configuration"] = "is installed; a configuration that is fetched needs a name of its own"
    if errors:
        raise InvalidInput(_NOT_SAVED, errors)


def _check_against_configuration(spec: PlanSpec) -> None:
    try:
        configuration = get_configuration(spec.configuration)
    except ConfigurationUnavailable as error:
        raise InvalidInput(_NOT_SAVED, {"configuration": error.detail}) from error
    errors = fixed_faults(configuration, spec)
    if errors:
        raise InvalidInput(_NOT_SAVED, errors)
