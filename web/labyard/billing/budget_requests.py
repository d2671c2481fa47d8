"""Asking for more of a budget, and the answer of an admin."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.money import read_decimal
from labyard.accounts.audit import record_action
from labyard.clock import Clock, utc_now
from labyard.errors import Conflict, Forbidden, InvalidInput, NotFound
from labyard.models import Budget, BudgetRequest, User
from labyard.models.base import lock_row
from labyard.models.billing_budgets import APPROVED, ASKED, DECLINED
from labyard.notices.outbox import write_event

from .budget_book import get_budget
from .budgets import PLATFORM, USER, name_budget, show_used
from .showing_budgets import show_request


def ask_for_more(
    session: Session,
    person: User,
    budget_id: str,
    most: object,
    reason: str,
    subject: str = "",
    *,
    address: str = "",
    clock: Clock = utc_now,
) -> BudgetRequest:
    """Ask for the limit `most` of a budget; all admins are told.

    `subject`: for which project, where the budget is for each of them. Raises NotFound, InvalidInput,
    Forbidden for other people's budgets, Conflict if that was asked already.
    """
    budget = get_budget(session, person, budget_id)
    whose = _subject(person, budget, subject)
    amount = _read_limit(most)
    if amount <= budget.most:
        text = f"is no more than the present limit, {show_used(budget.measure, budget.most, budget.currency)}"
        raise InvalidInput("Nothing was asked for.", {"limit": text})
    if not reason.strip():
        raise InvalidInput("Nothing was asked for.", {"reason": "say what for: an admin decides by it"})
    lock_row(session, budget)
    open_one = select(BudgetRequest.id).where(
        BudgetRequest.budget_id == budget.id, BudgetRequest.subject == whose, BudgetRequest.state == ASKED
    )
    known = session.scalar(open_one.limit(1))
    if known is not None:
        raise Conflict(f"More was asked for already (request {known}). Wait for the answer.")
    request = BudgetRequest(
        budget=budget, subject=whose, user=person, most=amount, reason=reason.strip(), created_at=clock()
    )
    session.add(request)
    session.flush()
    record_action(
        session, person.username, "budget more asked", address, budget=budget.id, request=request.id
    )
    admins = session.scalars(select(User).where(User.is_admin.is_(True), User.active.is_(True))).all()
    text = (
        f"{person.username} asks for {show_used(budget.measure, amount, budget.currency)} instead of "
        f"{show_used(budget.measure, budget.most, budget.currency)} of {_name(request)}: {request.reason}"
    )
    _tell(session, list(admins), "budget.requested", f"{person.username} asks for more", text, request, clock)
    return request


def approve(
    session: Session,
    admin: User,
    request_id: str,
    most: object = None,
    answer: str = "",
    *,
    address: str = "",
    clock: Clock = utc_now,
) -> BudgetRequest:
    """Give what was asked for, or `most`; who has only the budget of each one gets one of their own.

    Raises NotFound, InvalidInput, Conflict if it was answered already.
    """
    request = _open(session, admin, request_id)
    budget = request.budget
    amount = request.most if most is None else _read_limit(most)
    if budget.subject == request.subject:
        budget.most = amount
    else:
        own = session.scalar(
            select(Budget).where(
                Budget.scope == budget.scope,
                Budget.subject == request.subject,
                Budget.measure == budget.measure,
            )
        )
        own = own or Budget(
            scope=budget.scope,
            subject=request.subject,
            measure=budget.measure,
            currency=budget.currency,
            action=budget.action,
            grace_minutes=budget.grace_minutes,
        )
        own.most, own.set_by = amount, admin
        session.add(own)
    _answer(request, admin, APPROVED, answer, clock)
    words = show_used(budget.measure, amount, budget.currency)
    record_action(session, admin.username, "budget more given", address, request=request.id, limit=words)
    text = f"{_name(request).capitalize()} is {words} now. {request.answer}".strip()
    _tell(session, [request.user], "budget.approved", "You got more", text, request, clock)
    session.flush()
    return request


def decline(
    session: Session,
    admin: User,
    request_id: str,
    answer: str,
    *,
    address: str = "",
    clock: Clock = utc_now,
) -> BudgetRequest:
    """Say no, with a reason. Raises NotFound, InvalidInput, Conflict if it was answered already."""
    if not answer.strip():
        raise InvalidInput("Nothing was answered.", {"answer": "say why not"})
    request = _open(session, admin, request_id)
    _answer(request, admin, DECLINED, answer, clock)
    record_action(session, admin.username, "budget more declined", address, request=request.id)
    text = f"{_name(request).capitalize()} stays as it is: {request.answer}"
    _tell(session, [request.user], "budget.declined", "You got no more", text, request, clock)
    session.flush()
    return request


def requests_of(person: User) -> Select[Any]:
    """The requests of `person`; an admin's are all."""
    query = select(BudgetRequest)
    return query if person.is_admin else query.where(BudgetRequest.user_id == person.id)


def get_request(session: Session, person: User, request_id: str) -> BudgetRequest:
    """The request of that id; raises NotFound if there is none that `person` may see."""
    found = session.scalar(requests_of(person).where(BudgetRequest.id == request_id))
    if found is None:
        raise NotFound(f"There is no request {request_id[:40]} of yours.")
    request: BudgetRequest = found
    return request


def _subject(person: User, budget: Budget, subject: str) -> str:
    """Whose limit is asked about; raises Forbidden, InvalidInput."""
    if budget.scope == PLATFORM:
        return ""
    if budget.scope == USER:
        if (budget.subject or subject or person.username) != person.username:
            raise Forbidden("People ask for themselves alone. An admin changes the budget itself.")
        return person.username
    whose = budget.subject or subject
    if not whose:
        raise InvalidInput("Nothing was asked for.", {"subject": "say for which project"})
    if whose not in [project.name for project in person.projects]:
        raise InvalidInput("Nothing was asked for.", {"subject": f"{whose} is no project of yours"})
    return whose


def _read_limit(value: object) -> Decimal:
    try:
        amount = read_decimal(value, "limit")
    except BillingError as error:
        raise InvalidInput(
            "The limit is not right.", {"limit": str(error).removeprefix("limit: ")}
        ) from error
    if not 0 <= amount < Decimal(10) ** 15:
        raise InvalidInput("The limit is not right.", {"limit": "must be at least 0, and below 10^15"})
    return amount


def _open(session: Session, admin: User, request_id: str) -> BudgetRequest:
    request = get_request(session, admin, request_id)
    lock_row(session, request)
    if request.state != ASKED:
        raise Conflict(f"The request was answered already: {request.answered_by} {request.state} it.")
    return request


def _answer(request: BudgetRequest, admin: User, state: str, answer: str, clock: Clock) -> None:
    request.state, request.answer = state, answer.strip()
    request.answered_by, request.answered_at = admin.username, clock()


def _name(request: BudgetRequest) -> str:
    return name_budget(request.budget.scope, request.subject, request.budget.measure)


def _tell(
    session: Session,
    people: list[User],
    event: str,
    subject: str,
    text: str,
    request: BudgetRequest,
    clock: Clock,
) -> None:
    data = {"subject": f"{subject}: {_name(request)}", "message": text, "request": show_request(request)}
    write_event(session, people, event, data, clock)
