"""Looking at all budgets: who is told of which threshold, and what is stopped.

People are told once of each threshold, and once that it ended. What is stopped is stopped by an ordinary
command of the console, in the name of the admin who set the budget.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.months import month_of
from labyard.accounts.audit import record_action
from labyard.clock import Clock, utc_now
from labyard.commands.submit import CommandRequest, submit_command
from labyard.errors import DomainError
from labyard.models import Budget, BudgetAlert, Deployment, Project, User
from labyard.models.base import lock_name
from labyard.notices.outbox import write_event
from labyard.sealing import Sealer

from .budget_book import Status, status_of, subjects_of
from .budget_usage import Subject, held_by, money_spent, running_of
from .budgets import CPU, EXCEEDED, MEMORY, MONEY, PLATFORM, REFUSE, STOP, USER, name_budget, show_used
from .kept_spending import keep_up
from .showing_budgets import show_status

log = logging.getLogger(__name__)

_BY = "budget"  # who did it, in the audit trail


@dataclass(frozen=True)
class Change:
    """What a look has changed of the alerts of one subject."""

    raised: tuple[int, ...]
    ended: tuple[int, ...]


def watch_budgets(
    session: Session,
    begin_writing: Callable[[], None],
    sealer: Sealer,
    notify: Callable[[str], None],
    clock: Clock = utc_now,
) -> int:
    """Look at every budget, each in a transaction of its own; how many subjects were looked at.

    `notify` tells the workers of a command, after the commit. Money is added up before a
    transaction: nobody waits for that.
    """
    keep_up(session, begin_writing)
    ids = session.scalars(select(Budget.id).order_by(Budget.id)).all()
    session.rollback()
    looked = 0
    for budget_id in ids:
        spent = _spent(session, budget_id, clock)
        session.rollback()
        begin_writing()
        lock_name(session, f"labyard.budget.watch.{budget_id}")
        budget = session.get(Budget, budget_id)
        commands: list[str] = []
        if budget is not None:
            subjects = subjects_of(session, budget)
            _end_alerts_of_others(session, budget, subjects, clock)
            for subject in subjects:
                amount = spent.get((budget.version, subject))
                status = status_of(session, budget, subject, clock, amount=amount)
                look_at(session, status, clock)
                commands += stop_what_is_over(session, status, sealer, clock)
                looked += 1
        session.commit()
        for command_id in commands:
            notify(command_id)
    return looked


def _spent(session: Session, budget_id: str, clock: Clock) -> dict[tuple[int, str], Decimal]:
    """Of a budget of money, what each subject has spent, by its version and subject."""
    budget = session.get(Budget, budget_id)
    if budget is None or budget.measure not in MONEY:
        return {}
    found = {}
    for subject in subjects_of(session, budget):
        whose = Subject(budget.scope, subject)
        found[budget.version, subject] = money_spent(
            session, whose, budget.measure, budget.currency, month_of(clock())
        )
    return found


def look_at(session: Session, status: Status, clock: Clock = utc_now) -> Change:
    """Raise and end alerts as `status` says, and write notices to those whom the budget is about."""
    budget = status.budget
    living = {
        alert.threshold: alert
        for alert in session.scalars(
            select(BudgetAlert).where(
                BudgetAlert.budget_id == budget.id,
                BudgetAlert.subject == status.subject,
                BudgetAlert.ended_at.is_(None),
            )
        )
    }
    reached = set(status.level.reached)
    raised, ended = sorted(reached - set(living)), sorted(set(living) - reached)
    now = clock()
    for threshold in raised:
        session.add(
            BudgetAlert(
                budget=budget,
                subject=status.subject,
                threshold=threshold,
                used=status.level.used,
                raised_at=now,
            )
        )
    for threshold in ended:
        living[threshold].ended_at = now
    session.flush()
    if raised:
        _tell(session, status, max(raised), clock)
    elif ended:
        _tell_end(session, status, min(ended), clock)
    return Change(tuple(raised), tuple(ended))


def stop_what_is_over(session: Session, status: Status, sealer: Sealer, clock: Clock = utc_now) -> list[str]:
    """Ask for the stop of what exceeds the budget once its grace period is over; ids of the commands.

    Of money all is stopped; of processors and memory the newest, until the rest is what may be.
    """
    if status.stop_at is None or clock() < status.stop_at:
        return []
    budget, over = status.budget, status.level.used - status.level.most
    commands = []
    for deployment in running_of(session, Subject(budget.scope, status.subject)):
        if budget.measure in (CPU, MEMORY):
            if over <= 0:
                break
            over -= held_by(deployment, budget.measure)
        command_id = _stop(session, status, deployment, sealer, clock)
        commands += [command_id] if command_id else []
    return commands


def people_of(session: Session, budget: Budget, subject: str) -> list[User]:
    """Who is told: the person, the members of the project, or the admins."""
    query = select(User).where(User.active.is_(True)).order_by(User.id)
    if budget.scope == PLATFORM:
        return list(session.scalars(query.where(User.is_admin.is_(True))))
    if budget.scope == USER:
        return list(session.scalars(query.where(User.username == subject)))
    return list(session.scalars(query.where(User.projects.any(Project.name == subject))))


def _stop(
    session: Session, status: Status, deployment: Deployment, sealer: Sealer, clock: Clock
) -> str | None:
    budget = status.budget
    person = budget.set_by if budget.set_by.active and budget.set_by.is_admin else deployment.owner
    try:
        with session.begin_nested():
            wanted = CommandRequest("stop", deployment=deployment.id)
            command = submit_command(session, person, wanted, sealer, address=_BY, clock=clock)
    except DomainError as error:
        log.info("%s is not stopped now for the budget %s: %s", deployment.name, budget.id, error)
        return None
    about = {"budget": budget.id, "deployment": deployment.id, "command": command.id}
    record_action(session, _BY, "budget stop", **about)
    return str(command.id)


def _tell(session: Session, status: Status, threshold: int, clock: Clock) -> None:
    budget, level = status.budget, status.level
    name = name_budget(budget.scope, status.subject, budget.measure)
    amount = show_used(budget.measure, level.used, budget.currency)
    most = show_used(budget.measure, level.most, budget.currency)
    at_the_end = {
        STOP: f"What exceeds it is stopped after {budget.grace_minutes} minutes.",
        REFUSE: "Nothing new is started.",
    }.get(budget.action, "Nothing is stopped or refused.")
    if threshold == EXCEEDED and status.stop_at is not None:
        at_the_end = f"What exceeds it is stopped at {status.stop_at:%Y-%m-%d %H:%M} UTC."
    elif threshold < 100:
        at_the_end = f"At 100 %: {at_the_end[0].lower()}{at_the_end[1:]}"
    text = f"{name[0].upper()}{name[1:]} is used by {level.percent} %: {amount} of {most}. {at_the_end}"
    subject = f"{level.percent} % of {name} is used"
    data = {
        "subject": subject,
        "message": text,
        "budget": {**show_status(status), "threshold": min(threshold, 100)},
    }
    write_event(session, people_of(session, budget, status.subject), "budget.reached", data, clock)
    record_action(
        session, _BY, "budget reached", budget=budget.id, subject=status.subject, threshold=str(threshold)
    )


def _tell_end(session: Session, status: Status, threshold: int, clock: Clock) -> None:
    budget, level = status.budget, status.level
    name = name_budget(budget.scope, status.subject, budget.measure)
    text = f"{name[0].upper()}{name[1:]} is used by {level.percent} % now, below {min(threshold, 100)} %."
    data = {"subject": f"{name} is below {min(threshold, 100)} % again", "message": text}
    shown = {**show_status(status), "threshold": min(threshold, 100)}
    people = people_of(session, budget, status.subject)
    write_event(session, people, "budget.ended", {**data, "budget": shown}, clock)
    record_action(
        session, _BY, "budget ended", budget=budget.id, subject=status.subject, threshold=str(threshold)
    )


def _end_alerts_of_others(session: Session, budget: Budget, subjects: list[str], clock: Clock) -> None:
    """Who has nothing any more, or a budget of their own now, is warned by this one no longer."""
    stale = select(BudgetAlert).where(
        BudgetAlert.budget_id == budget.id,
        BudgetAlert.ended_at.is_(None),
        BudgetAlert.subject.not_in(subjects),
    )
    for alert in session.scalars(stale).all():
        alert.ended_at = clock()
