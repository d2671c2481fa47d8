"""What things cost, whoever says it: usage as our tariffs rate it, and what reports of others say."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from datetime import UTC, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, true
from sqlalchemy.orm import Session

from labyard.errors import InvalidInput
from labyard.models import Deployment, ImportedDay, Plan, User

from .accounts import account_names_of
from .cost_sums import REPORT, REPORTS, USAGE, Costs, Selection
from .costs import read_costs

IMPORTED = "imported"  # the group of all that reports say, where costs are grouped by resource
_MOST_SUMS = 200_000  # sums of a day that one page shows
_AT_ONCE = 500  # names in one question
_COLUMNS = ("source", "day", "account", "project", "user", "deployment", "currency", "amount")


def read_all_costs(session: Session, person: User, selection: Selection) -> Costs:
    """What `person` may see of the costs that are asked for, from the sources that are asked for.

    What is imported has no resources, and the plan that its deployment has here. Raises InvalidInput for more
    than a page can rate.
    """
    costs = read_costs(session, person, selection)
    if selection.source == USAGE:
        return costs
    rows = _read_days(session, person, selection)
    known = _deployments(session, {row.deployment for row in rows})
    starts = list(costs.spans)
    for row in rows:
        name, plan = known.get(row.deployment, ("", ""))
        about = {"project": row.project, "user": row.user, "plan": plan, "deployment": row.deployment}
        costs.reports.add(row.source)
        for kind, value in {**about, "account": row.account}.items():
            costs.choices[kind].add(value)
        if not _is_asked_for(selection, row.source):
            continue
        if not selection.fits(row.account, row.project, row.user, plan, row.deployment):
            continue
        costs.names.setdefault(row.deployment, name or row.deployment)
        group = {**about, "account": row.account, "resource": IMPORTED}[selection.by]
        begin = datetime.combine(row.day, time(), UTC)
        span = costs.spans[starts[bisect_right(starts, begin) - 1]]
        for sums in (costs.groups[group], span, costs.total):
            sums.add_imported(row.amount, row.currency)
    return costs


def _is_asked_for(selection: Selection, source: str) -> bool:
    return selection.source in ("", REPORTS, f"{REPORT}{source}")


def _read_days(session: Session, person: User, selection: Selection) -> list[Any]:
    days = (ImportedDay.day >= selection.start.date(), ImportedDay.day < selection.end.date())
    found = select(*(getattr(ImportedDay, name) for name in _COLUMNS)).where(*days, seen_days(person))
    _check_many(session, found)
    return list(session.execute(found))


def seen_days(person: User) -> ColumnElement[bool]:
    """The sums of imported costs that `person` may see: their own, and what accounts of theirs pay for."""
    if person.is_admin:
        return true()
    return or_(ImportedDay.user == person.username, ImportedDay.account.in_(account_names_of(person)))


def _check_many(session: Session, found: Select[Any]) -> None:
    count = session.scalar(select(func.count()).select_from(found.subquery())) or 0
    if count > _MOST_SUMS:
        raise InvalidInput(
            f"These are {count} sums of imported costs, and a page shows {_MOST_SUMS}. Choose fewer days;"
            " `GET /api/v1/imported-costs/summary` sums up more.",
            {"from": "choose fewer days"},
        )


def _deployments(session: Session, names: Collection[str]) -> dict[str, tuple[str, str]]:
    """Name and plan of deployments of ours, by id."""
    found: dict[str, tuple[str, str]] = {}
    query = select(Deployment.id, Deployment.name, Plan.name).join(Plan, Plan.id == Deployment.plan_id)
    wanted = sorted(names)
    for begin in range(0, len(wanted), _AT_ONCE):
        part = query.where(Deployment.id.in_(wanted[begin : begin + _AT_ONCE]))
        found.update({ident: (name, plan) for ident, name, plan in session.execute(part)})
    return found
