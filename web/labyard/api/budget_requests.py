"""Asking for more of a budget, and the answers of admins."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for

from labyard.billing.budget_requests import approve, ask_for_more, decline, get_request, requests_of
from labyard.billing.showing_budgets import show_request
from labyard.context import session
from labyard.errors import InvalidInput, NotFound
from labyard.models import BudgetRequest
from labyard.security import require_person
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .admins import require_admin
from .answers import answer
from .paging import Listing, answer_page
from .schemas.budgets import REQUEST_FILTERS, ApprovalIn, BudgetRequestIn, BudgetRequestOut, DeclineIn
from .schemas.lists import list_of, query_of

_REQUESTS = Listing(
    "budget_requests", BudgetRequest.id, {"created_at": BudgetRequest.created_at}, "-created_at"
)
_EXAMPLE = {"budget": "a1b2c3d4e5f6", "limit": "8", "reason": "the course of next week"}


@blueprint.get("/budget-requests")
@blueprint.input(query_of(_REQUESTS, BudgetRequestOut, REQUEST_FILTERS), location="query", arg_name="query")
@blueprint.output(list_of(BudgetRequestOut))
@blueprint.doc(summary="Your requests for more (an admin's: all)", security="key")
def list_budget_requests(query: dict[str, Any]) -> Response:
    found = requests_of(require_person())
    if "state" in query:
        found = found.where(BudgetRequest.state == query["state"])
    return answer_page(found, _REQUESTS, query, lambda rows: [show_request(row) for row in rows])


@blueprint.post("/budget-requests")
@blueprint.input(BudgetRequestIn, arg_name="document", example=_EXAMPLE)
@blueprint.output(BudgetRequestOut, status_code=201)
@blueprint.doc(summary="Ask for more; the admins are told", security="key", extensions={"x-location": True})
def make_budget_request(document: dict[str, Any]) -> Response:
    person = require_person()
    try:
        made = ask_for_more(
            session(),
            person,
            document["budget"],
            document["limit"],
            document["reason"],
            document.get("subject", ""),
            address=remote_address(),
        )
    except NotFound as error:
        raise InvalidInput("Nothing was asked for.", {"budget": error.detail}) from error
    commit_request()
    place = url_for("api.show_budget_request", request_id=made.id)
    return answer(show_request(made), 201, {"Location": place})


@blueprint.get("/budget-requests/<string(length=12):request_id>")
@blueprint.output(BudgetRequestOut)
@blueprint.doc(summary="One request for more", security="key")
def show_budget_request(request_id: str) -> Response:
    return answer(show_request(get_request(session(), require_person(), request_id)))


@blueprint.post("/budget-requests/<string(length=12):request_id>/approve")
@blueprint.input(ApprovalIn, arg_name="document", example={"answer": "until the end of June"})
@blueprint.output(BudgetRequestOut)
@blueprint.doc(summary="Give what is asked for, or another limit (admins)", security="key")
def approve_budget_request(request_id: str, document: dict[str, Any]) -> Response:
    given = approve(
        session(),
        require_admin(),
        request_id,
        document.get("limit"),
        document["answer"],
        address=remote_address(),
    )
    commit_request()
    return answer(show_request(given))


@blueprint.post("/budget-requests/<string(length=12):request_id>/decline")
@blueprint.input(DeclineIn, arg_name="document", example={"answer": "the machine is full"})
@blueprint.output(BudgetRequestOut)
@blueprint.doc(summary="Say no (admins)", security="key")
def decline_budget_request(request_id: str, document: dict[str, Any]) -> Response:
    declined = decline(session(), require_admin(), request_id, document["answer"], address=remote_address())
    commit_request()
    return answer(show_request(declined))
