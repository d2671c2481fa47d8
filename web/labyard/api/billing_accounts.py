"""Who pays: accounts."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for

from labyard.accounts.audit import record_action
from labyard.accounts.searching import begins_with
from labyard.billing.accounts import accounts_of, change_account, find_account, get_account, make_account
from labyard.context import session
from labyard.models import BillingAccount
from labyard.models.base import lock_row
from labyard.security import require_person
from labyard.views import show_time
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .admins import require_admin
from .answers import check_match, tagged_answer
from .paging import Listing, answer_page
from .schemas.billing import ACCOUNT_FILTERS, AccountChange, AccountIn, AccountOut
from .schemas.lists import list_of, query_of

_ACCOUNTS = Listing(
    "accounts",
    BillingAccount.id,
    {"name": BillingAccount.name},
    "name",
)
_EXAMPLE = {"name": "physics", "holder": "Institute of Physics", "projects": ["physics"]}


@blueprint.get("/accounts")
@blueprint.input(query_of(_ACCOUNTS, AccountOut, ACCOUNT_FILTERS), location="query", arg_name="query")
@blueprint.output(list_of(AccountOut))
@blueprint.doc(summary="Your billing accounts (an admin's: all)", security="key")
def list_accounts(query: dict[str, Any]) -> Response:
    found = accounts_of(require_person())
    if "search" in query:
        found = found.where(begins_with(BillingAccount.name, query["search"]))
    return answer_page(found, _ACCOUNTS, query, lambda rows: [show_account(row) for row in rows])


@blueprint.post("/accounts")
@blueprint.input(AccountIn, arg_name="document", example=_EXAMPLE)
@blueprint.output(AccountOut, status_code=201)
@blueprint.doc(summary="Make a billing account (admins)", security="key", extensions={"x-location": True})
def make_one_account(document: dict[str, Any]) -> Response:
    admin = require_admin()
    account = make_account(session(), document)
    record_action(session(), admin.username, "account made", remote_address(), account=account.name)
    commit_request()
    place = url_for("api.show_one_account", account=account.name)
    return tagged_answer(show_account(account), 201, {"Location": place})


@blueprint.get("/accounts/<account>")
@blueprint.output(AccountOut)
@blueprint.doc(summary="One billing account", security="key")
def show_one_account(account: str) -> Response:
    return tagged_answer(show_account(get_account(session(), require_person(), account)))


@blueprint.patch("/accounts/<account>")
@blueprint.input(AccountChange, arg_name="document", example={"holder": "Institute of Physics"})
@blueprint.output(AccountOut)
@blueprint.doc(
    summary="Change a billing account (admins); invoices that are final keep what they say", security="key"
)
def change_one_account(account: str, document: dict[str, Any]) -> Response:
    admin = require_admin()
    found = find_account(session(), account)
    lock_row(session(), found)
    check_match(found.version)
    change_account(session(), found, document)
    changed = ", ".join(sorted(document))
    record_action(
        session(), admin.username, "account changed", remote_address(), account=account, fields=changed
    )
    commit_request()
    return tagged_answer(show_account(found))


def show_account(account: BillingAccount) -> dict[str, Any]:
    """An account as a document."""
    texts = {name: getattr(account, name) for name in ("name", "holder", "address", "tax_id", "email")}
    return {
        **texts,
        "tariff": account.tariff,
        "people": sorted(person.username for person in account.people),
        "projects": sorted(project.name for project in account.projects),
        "version": account.version,
        "created_at": show_time(account.created_at),
    }
