"""Invoices: drafts, final ones, credit notes, and why their lines cost what they cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask import Response, request, url_for
from sqlalchemy import func, select

from ansible_collections.labyard.platform.plugins.module_utils._billing.prices import show_price
from labyard.accounts.audit import record_action
from labyard.billing.accounts import find_account
from labyard.billing.correcting import credit, make_void
from labyard.billing.drafting import draft_invoice, period_of
from labyard.billing.explain import Explanation, explain_line
from labyard.billing.exports import invoice_lines
from labyard.billing.finalizing import finalize
from labyard.billing.looking import get_invoice, select_invoices
from labyard.context import session
from labyard.errors import Conflict, InvalidInput, NotFound
from labyard.models import Invoice, InvoiceLine, UsageRow
from labyard.models.decimals import exact_sum
from labyard.security import require_person
from labyard.views import show_invoice, show_line, show_time
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .admins import require_admin
from .answers import answer, check_match, tagged_answer
from .operations import as_csv
from .paging import Listing, answer_page
from .schemas.billing import (
    INVOICE_FILTERS,
    CreditIn,
    DocumentOut,
    DraftIn,
    ExplanationOut,
    InvoiceExportQuery,
    InvoiceOut,
    LineOut,
    ReasonIn,
    UsageOut,
)
from .schemas.lists import list_of, query_of
from .usage import USAGE, show_usage, streamed_lines

_INVOICES = Listing("invoices", Invoice.id, {"created_at": Invoice.created_at}, "-created_at")
_LINES = Listing("lines", InvoiceLine.position, {"position": InvoiceLine.position}, "position")
_COLUMNS = tuple(LineOut().fields)


@blueprint.get("/invoices")
@blueprint.input(query_of(_INVOICES, InvoiceOut, INVOICE_FILTERS), location="query", arg_name="query")
@blueprint.output(list_of(InvoiceOut))
@blueprint.doc(
    summary="Invoices, drafts and credit notes of your accounts (an admin's: all), newest first",
    security="key",
)
def list_invoices(query: dict[str, Any]) -> Response:
    found = select_invoices(require_person(), query)
    return answer_page(found, _INVOICES, query, lambda rows: [show_invoice(row) for row in rows])


@blueprint.get("/invoices/export")
@blueprint.input(InvoiceExportQuery, location="query", arg_name="query")
@blueprint.doc(
    summary="Final invoices and credit notes: CSV, JSON lines, FOCUS 1.2, or DLab's report",
    security="key",
    extensions={"x-export": ["text/csv", "application/jsonl"]},
)
def export_invoices(query: dict[str, Any]) -> Response:
    found = select_invoices(require_person(), query)
    return streamed_lines(query["format"], invoice_lines(session(), found, query))


@blueprint.post("/invoices")
@blueprint.input(DraftIn, arg_name="document", example={"account": "user:ada", "period": "2026-01"})
@blueprint.output(InvoiceOut, status_code=201)
@blueprint.doc(
    summary="Make the draft of a month's invoice (admins), in place of the one before",
    security="key",
    extensions={"x-location": True},
)
def draft_one_invoice(document: dict[str, Any]) -> Response:
    require_admin()
    try:
        account = find_account(session(), document["account"])
    except NotFound as error:
        raise InvalidInput("No draft was made.", {"account": error.detail}) from error
    draft = draft_invoice(session(), account, document["period"])
    if draft is None:
        raise Conflict(
            f"{account.name} has used nothing until the end of {document['period']} that is not billed."
        )
    commit_request()
    place = url_for("api.show_one_invoice", invoice=draft.id)
    return tagged_answer(show_invoice(draft), 201, {"Location": place})


@blueprint.get("/invoices/<invoice>")
@blueprint.output(InvoiceOut)
@blueprint.doc(summary="One invoice, by its number or id", security="key")
def show_one_invoice(invoice: str) -> Response:
    return tagged_answer(show_invoice(get_invoice(session(), require_person(), invoice)))


@blueprint.get("/invoices/<invoice>/document")
@blueprint.output(DocumentOut)
@blueprint.doc(summary="The document that the customer gets, with its place in the chain", security="key")
def show_document(invoice: str) -> Response:
    found = get_invoice(session(), require_person(), invoice)
    return answer({"document": found.document, "hash": found.hash, "previous_hash": found.previous_hash})


@blueprint.post("/invoices/<invoice>/finalize")
@blueprint.output(InvoiceOut)
@blueprint.doc(
    summary="Make a draft final (admins): it is made anew, gets a number, and changes no more",
    security="key",
)
def finalize_one_invoice(invoice: str) -> Response:
    admin = require_admin()
    draft = get_invoice(session(), admin, invoice)
    check_match(draft.version)
    final = finalize(session(), draft.account, period_of(draft))
    if final is None:
        raise Conflict("Nothing is left to bill: the draft's usage is on another invoice.")
    return _done(admin.username, "invoice finalized", final)


@blueprint.post("/invoices/<invoice>/void")
@blueprint.input(ReasonIn, arg_name="document", example={"reason": "made out to the wrong account"})
@blueprint.output(InvoiceOut)
@blueprint.doc(
    summary="Make a final invoice void (admins): it keeps its number; its usage is on the next one",
    security="key",
)
def void_invoice(invoice: str, document: dict[str, Any]) -> Response:
    admin = require_admin()
    found = get_invoice(session(), admin, invoice)
    check_match(found.version)
    make_void(session(), found, document["reason"])
    return _done(admin.username, "invoice void", found, reason=document["reason"])


@blueprint.post("/invoices/<invoice>/credit")
@blueprint.input(CreditIn, arg_name="document", example={"reason": "it was down for a day"})
@blueprint.output(InvoiceOut, status_code=201)
@blueprint.doc(
    summary="Give back what an invoice billed (admins), all that is left or some of its lines",
    security="key",
    extensions={"x-location": True},
)
def credit_invoice(invoice: str, document: dict[str, Any]) -> Response:
    admin = require_admin()
    found = get_invoice(session(), admin, invoice)
    check_match(found.version)
    lines = document.get("lines")
    amounts = None if lines is None else {line["position"]: Decimal(line["amount"]) for line in lines}
    note = credit(session(), found, document["reason"], amounts)
    place = url_for("api.show_one_invoice", invoice=note.number)
    of = str(found.number)
    return _done(admin.username, "credit note made", note, 201, {"Location": place}, corrects=of)


@blueprint.get("/invoices/<invoice>/lines")
@blueprint.input(query_of(_LINES, LineOut), location="query", arg_name="query")
@blueprint.output(list_of(LineOut))
@blueprint.doc(
    summary="The lines of an invoice; as CSV where `Accept: text/csv` asks for it",
    security="key",
    extensions={"x-csv": True},
)
def list_lines(invoice: str, query: dict[str, Any]) -> Response:
    found = get_invoice(session(), require_person(), invoice)
    lines = select(InvoiceLine).where(InvoiceLine.invoice_id == found.id)
    page = answer_page(lines, _LINES, query, lambda rows: [show_line(row, found.currency) for row in rows])
    wants_csv = request.accept_mimetypes.best_match(("application/json", "text/csv")) == "text/csv"
    return as_csv(page, query.get("fields") or _COLUMNS) if wants_csv else page


@blueprint.get("/invoices/<invoice>/lines/<int:position>")
@blueprint.output(ExplanationOut)
@blueprint.doc(summary="A line with its price and the sum of its usage records", security="key")
def explain_one_line(invoice: str, position: int) -> Response:
    found = get_invoice(session(), require_person(), invoice)
    explained = explain_line(session(), found, position)
    return answer(_show_explanation(explained, found.currency))


@blueprint.get("/invoices/<invoice>/lines/<int:position>/records")
@blueprint.input(query_of(USAGE, UsageOut), location="query", arg_name="query")
@blueprint.output(list_of(UsageOut))
@blueprint.doc(summary="The usage records that a line was made of", security="key")
def list_line_records(invoice: str, position: int, query: dict[str, Any]) -> Response:
    found = get_invoice(session(), require_person(), invoice)
    return answer_page(explain_line(session(), found, position).records, USAGE, query, show_usage)


def _done(
    username: str,
    action: str,
    invoice: Invoice,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **detail: str,
) -> Response:
    account = invoice.account.name
    number = str(invoice.number)
    record_action(session(), username, action, remote_address(), invoice=number, account=account, **detail)
    commit_request()
    return tagged_answer(show_invoice(invoice), status, headers)


def _show_explanation(explained: Explanation, currency: str) -> dict[str, Any]:
    price = next(price for price in explained.tariff.prices if price.name == explained.line.price_name)
    sums = explained.records.with_only_columns(
        func.count(), exact_sum(UsageRow.quantity), func.min(UsageRow.unit)
    )
    count, total, unit = session().execute(sums).one()
    return {
        "line": show_line(explained.line, currency),
        "price": show_price(price),
        "start": show_time(explained.start),
        "end": show_time(explained.end),
        "records": count,
        "sum": f"{total or 0:f}",
        "sum_unit": unit or "",
    }
