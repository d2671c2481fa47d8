"""Budgets and requests for more."""

from __future__ import annotations

from typing import Any

from apiflask import Schema
from apiflask.fields import Integer, String
from apiflask.validators import Length, OneOf, Range

from labyard.billing.budgets import ACTIONS, MEASURES, SCOPES
from labyard.models.billing_budgets import REQUEST_STATES

from .fields import BUDGET_ID, flag_out, named, number_out, text_out, time_out

_AMOUNT = r"\d{1,15}(\.\d{1,6})?"
_SUBJECT = "[A-Za-z0-9][A-Za-z0-9._@-]{0,62}"
_UNITS = "deployments, cores, GiB or money as text"
_GRACE = 7 * 24 * 60  # minutes


def _limit(**options: Any) -> String:
    return named(_AMOUNT, "a number as text, as 2.5", metadata={"description": _UNITS}, **options)


class BudgetOut(Schema):
    """How much of something a person, a project or the platform may have."""

    id = text_out()
    scope = String(required=True, validate=OneOf(SCOPES))
    subject = text_out("a user name or a project; empty: each one's that has no own, or the platform's")
    measure = String(required=True, validate=OneOf(MEASURES))
    limit = text_out()
    unit = text_out()
    currency = text_out("of money; else empty")
    action = text_out("at 100 %: warn, refuse or stop")
    grace_minutes = number_out("until what exceeds it is stopped")
    set_by = text_out()
    version = number_out()
    created_at = time_out()


BUDGET_FILTERS: dict[str, Any] = {
    "scope": String(validate=OneOf(SCOPES)),
    "measure": String(validate=OneOf(MEASURES)),
    "subject": named(_SUBJECT, "a user name or the name of a project"),
}


class BudgetChange(Schema):
    """What to change of a budget."""

    limit = _limit()
    currency = named("[A-Z]{3}", "three capital letters of ISO 4217, as EUR")
    action = String(validate=OneOf(ACTIONS))
    grace_minutes = Integer(strict=True, validate=Range(0, _GRACE))


class BudgetIn(BudgetChange):
    """A new budget."""

    scope = String(required=True, validate=OneOf(SCOPES))
    subject = named(_SUBJECT, "a user name or the name of a project")
    measure = String(required=True, validate=OneOf(MEASURES))
    limit = _limit(required=True)


class BudgetStatusOut(Schema):
    """How a budget stands now; looked at for this answer."""

    budget = text_out("the id of the budget")
    scope = text_out()
    subject = text_out("whose it is")
    measure = text_out()
    limit = text_out()
    used = text_out()
    left = text_out()
    unit = text_out()
    percent = number_out("rounded down; 999 stands for more, too")
    reached = number_out("the threshold that is reached: 0, 70, 90 or 100")
    exceeded = flag_out()
    action = text_out()
    stop_at = time_out("when what exceeds it is stopped", null=True)


class BudgetRequestIn(Schema):
    """A request for more."""

    budget = named(BUDGET_ID, "the id of a budget", required=True)
    limit = _limit(required=True)
    reason = String(required=True, validate=Length(1, 1000))
    subject = named(_SUBJECT, "the name of a project of yours")


class BudgetRequestOut(Schema):
    """A request for more, and what became of it."""

    id = text_out()
    budget = text_out("the id of the budget")
    scope = text_out()
    subject = text_out()
    measure = text_out()
    limit = text_out("what is asked for")
    present_limit = text_out("of the budget now")
    unit = text_out()
    username = text_out("who asks")
    reason = text_out()
    state = String(required=True, validate=OneOf(REQUEST_STATES))
    answer = text_out()
    answered_by = text_out(null=True)
    answered_at = time_out(null=True)
    created_at = time_out()


REQUEST_FILTERS: dict[str, Any] = {"state": String(validate=OneOf(REQUEST_STATES))}


class ApprovalIn(Schema):
    """Yes."""

    limit = named(_AMOUNT, "a number as text", metadata={"description": "by default what is asked for"})
    answer = String(load_default="", validate=Length(max=1000))


class DeclineIn(Schema):
    """No."""

    answer = String(required=True, validate=Length(1, 1000))
