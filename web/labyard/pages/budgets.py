"""Budgets: how they stand, asking for more, and, for admins, setting them and answering."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_login import login_required
from flask_wtf import FlaskForm
from wtforms import IntegerField, SelectChoice, SelectField, StringField
from wtforms.validators import NumberRange, Optional

from labyard.accounts.audit import record_action
from labyard.billing.budget_book import (
    Status,
    budgets_for,
    budgets_of,
    change_budget,
    delete_budget,
    get_budget,
    make_budget,
    status_of,
    statuses_for,
    subjects_of,
)
from labyard.billing.budget_requests import approve, ask_for_more, decline, requests_of
from labyard.billing.budgets import ACTIONS, MEASURES, PROJECT, SCOPES, name_budget, show_used
from labyard.billing.showing_budgets import plain, show_budget
from labyard.context import session
from labyard.errors import Conflict, DomainError, Forbidden, InvalidInput
from labyard.models import Budget, BudgetRequest, User
from labyard.models.base import lock_row
from labyard.models.billing_budgets import ASKED
from labyard.security import require_person
from labyard.web_requests import commit_request, remote_address

from .admins import require_admin
from .blueprint import blueprint

_NEWEST = 50  # requests on the page
_MOST = 200  # persons or projects of one budget
_GRACE = 7 * 24 * 60  # minutes
_ACTION_WORDS = {
    "warn": "only a warning",
    "refuse": "nothing more is launched",
    "stop": "what runs is stopped",
}
_SCOPE_WORDS = {"user": "a person", "project": "a project", "platform": "the platform"}
_MEASURE_WORDS = {
    "deployments": "Deployments",
    "cpu": "CPU, in cores",
    "memory": "Memory, in GiB",
    "storage": "Storage, in GiB",
    "money_month": "Money in a month",
    "money_total": "Money in all",
}


class BudgetForm(FlaskForm):
    """How much there may be, and what happens then."""

    limit = StringField("Limit", render_kw={"required": True, "inputmode": "decimal", "maxlength": 30})
    currency = StringField(
        "Currency", description="Of money alone: three letters, as in EUR.", render_kw={"maxlength": 3}
    )
    action = SelectField("At 100 %", choices=[SelectChoice(name, _ACTION_WORDS[name]) for name in ACTIONS])
    grace_minutes = IntegerField(
        "Minutes until it is stopped",
        [Optional(), NumberRange(0, _GRACE, f"must be from 0 to {_GRACE}")],
        default=0,
    )


class NewBudgetForm(BudgetForm):
    """Whose it is, and what it counts."""

    scope = SelectField("For", choices=[SelectChoice(name, _SCOPE_WORDS[name]) for name in SCOPES])
    subject = StringField(
        "Name",
        description="A user name or a project; empty: each one that has no budget of its own.",
        render_kw={"maxlength": 63, "spellcheck": "false"},
    )
    measure = SelectField("Of what", choices=[SelectChoice(name, _MEASURE_WORDS[name]) for name in MEASURES])


@blueprint.get("/costs/budgets")
@login_required
def budgets() -> Any:
    """What counts for the person, and their requests; an admin's are all budgets."""
    return _show_all(NewBudgetForm(formdata=None))


@blueprint.post("/costs/budgets")
@login_required
def add_budget() -> Any:
    """Set a new one."""
    admin, form = require_admin(), NewBudgetForm()
    try:
        if not form.validate():
            raise InvalidInput("The budget was not saved.", {})
        document = {
            "scope": form.scope.data,
            "subject": (form.subject.data or "").strip(),
            "measure": form.measure.data,
            **_read(form),
        }
        budget = make_budget(session(), admin, document)
        record_action(session(), admin.username, "budget set", remote_address(), **_about(budget))
        commit_request()
    except (InvalidInput, Conflict) as error:
        return _show_all(form, left=_take_back(error, form)), error.status
    flash("The budget was set.", "info")
    return redirect(url_for("pages.budgets"), 303)


@blueprint.route("/costs/budgets/<budget_id>", methods=["GET", "POST"])
@login_required
def budget(budget_id: str) -> Any:
    """One budget with all whose it is; a form to change it."""
    admin = require_admin()
    found, left, status = get_budget(session(), admin, budget_id), {}, 200
    form = BudgetForm(
        data={
            "limit": plain(found.measure, found.most, found.currency),
            "currency": found.currency,
            "action": found.action,
            "grace_minutes": found.grace_minutes,
        }
    )
    if form.is_submitted():
        try:
            if not form.validate():
                raise InvalidInput("The budget was not saved.", {})
            lock_row(session(), found)
            change_budget(session(), admin, found, _read(form))
            record_action(session(), admin.username, "budget changed", remote_address(), **_about(found))
            commit_request()
            flash("The budget was changed.", "info")
            return redirect(url_for("pages.budgets"), 303)
        except (InvalidInput, Conflict) as error:
            left, status = _take_back(error, form), error.status
            found = get_budget(session(), admin, budget_id)
    subjects = subjects_of(session(), found)[:_MOST]
    return render_template(
        "budget.html",
        budget=found,
        title=_title(found, found.subject),
        form=form,
        left=left,
        statuses=[status_of(session(), found, subject) for subject in subjects],
    ), status


@blueprint.post("/costs/budgets/<budget_id>/delete")
@login_required
def remove_budget(budget_id: str) -> Any:
    """Delete it, with what was said and asked about it."""
    admin = require_admin()
    found = get_budget(session(), admin, budget_id)
    record_action(session(), admin.username, "budget deleted", remote_address(), **_about(found))
    delete_budget(session(), found)
    commit_request()
    flash("The budget was deleted.", "info")
    return redirect(url_for("pages.budgets"), 303)


@blueprint.post("/costs/budgets/<budget_id>/more")
@login_required
def ask_for_budget(budget_id: str) -> Any:
    """Ask for more of it."""
    form, person = request.form, require_person()
    limit, reason = form.get("limit", "").strip(), form.get("reason", "").strip()[:1000]
    subject = form.get("subject", "").strip()
    try:
        found = get_budget(session(), person, budget_id)
        whose = subject if found.scope == PROJECT else ""
        ask_for_more(session(), person, budget_id, limit, reason, whose, address=remote_address())
        commit_request()
    except (InvalidInput, Conflict, Forbidden) as error:
        session().rollback()
        wrong = {(budget_id, subject): error.errors or {"": error.detail}}
        return _show_all(NewBudgetForm(formdata=None), wrong=wrong), error.status
    flash("An admin was asked. You are told what they say.", "info")
    return redirect(url_for("pages.budgets"), 303)


@blueprint.post("/costs/budget-requests/<request_id>/<any(approve, decline):what>")
@login_required
def answer_budget_request(request_id: str, what: str) -> Any:
    """Say yes, or no with a reason."""
    admin, words = require_admin(), request.form.get("answer", "").strip()[:1000]
    try:
        if what == "approve":
            approve(session(), admin, request_id, answer=words, address=remote_address())
        else:
            decline(session(), admin, request_id, words, address=remote_address())
        commit_request()
    except (InvalidInput, Conflict) as error:
        session().rollback()
        wrong = {request_id: "; ".join(error.errors.values()) or error.detail}
        return _show_all(NewBudgetForm(formdata=None), unanswered=wrong), error.status
    flash("It was given." if what == "approve" else "It was declined.", "info")
    return redirect(url_for("pages.budgets"), 303)


@blueprint.app_template_filter()
def budget_title(status: Status) -> str:
    """The budget of ada for CPU."""
    return _title(status.budget, status.subject)


@blueprint.app_template_filter()
def budget_words(status: Status) -> str:
    """3.5 cores of 4 cores, 87 %."""
    level, currency = status.level, status.budget.currency
    used = show_used(level.measure, level.used, currency)
    return f"{used} of {show_used(level.measure, level.most, currency)}, {level.percent} %"


@blueprint.app_template_filter()
def budget_left(status: Status) -> str:
    """0.5 cores."""
    return show_used(status.level.measure, status.level.left, status.budget.currency)


@blueprint.app_template_filter()
def left_words(status: Status) -> str:
    """Left of the budget of ada for CPU: 0.5 cores of 4 cores."""
    found = status.budget
    name = name_budget(found.scope, status.subject, found.measure)
    return f"Left of {name}: {budget_left(status)} of {limit_words(found)}"


@blueprint.app_template_filter()
def limit_words(found: Budget) -> str:
    """4 cores."""
    return show_used(found.measure, found.most, found.currency)


@blueprint.app_template_filter()
def request_words(row: BudgetRequest) -> str:
    """8 cores instead of 4 cores of the budget of ada for CPU."""
    found = row.budget
    wanted, present = (show_used(found.measure, amount, found.currency) for amount in (row.most, found.most))
    return f"{wanted} instead of {present} of {name_budget(found.scope, row.subject, found.measure)}"


def budgets_of_launch(person: User, project: str) -> list[Status]:
    """How the budgets stand that count for what `person` launches in `project`."""
    found = budgets_for(session(), person.username, [project] if project else [])
    return [status_of(session(), *pair) for pair in found]


def _title(found: Budget, subject: str) -> str:
    if not subject and found.scope != "platform":
        return f"Each {found.scope}'s budget for {name_budget('', '', found.measure).split(' for ')[-1]}"
    words = name_budget(found.scope, subject, found.measure)
    return words[0].upper() + words[1:]


def _read(form: BudgetForm) -> dict[str, Any]:
    currency = (form.currency.data or "").strip().upper()
    return {
        "limit": (form.limit.data or "").strip(),
        "action": form.action.data,
        "grace_minutes": form.grace_minutes.data or 0,
        **({"currency": currency} if currency else {}),
    }


def _about(found: Budget) -> dict[str, str]:
    names = ("id", "scope", "subject", "measure", "limit", "unit")
    return {name: str(value) for name, value in show_budget(found).items() if name in names}


def _take_back(error: DomainError, form: FlaskForm) -> dict[str, str]:
    """Undo the request and put the messages at their fields; those of no field are returned."""
    session().rollback()
    left = dict(error.errors)
    for name in list(left):
        if name in form:
            form[name].errors = [*form[name].errors, left.pop(name)]
    return left if left or error.errors or form.errors else {"": error.detail}


def _show_all(
    form: NewBudgetForm,
    left: dict[str, str] | None = None,
    wrong: dict[tuple[str, str], dict[str, str]] | None = None,
    unanswered: dict[str, str] | None = None,
) -> Any:
    person = require_person()
    asked = requests_of(person).order_by(BudgetRequest.created_at.desc()).limit(_NEWEST)
    found = list(session().scalars(asked))
    waiting = {(row.budget_id, row.subject) for row in found if row.state == ASKED}
    every: list[Budget] = []
    if person.is_admin:
        every = list(
            session().scalars(budgets_of(person).order_by(Budget.scope, Budget.subject, Budget.measure))
        )
    projects = [project.name for project in person.projects]
    return render_template(
        "budgets.html",
        statuses=statuses_for(session(), person),
        requests=found,
        waiting=waiting,
        every=[(one, _title(one, one.subject)) for one in every],
        action_words=_ACTION_WORDS,
        projects=projects,
        form=form,
        left=left or {},
        wrong=wrong or {},
        unanswered=unanswered or {},
        given=request.form,
    )
