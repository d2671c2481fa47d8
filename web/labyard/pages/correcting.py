"""Correcting a final invoice, for admins: making it void, or giving back some of it by a credit note."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_login import login_required

from labyard.accounts.audit import record_action
from labyard.billing.correcting import credit, make_void, what_is_left, why_not_void
from labyard.billing.looking import get_invoice
from labyard.billing.wording import line_rows, title_of
from labyard.context import session
from labyard.errors import Conflict, InvalidInput
from labyard.models import Invoice, User
from labyard.models.base import lock_row
from labyard.models.billing_invoices import INVOICE, VOID
from labyard.web_requests import commit_request, remote_address

from .admins import require_admin
from .blueprint import blueprint

_AMOUNT = re.compile(r"[0-9]{1,24}([.][0-9]{1,12})?")
_LINE = re.compile(r"lines\[(\d+)\]: (.*)", re.DOTALL)  # of what credit_notes.py says
_LONGEST = 1000  # characters of a reason


@blueprint.route("/costs/invoices/<name>/void", methods=["GET", "POST"])
@login_required
def void_invoice(name: str) -> Any:
    """Ask once more and for the reason, then make the invoice void."""
    admin, errors, status = require_admin(), {}, 200
    if request.method == "POST":
        try:
            found = _lock(admin, name)
            make_void(session(), found, _read_reason())
            return _done(admin, "invoice void", found, f"{found.number} is void.", reason=_read_reason())
        except (InvalidInput, Conflict) as error:
            errors, status = _take_back(error), error.status
    found = get_invoice(session(), admin, name)
    return render_template(
        "void.html",
        invoice=found,
        title=title_of(found.document),
        obstacle=_obstacle(found) or why_not_void(found),
        errors=errors,
        given=request.form,
    ), status


@blueprint.route("/costs/invoices/<name>/credit", methods=["GET", "POST"])
@login_required
def credit_invoice(name: str) -> Any:
    """Ask what is given back and why, then make the credit note."""
    admin, errors, status = require_admin(), {}, 200
    if request.method == "POST":
        try:
            found = _lock(admin, name)
            note = credit(session(), found, _read_reason(), _read_amounts())
            text = f"{note.number} gives back {note.document['total']} {note.currency} of {found.number}."
            return _done(admin, "credit note made", note, text, corrects=str(found.number))
        except (InvalidInput, Conflict) as error:
            errors, status = _take_back(error), error.status
    found = get_invoice(session(), admin, name)
    obstacle = _obstacle(found)
    left = None if obstacle else what_is_left(session(), found)
    if left is not None and not left.total:
        obstacle = f"Nothing is left of {found.number} to give back."
    amounts = [line.amount for line in left.lines] if left else []
    return render_template(
        "credit.html",
        invoice=found,
        title=title_of(found.document),
        lines=list(zip(line_rows(found.document), amounts, strict=True)) if left else [],
        obstacle=obstacle,
        left=left.total if left else Decimal(0),
        fields=["reason", "what", *(f"line-{place}" for place, rest in enumerate(amounts, start=1) if rest)],
        errors=errors,
        given=request.form,
    ), status


def _lock(admin: User, name: str) -> Invoice:
    """The invoice as the form showed it. Raises Conflict if it has changed since: so a press counts once."""
    found = get_invoice(session(), admin, name)
    lock_row(session(), found)
    if request.form.get("version", "") != str(found.version):
        raise Conflict("The invoice has changed since you saw it. Look at it again, then go on.")
    return found


def _read_reason() -> str:
    reason = request.form.get("reason", "").strip()
    if not reason or len(reason) > _LONGEST:
        raise InvalidInput("Nothing was done.", {"reason": f"say why, in {_LONGEST} characters at most"})
    return reason


def _read_amounts() -> dict[int, Decimal] | None:
    """What is given back of lines, by position; None: all that is left. Raises InvalidInput."""
    if request.form.get("what") != "some":
        return None
    amounts, errors = {}, {}
    for name, text in request.form.items():
        place, text = name.removeprefix("line-"), text.strip()
        if place == name or not place.isdecimal() or len(place) > 6 or not text:
            continue
        if _AMOUNT.fullmatch(text):
            amounts[int(place)] = Decimal(text)
        else:
            errors[name] = f"{text[:20]!r} is no amount as 12.50 is one"
    if not amounts and not errors:
        errors["what"] = "write how much is given back of at least one line"
    if errors:
        raise InvalidInput("The credit note was not made.", errors)
    return amounts


def _take_back(error: InvalidInput | Conflict) -> dict[str, str]:
    """Undo the request; what is wrong, by the field where it was written."""
    session().rollback()
    found = dict(error.errors) or {"": error.detail}
    about_line = _LINE.fullmatch(found.get("lines", ""))
    if about_line:
        found[f"line-{int(about_line[1]) + 1}"] = about_line[2]
        del found["lines"]
    return found


def _obstacle(found: Invoice) -> str:
    """Why it cannot be corrected at all; empty if it can."""
    if found.kind != INVOICE:
        return f"{found.number} is a credit note. Only invoices are corrected."
    if not found.is_final:
        return "This is a draft: make it again instead, or make it final first."
    return f"{found.number} is void already." if found.state == VOID else ""


def _done(admin: User, action: str, about: Invoice, text: str, **detail: str) -> Any:
    number, account = str(about.number), about.account.name
    record_action(
        session(), admin.username, action, remote_address(), invoice=number, account=account, **detail
    )
    commit_request()
    flash(text, "info")
    return redirect(url_for("pages.invoice", name=number), 303)
