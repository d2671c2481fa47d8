"""Budgets: set by admins, seen by those whom they are about."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for

from labyard.accounts.audit import record_action
from labyard.billing.budget_book import (
    budgets_of,
    change_budget,
    delete_budget,
    get_budget,
    make_budget,
    status_of,
    statuses_for,
    subjects_of,
)
from labyard.billing.budgets import PLATFORM, USER
from labyard.billing.showing_budgets import show_budget, show_status
from labyard.context import session
from labyard.models import Budget
from labyard.models.base import lock_row
from labyard.security import require_person
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .admins import require_admin
from .answers import answer, check_match, no_content, tagged_answer
from .paging import Listing, answer_page, whole_list
from .schemas.budgets import BUDGET_FILTERS, BudgetChange, BudgetIn, BudgetOut, BudgetStatusOut
from .schemas.lists import list_of, query_of

_BUDGETS = Listing("budgets", Budget.id, {"created_at": Budget.created_at}, "created_at")
_EXAMPLE = {"scope": "user", "subject": "ada", "measure": "cpu", "limit": "4", "action": "refuse"}
_MOST = 200  # subjects of one answer


@blueprint.get("/budgets")
@blueprint.input(query_of(_BUDGETS, BudgetOut, BUDGET_FILTERS), location="query", arg_name="query")
@blueprint.output(list_of(BudgetOut))
@blueprint.doc(summary="The budgets that are about you (an admin's: all)", security="key")
def list_budgets(query: dict[str, Any]) -> Response:
    found = budgets_of(require_person())
    for name in BUDGET_FILTERS:
        if name in query:
            found = found.where(getattr(Budget, name) == query[name])
    return answer_page(found, _BUDGETS, query, lambda rows: [show_budget(row) for row in rows])


@blueprint.get("/budgets/mine")
@blueprint.output(list_of(BudgetStatusOut))
@blueprint.doc(summary="How all stands that counts for you, in one page", security="key")
def list_own_budgets() -> Response:
    return whole_list([show_status(status) for status in statuses_for(session(), require_person())])


@blueprint.post("/budgets")
@blueprint.input(BudgetIn, arg_name="document", example=_EXAMPLE)
@blueprint.output(BudgetOut, status_code=201)
@blueprint.doc(summary="Set a budget (admins)", security="key", extensions={"x-location": True})
def make_one_budget(document: dict[str, Any]) -> Response:
    admin = require_admin()
    budget = make_budget(session(), admin, document)
    record_action(session(), admin.username, "budget set", remote_address(), **_about(budget))
    commit_request()
    place = url_for("api.show_one_budget", budget_id=budget.id)
    return answer(show_budget(budget), 201, {"Location": place})


@blueprint.get("/budgets/<string(length=12):budget_id>")
@blueprint.output(BudgetOut)
@blueprint.doc(summary="One budget", security="key")
def show_one_budget(budget_id: str) -> Response:
    return tagged_answer(show_budget(get_budget(session(), require_person(), budget_id)))


@blueprint.get("/budgets/<string(length=12):budget_id>/status")
@blueprint.output(list_of(BudgetStatusOut))
@blueprint.doc(
    summary="How a budget stands, for you or (admins) for each of whom it is, 200 at most", security="key"
)
def show_budget_status(budget_id: str) -> Response:
    person = require_person()
    budget = get_budget(session(), person, budget_id)
    if person.is_admin:
        subjects = subjects_of(session(), budget)[:_MOST]
    elif budget.subject or budget.scope == PLATFORM:
        subjects = [budget.subject]
    else:
        own = [person.username] if budget.scope == USER else [project.name for project in person.projects]
        subjects = own[:_MOST]
    return whole_list([show_status(status_of(session(), budget, subject)) for subject in subjects])


@blueprint.patch("/budgets/<string(length=12):budget_id>")
@blueprint.input(BudgetChange, arg_name="document", example={"limit": "8"})
@blueprint.output(BudgetOut)
@blueprint.doc(summary="Change a budget (admins)", security="key")
def change_one_budget(budget_id: str, document: dict[str, Any]) -> Response:
    admin = require_admin()
    budget = get_budget(session(), admin, budget_id)
    lock_row(session(), budget)
    check_match(budget.version)
    change_budget(session(), admin, budget, document)
    record_action(session(), admin.username, "budget changed", remote_address(), **_about(budget))
    commit_request()
    return tagged_answer(show_budget(budget))


@blueprint.delete("/budgets/<string(length=12):budget_id>")
@blueprint.output({}, status_code=204)
@blueprint.doc(summary="Delete a budget (admins)", security="key")
def delete_one_budget(budget_id: str) -> Response:
    admin = require_admin()
    budget = get_budget(session(), admin, budget_id)
    check_match(budget.version)
    record_action(session(), admin.username, "budget deleted", remote_address(), **_about(budget))
    delete_budget(session(), budget)
    commit_request()
    return no_content()


def _about(budget: Budget) -> dict[str, str]:
    shown = show_budget(budget)
    names = ("scope", "subject", "measure", "limit", "unit")
    return {"budget": budget.id, "acts": budget.action, **{name: str(shown[name]) for name in names}}
