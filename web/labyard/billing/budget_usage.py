"""How much of a measure a person, a project or the platform uses now: looked at afresh each time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.months import Period, month_of
from ansible_collections.labyard.platform.plugins.module_utils._request.resources import Needs, read_needs
from labyard.catalog.configurations import ConfigurationUnavailable
from labyard.catalog.plans import configuration_of
from labyard.commands.preflight import NEEDS_ROOM
from labyard.models import Command, Deployment, Health, Project, State, UsageRow, User

from .budgets import CPU, DEPLOYMENTS, GIB, MEMORY, MONEY_MONTH, MONEY_TOTAL, PLATFORM, STORAGE, USER
from .imported_days import imported_in_all, imported_in_month
from .spending import Who, spent_in_all, spent_in_month

_ZERO = Decimal(0)
_MEASURED_WITHIN = timedelta(days=2)  # a volume of which nothing was heard for longer is gone


@dataclass(frozen=True)
class Subject:
    """Whose budget it is: a user name, the name of a project, or nothing for the platform."""

    scope: str
    name: str = ""

    def who(self) -> Who:
        """The same, as usage records say it."""
        if self.scope == PLATFORM:
            return Who()
        return Who(user=self.name) if self.scope == USER else Who(project=self.name)


def used(
    session: Session, subject: Subject, measure: str, currency: str, now: datetime, *, without: str = ""
) -> Decimal:
    """How much of `measure` is used now: deployments, cores, GiB, or money in `currency`.

    `without`: the id of a deployment that is left out of deployments, cores and memory.
    """
    if measure == DEPLOYMENTS:
        count = select(func.count()).select_from(_living(subject, without).subquery())
        return Decimal(session.scalar(count) or 0)
    if measure in (CPU, MEMORY):
        starting = _starting(session)
        living = session.scalars(_living(subject, without)).unique().all()
        return sum((held_by(one, measure, starting.get(one.id)) for one in living), _ZERO)
    if measure == STORAGE:
        return _stored(session, subject, now)
    return money_spent(session, subject, measure, currency, month_of(now))


def money_spent(session: Session, subject: Subject, measure: str, currency: str, month: Period) -> Decimal:
    """All that counts for a budget of money, in its currency: the one place where it is added up.

    Raises ValueError if `measure` is not one of money.
    """
    if measure == MONEY_MONTH:
        spent = spent_in_month(session, subject.who(), month, currency)
        return spent + imported_in_month(session, subject.who(), month, currency)
    if measure == MONEY_TOTAL:
        spent = spent_in_all(session, subject.who(), currency)
        return spent + imported_in_all(session, subject.who(), currency)
    raise ValueError(f"{measure} is no measure of a budget")


def held_by(deployment: Deployment, measure: str, starting: Mapping[str, Any] | None = None) -> Decimal:
    """The cores or GiB that a deployment sets aside now; 0 if it does not run.

    `starting`: the parameters of a command that starts or changes it now; the larger of both counts.
    """
    amounts = [_amount(deployment, starting, measure)] if starting is not None else []
    if _runs(deployment):
        amounts.append(_amount(deployment, deployment.params, measure))
    return max(amounts, default=_ZERO)


def amount_of(needs: Needs | None, replicas: object, measure: str) -> Decimal:
    """The cores or GiB of `needs`, for as many containers as there are."""
    if needs is None:
        return _ZERO
    count = replicas if isinstance(replicas, int) and not isinstance(replicas, bool) else 1
    if measure == CPU:
        return Decimal(repr(needs.cpu or needs.cpu_limit)) * count
    return Decimal(needs.memory) / GIB * count


def running_of(session: Session, subject: Subject) -> list[Deployment]:
    """The deployments that run or are being started, the newest first: these can be stopped."""
    starting = _starting(session)
    query = _living(subject).order_by(Deployment.created_at.desc(), Deployment.id)
    return [one for one in session.scalars(query).unique() if _runs(one) or one.id in starting]


def _runs(deployment: Deployment) -> bool:
    """Whether it has its processors and memory, as far as the swarm was seen last."""
    if deployment.health in (Health.STOPPED.value, Health.MISSING.value):
        return False
    return deployment.state != State.FAILED or bool(deployment.services)


def _amount(deployment: Deployment, params: Mapping[str, Any], measure: str) -> Decimal:
    try:
        needs = read_needs(configuration_of(deployment.plan), {**deployment.params, **params})
    except ConfigurationUnavailable:
        return _ZERO
    return amount_of(needs, {**deployment.params, **params}.get("replicas"), measure)


def _living(subject: Subject, without: str = "") -> Select[Any]:
    query = select(Deployment).where(Deployment.state != State.REMOVED, Deployment.id != without)
    if subject.scope == PLATFORM:
        return query
    if subject.scope == USER:
        number = select(User.id).where(User.username == subject.name).scalar_subquery()
        return query.where(Deployment.owner_id == number)
    number = select(Project.id).where(Project.name == subject.name).scalar_subquery()
    return query.where(Deployment.project_id == number)


def _starting(session: Session) -> dict[str, dict[str, Any]]:
    """By id of its deployment, the parameters of each command that waits or runs and starts something."""
    query = select(Command.deployment_id, Command.params).where(
        Command.state.in_((State.INITIATED, State.PENDING)),
        Command.phase.in_(NEEDS_ROOM),
        Command.check_only.is_(False),
    )
    return {deployment_id: params for deployment_id, params in session.execute(query)}


def _stored(session: Session, subject: Subject, now: datetime) -> Decimal:
    """The size of all volumes, as measured last; GiB."""
    who = subject.who()
    recent = UsageRow.start > now - _MEASURED_WITHIN, UsageRow.resource == "volume"
    last = select(UsageRow.deployment, func.max(UsageRow.end).label("at")).where(*recent, *who.of(UsageRow))
    newest = last.group_by(UsageRow.deployment).subquery()
    rows = session.execute(
        select(UsageRow.quantity, UsageRow.start, UsageRow.end)
        .join(newest, (newest.c.deployment == UsageRow.deployment) & (newest.c.at == UsageRow.end))
        .where(*recent, *who.of(UsageRow))
    )
    total = _ZERO
    for quantity, start, end in rows:
        seconds = Decimal(repr((end - start).total_seconds()))
        total += quantity / seconds / GIB if seconds else _ZERO
    return total
