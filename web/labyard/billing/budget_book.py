"""Budgets as they are set, and which of them are about somebody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.money import (
    currency_decimals,
    read_decimal,
)
from labyard.accounts.people import find_user
from labyard.clock import Clock, utc_now
from labyard.errors import Conflict, InvalidInput, NotFound
from labyard.models import Budget, BudgetAlert, Deployment, Project, State, User

from .budget_usage import Subject, used
from .budgets import EXCEEDED, MONEY, PLATFORM, PROJECT, STOP, STOPPABLE, USER, Level

_MOST = Decimal(10) ** 15


@dataclass(frozen=True)
class Status:
    """How a budget stands for one subject, looked at just now."""

    budget: Budget
    subject: str
    level: Level
    stop_at: datetime | None  # when what runs is stopped, if it goes on like that


def make_budget(session: Session, admin: User, document: Mapping[str, Any]) -> Budget:
    """A new budget: scope, subject, measure, limit, currency, action, grace_minutes.

    Raises InvalidInput with a message for each wrong field, Conflict if there is one of that measure.
    """
    scope, subject = document["scope"], document.get("subject", "")
    errors = _check_subject(session, scope, subject)
    budget = Budget(scope=scope, subject=subject, measure=document["measure"], set_by=admin, most=Decimal(0))
    known = select(Budget.id).where(
        Budget.scope == scope, Budget.subject == subject, Budget.measure == document["measure"]
    )
    with session.no_autoflush:
        if session.scalar(known) is not None:
            raise Conflict("There is such a budget already. Change that one.")
        change_budget(session, admin, budget, {"action": "warn", **document}, errors)
    session.add(budget)
    session.flush()
    return budget


def change_budget(
    session: Session,
    admin: User,
    budget: Budget,
    document: Mapping[str, Any],
    errors: Mapping[str, str] | None = None,
) -> None:
    """Change limit, currency, action and grace_minutes as `document` says; raises InvalidInput."""
    wrong = dict(errors or {})
    money = budget.measure in MONEY
    if "currency" in document or money:
        wrong |= _check_currency(document.get("currency", budget.currency or ""), money)
    if "limit" in document:
        try:
            budget.most = read_decimal(document["limit"], "limit")
            if not 0 <= budget.most < _MOST:
                wrong["limit"] = "must be at least 0, and below 10^15"
        except BillingError as error:
            wrong["limit"] = str(error).removeprefix("limit: ")
    action = document.get("action", budget.action)
    if action == STOP and budget.measure not in STOPPABLE:
        wrong["action"] = f"stopping makes {budget.measure} no less: choose warn or refuse"
    if wrong:
        raise InvalidInput("The budget was not saved.", wrong)
    budget.action = action
    budget.currency = document.get("currency", budget.currency or "")
    budget.grace_minutes = document.get("grace_minutes", budget.grace_minutes or 0)
    budget.set_by = admin


def delete_budget(session: Session, budget: Budget) -> None:
    """Delete a budget with what was said and asked about it."""
    session.delete(budget)
    session.flush()


def budgets_of(person: User) -> Select[Any]:
    """The budgets that are about `person`; an admin's are all."""
    query = select(Budget)
    if person.is_admin:
        return query
    projects = [project.name for project in person.projects]
    return query.where(
        or_(
            (Budget.scope == USER) & Budget.subject.in_([person.username, ""]),
            (Budget.scope == PROJECT) & Budget.subject.in_([*projects, ""]),
            Budget.scope == PLATFORM,
        )
    )


def get_budget(session: Session, person: User, budget_id: str) -> Budget:
    """The budget of that id; raises NotFound if there is none that is about `person`."""
    found = session.scalar(budgets_of(person).where(Budget.id == budget_id))
    if found is None:
        raise NotFound(f"There is no budget {budget_id[:40]} of yours.")
    budget: Budget = found
    return budget


def budgets_for(session: Session, username: str, projects: Iterable[str]) -> list[tuple[Budget, str]]:
    """The budgets that count for a person and these projects, each with whose it is.

    One of their own goes before that of each person or each project.
    """
    wanted = [(USER, username), *((PROJECT, name) for name in projects), (PLATFORM, "")]
    rows = session.scalars(select(Budget).order_by(Budget.scope, Budget.measure, Budget.id)).all()
    by_place = {(row.scope, row.subject, row.measure): row for row in rows}
    found = []
    for scope, subject in wanted:
        for measure in dict.fromkeys(row.measure for row in rows if row.scope == scope):
            budget = by_place.get((scope, subject, measure)) or by_place.get((scope, "", measure))
            if budget is not None:
                found.append((budget, subject))
    return found


def subjects_of(session: Session, budget: Budget) -> list[str]:
    """Whose a budget is: its own subject, or each person or project that has something and no own budget."""
    if budget.subject or budget.scope == PLATFORM:
        return [budget.subject]
    own = select(Budget.subject).where(Budget.scope == budget.scope, Budget.measure == budget.measure)
    name: Any = User.username if budget.scope == USER else Project.name
    join = Deployment.owner_id == User.id if budget.scope == USER else Deployment.project_id == Project.id
    recent = (Deployment.state != State.REMOVED) | (Deployment.removed_at > utc_now() - timedelta(days=62))
    query = select(name).join(Deployment, join).where(recent, name.not_in(own)).distinct()
    return list(session.scalars(query.order_by(name)))


def status_of(
    session: Session, budget: Budget, subject: str, clock: Clock = utc_now, *, amount: Decimal | None = None
) -> Status:
    """How the budget stands for `subject` now; `amount`: how much is used, if that was looked at before."""
    now = clock()
    if amount is None:
        amount = used(session, Subject(budget.scope, subject), budget.measure, budget.currency, now)
    level = Level(budget.measure, amount, budget.most)
    stop_at = None
    if budget.action == STOP and level.exceeded:
        since = session.scalar(
            select(BudgetAlert.raised_at).where(
                BudgetAlert.budget_id == budget.id,
                BudgetAlert.subject == subject,
                BudgetAlert.threshold == EXCEEDED,
                BudgetAlert.ended_at.is_(None),
            )
        )
        stop_at = (since or now) + timedelta(minutes=budget.grace_minutes)
    return Status(budget, subject, level, stop_at)


def statuses_for(session: Session, person: User, clock: Clock = utc_now) -> list[Status]:
    """How everything stands that counts for `person`: their own budgets, their projects', the platform's."""
    names = [project.name for project in person.projects]
    return [status_of(session, *pair, clock) for pair in budgets_for(session, person.username, names)]


def _check_subject(session: Session, scope: str, subject: str) -> dict[str, str]:
    if not subject:
        return {}
    if scope == PLATFORM:
        return {"subject": "must be left out: the platform is one"}
    if scope == USER:
        return {} if find_user(session, subject) else {"subject": f"there is no user {subject}"}
    known = session.scalar(select(Project.id).where(Project.name == subject))
    return {} if known else {"subject": f"there is no project {subject}"}


def _check_currency(currency: str, money: bool) -> dict[str, str]:
    if not money:
        return {"currency": "must be left out: only money has one"} if currency else {}
    try:
        currency_decimals(currency)
    except BillingError as error:
        return {"currency": str(error)}
    return {}
