"""The lists of deployments and commands: what a person may see of them, narrowed by filters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import InstrumentedAttribute

from labyard.accounts.scope import NOT_REMOVED, commands_of, deployments_of
from labyard.accounts.searching import begins_with
from labyard.errors import Forbidden
from labyard.models import Command, Deployment, Plan, Project, State, User

from .paging import Listing

DEPLOYMENTS = Listing(
    "deployments",
    Deployment.id,
    {"created_at": Deployment.created_at, "updated_at": Deployment.updated_at, "name": Deployment.name},
    "-created_at",
    of_search="name",
)
COMMANDS = Listing("commands", Command.id, {"created_at": Command.created_at}, "-created_at")


def select_deployments(person: User, query: Mapping[str, Any]) -> Select[Any]:
    """The deployments that `query` asks for; raises Forbidden for a filter of admins."""
    found = deployments_of(person)
    if not query["removed"] and query.get("state") != State.REMOVED:
        found = found.where(NOT_REMOVED)
    if "search" in query:
        found = found.where(begins_with(Deployment.name, query["search"]))
    plain = {"name": Deployment.name, "state": Deployment.state, "health": Deployment.health}
    for name, column in plain.items():
        if name in query:
            found = found.where(column == query[name])
    found = _by_relation(found, person, query, Deployment)
    return created_between(found, Deployment.created_at, query)


def select_commands(person: User, query: Mapping[str, Any]) -> Select[Any]:
    """The commands that `query` asks for; raises Forbidden for a filter of admins."""
    found = commands_of(person)
    plain = {"deployment": Command.deployment_id, "state": Command.state, "phase": Command.phase}
    for name, column in plain.items():
        if name in query:
            found = found.where(column == query[name])
    found = _by_relation(found, person, query, Command)
    return created_between(found, Command.created_at, query)


def created_between(
    found: Select[Any], column: InstrumentedAttribute[Any], query: Mapping[str, Any]
) -> Select[Any]:
    """Those made in the time that `query` names: from `created_after` until before `created_before`."""
    if "created_after" in query:
        found = found.where(column >= query["created_after"])
    if "created_before" in query:
        found = found.where(column < query["created_before"])
    return found


def _by_relation(
    found: Select[Any], person: User, query: Mapping[str, Any], rows: type[Deployment] | type[Command]
) -> Select[Any]:
    """Filters by name of what the rows hold the number of. The number is looked up in the same
    statement, where it stands for a constant: so the index that begins with it is used."""
    if "owner" in query and query["owner"] != person.username and not person.is_admin:
        raise Forbidden("Only admins may look at what others own.")
    numbers = (
        ("plan", rows.plan_id, select(Plan.id).where(Plan.name == query.get("plan"))),
        ("project", rows.project_id, select(Project.id).where(Project.name == query.get("project"))),
        ("owner", rows.owner_id, select(User.id).where(User.username == query.get("owner"))),
    )
    for name, column, number in numbers:
        if name in query:
            found = found.where(column == number.scalar_subquery())
    return found
