"""Whether budgets let something be launched, made larger or started: asked before the command is taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.estimate import estimate
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import month_of
from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import Tariff
from labyard.clock import Clock, utc_now
from labyard.commands.submit import Launch
from labyard.errors import Conflict, InvalidInput
from labyard.models import BillingAccount, Budget
from labyard.models.base import lock_name

from .accounts import read_payers
from .budget_book import budgets_for
from .budget_look import Looked, Wanted
from .budget_usage import Subject, amount_of, held_by, used
from .budgets import CPU, DEPLOYMENTS, MEMORY, MONEY, WARN, Level, name_budget, show_used
from .tariffs import STANDARD, read_versions

_LITTLE = Decimal(1).scaleb(-12)  # more than nothing


@dataclass(frozen=True)
class Change:
    """What the launch does to one measure: what the deployment takes now, and what it will take."""

    before: Decimal
    after: Decimal


def check_budgets(
    session: Session, launch: Launch, clock: Clock = utc_now, looked: Looked | None = None
) -> None:
    """Raises InvalidInput at the parameter that takes too much, or at `budget`, if a budget refuses it.

    One launch at a time is looked at for each budget, so two never take together what is left for one.
    `looked`: the money that was added up before this transaction; None: it is added up here. What is missing
    there is noted there, and not checked. Raises Unavailable if money could not be added up.
    """
    deployment = launch.deployment
    found = budgets_for(session, deployment.owner.username, [deployment.project.name])
    acting = [(budget, subject) for budget, subject in found if budget.action != WARN]
    for budget, subject in sorted(acting, key=lambda pair: (pair[0].id, pair[1])):
        lock_name(session, f"labyard.budget.{budget.id}.{subject}")
    errors: dict[str, list[str]] = {}
    for budget, subject in acting:
        text = _refusal(session, launch, budget, subject, clock(), looked)
        if text:
            place = launch.needs.parameters.get(budget.measure) if launch.needs else None
            errors.setdefault(place or "budget", []).append(text)
    if errors:
        raise InvalidInput(
            "A budget does not allow it.", {name: "; ".join(texts) for name, texts in errors.items()}
        )


def _refusal(
    session: Session, launch: Launch, budget: Budget, subject: str, now: datetime, looked: Looked | None
) -> str:
    """Why the budget refuses the launch, with what to do next; empty if it does not."""
    if budget.measure in MONEY:
        change = Change(Decimal(0), _price_of_an_hour(session, launch, budget.currency, now))
    else:
        change = _change(launch, budget.measure)
    if change.after <= change.before:
        return ""
    whose = Subject(budget.scope, subject)
    if looked is not None and budget.measure in MONEY:
        found = looked.amount(Wanted(whose, budget.measure, budget.currency, month_of(now)))
        if found is None:
            return ""
        others = found
    else:
        others = used(session, whose, budget.measure, budget.currency, now, without=launch.deployment.id)
    amount = others + change.before
    if not Level(budget.measure, amount, budget.most).refuses(change.before, change.after):
        return ""
    return _say(budget, subject, amount, change)


def _say(budget: Budget, subject: str, amount: Decimal, change: Change) -> str:
    def show(value: Decimal) -> str:
        return show_used(budget.measure, value, budget.currency)

    more = f"takes {show(change.after - change.before)}{' an hour' if budget.measure in MONEY else ''} more"
    if change.after == _LITTLE:
        more = "would take more"
    cure = "wait for the next month" if budget.measure == "money_month" else "remove or stop something"
    if budget.measure in (CPU, MEMORY):
        cure = "take less, or stop something"
    return (
        f"{name_budget(budget.scope, subject, budget.measure)} is {show(budget.most)}: {show(amount)} is "
        f"used, and this {more}; {cure}, or ask for more (budget {budget.id})"
    )


def _change(launch: Launch, measure: str) -> Change:
    zero = Decimal(0)
    if measure == DEPLOYMENTS:
        return Change(zero, Decimal(1 if launch.is_new else 0))
    if measure not in (CPU, MEMORY):
        return Change(zero, _LITTLE if launch.is_new else zero)  # refused where storage is full
    after = amount_of(launch.needs, launch.params.get("replicas"), measure)
    return Change(zero if launch.is_new else held_by(launch.deployment, measure), after)


def _price_of_an_hour(session: Session, launch: Launch, currency: str, now: datetime) -> Decimal:
    """What an hour costs; a little, if it has no price: a budget that is used up refuses it all the same."""
    deployment = launch.deployment
    if not launch.is_new and held_by(deployment, CPU):
        return Decimal(0)  # it runs and costs already
    user, project = deployment.owner.username, deployment.project.name
    tariff = _tariff(session, read_payers(session).payer(project, user), now)
    if tariff is None or tariff.currency != currency or launch.needs is None:
        return _LITTLE
    needs: dict[str, Decimal | int] = {"wall": 1, "memory": launch.needs.memory, "gpu": launch.needs.gpus}
    needs["cpu"] = Decimal(repr(launch.needs.cpu or launch.needs.cpu_limit))
    try:
        cost = estimate(tariff, deployment.plan.name, launch.shape, needs, project, user)
    except BillingError:
        return _LITTLE
    return max(_LITTLE, cost.per_hour)


def _tariff(session: Session, account: str, now: datetime) -> Tariff | None:
    name = session.scalar(select(BillingAccount.tariff).where(BillingAccount.name == account)) or STANDARD
    try:
        return next((tariff for tariff in read_versions(session, name) if tariff.holds_at(now)), None)
    except Conflict:
        return None
