"""Invoices: the list, one of them on screen and paper, and why each line costs what it costs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from flask import Response, render_template, request
from flask_login import login_required
from sqlalchemy import func, select

from ansible_collections.labyard.platform.plugins.module_utils._billing.charges import list_charges
from ansible_collections.labyard.platform.plugins.module_utils._billing.documents import read_invoice
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_csv import write_charges_csv
from labyard.billing.accounts import accounts_of
from labyard.billing.correcting import notes_on
from labyard.billing.drafting import open_amount
from labyard.billing.explain import explain_line
from labyard.billing.looking import get_invoice, select_invoices
from labyard.billing.pdf import write_pdf
from labyard.billing.wording import line_rows, party_lines, sum_rows, title_of, top_rows
from labyard.context import session
from labyard.models import BillingAccount, Invoice, InvoiceLine, UsageRow
from labyard.models.billing_invoices import STATES
from labyard.models.decimals import exact_sum
from labyard.security import require_person

from .blueprint import blueprint
from .payments import invoice_payments

_PAGE = 25  # invoices on a page
_RECORDS = 200  # records that a page shows of a line


@blueprint.get("/costs/invoices")
@login_required
def invoices() -> Any:
    """The invoices of the person's accounts, newest first; an admin's are all."""
    person = require_person()
    filters = {name: request.args.get(name, "")[:80] for name in ("account", "state")}
    found = select_invoices(person, {name: value for name, value in filters.items() if value})
    total = session().scalar(select(func.count()).select_from(found.subquery())) or 0
    wanted = request.args.get("page", "1")
    pages = max(1, -(-total // _PAGE))
    page = min(max(1, int(wanted) if wanted.isdecimal() and len(wanted) < 9 else 1), pages)
    ordered = found.order_by(Invoice.period_start.desc(), Invoice.created_at.desc(), Invoice.id)
    rows = session().scalars(ordered.limit(_PAGE).offset((page - 1) * _PAGE)).all()
    accounts = accounts_of(person).order_by(BillingAccount.name).with_only_columns(BillingAccount.name)
    return render_template(
        "invoices.html",
        rows=[(row, open_amount(row)) for row in rows],
        filters=filters,
        accounts=session().scalars(accounts).all(),
        states=STATES,
        total=total,
        page=page,
        pages=pages,
    )


@blueprint.get("/costs/invoices/<name>")
@login_required
def invoice(name: str) -> Any:
    """One invoice, draft or credit note, by its number or id."""
    found = get_invoice(session(), require_person(), name)
    document = found.document
    return render_template(
        "invoice.html",
        invoice=found,
        document=document,
        title=title_of(document),
        parties={"From": party_lines(document["supplier"]), "To": party_lines(document["customer"])},
        top=top_rows(document),
        lines=line_rows(document),
        sums=sum_rows(document),
        open=open_amount(found),
        payments=invoice_payments(found),
        notes=notes_on(session(), found),
        corrected=session().get(Invoice, found.corrects_id) if found.corrects_id else None,
    )


@blueprint.get("/costs/invoices/<name>/file.<any(pdf, csv, json):kind>")
@login_required
def invoice_file(name: str, kind: str) -> Response:
    """The document as a file."""
    found = get_invoice(session(), require_person(), name)
    if kind == "pdf":
        body, content_type = write_pdf(found.document), "application/pdf"
    elif kind == "csv":
        text = "".join(write_charges_csv(list_charges(read_invoice(found.document))))
        body, content_type = text.encode(), "text/csv; charset=utf-8"
    else:
        text = json.dumps(found.document, indent=2, ensure_ascii=False)
        body, content_type = f"{text}\n".encode(), "application/json"
    answer = Response(body, content_type=content_type)
    answer.headers["Content-Disposition"] = f'attachment; filename="{found.number or found.id}.{kind}"'
    return answer


@blueprint.get("/costs/invoices/<name>/lines/<int:position>")
@login_required
def invoice_line(name: str, position: int) -> Any:
    """A line down to the usage records in it."""
    found = get_invoice(session(), require_person(), name)
    explained = explain_line(session(), found, position)
    price = next(price for price in explained.tariff.prices if price.name == explained.line.price_name)
    sums = explained.records.with_only_columns(
        func.count(), exact_sum(UsageRow.quantity), func.min(UsageRow.unit)
    )
    count, total, unit = session().execute(sums).one()
    newest: Iterable[UsageRow] = session().scalars(
        explained.records.order_by(UsageRow.start, UsageRow.id).limit(_RECORDS)
    )
    line: InvoiceLine = explained.line
    return render_template(
        "invoice_line.html",
        invoice=found,
        title=title_of(found.document),
        line=line,
        words=line_rows({"lines": [found.document["lines"][position - 1]]})[0],
        position=position,
        price=price,
        tariff=explained.tariff,
        records=list(newest),
        count=count,
        total=total,
        unit=unit or "",
        shown=_RECORDS,
    )
