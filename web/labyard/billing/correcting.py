"""Corrections of what is final: credit notes, and invoices that are made void."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.credit_notes import (
    build_credit_note,
    left_of,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.documents import Invoice as Document
from ansible_collections.labyard.platform.plugins.module_utils._billing.documents import read_invoice
from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from labyard.clock import Clock, utc_now
from labyard.errors import Conflict, InvalidInput
from labyard.models import Invoice, UsageRow
from labyard.models.base import lock_row
from labyard.models.billing_invoices import CREDIT_NOTE, INVOICE, VOID

from .drafting import copy_sums, write_lines
from .numbers import give_number, settle
from .rated import covered_by


def credit(
    session: Session,
    invoice: Invoice,
    reason: str,
    amounts: Mapping[int, Decimal] | None = None,
    clock: Clock = utc_now,
) -> Invoice:
    """A final credit note: it gives back `amounts` (before discount and tax) of lines by their position, from
    1, or all that is left of the invoice.

    Raises Conflict for what is no final invoice, InvalidInput for amounts that were not billed.
    """
    lock_row(session, invoice)
    _check_standing(invoice)
    before = [read_invoice(note.document) for note in notes_on(session, invoice)]
    places = None if amounts is None else {position - 1: amount for position, amount in amounts.items()}
    try:
        document = build_credit_note(read_invoice(invoice.document), reason, places, before)
    except BillingError as error:
        raise InvalidInput("The credit note was not made.", {"lines": str(error)}) from error
    note = Invoice(
        kind=CREDIT_NOTE,
        account_id=invoice.account_id,
        account=invoice.account,
        corrects_id=invoice.id,
        period_start=invoice.period_start,
        period_end=invoice.period_end,
        document={},
        reason=document.reason,
    )
    copy_sums(note, document)
    session.add(note)
    session.flush()
    write_lines(session, note.id, document.lines)
    give_number(session, note, document, clock)
    invoice.credited += note.total
    settle(invoice)
    session.flush()
    return note


def notes_on(session: Session, invoice: Invoice) -> list[Invoice]:
    """The credit notes on an invoice, the first one first."""
    query = select(Invoice).where(Invoice.corrects_id == invoice.id).order_by(Invoice.sequence)
    return list(session.scalars(query))


def what_is_left(session: Session, invoice: Invoice) -> Document:
    """A final invoice less what was given back of it; lines of which nothing is left are there, too."""
    before = [read_invoice(note.document) for note in notes_on(session, invoice)]
    return left_of(read_invoice(invoice.document), before)


def why_not_void(invoice: Invoice) -> str:
    """Why a final invoice cannot be made void; empty if it can."""
    if invoice.paid or invoice.credited:
        return f"Something of {invoice.number} was paid or credited. Give back the rest by a credit note."
    return ""


def make_void(session: Session, invoice: Invoice, reason: str, clock: Clock = utc_now) -> None:
    """Let a final invoice count no more: it keeps its number, and what it billed is on the next one.

    Raises Conflict if something was paid or credited, InvalidInput without a reason.
    """
    lock_row(session, invoice)
    _check_standing(invoice)
    if not reason.strip():
        raise InvalidInput("The invoice was not made void.", {"reason": "say why"})
    if obstacle := why_not_void(invoice):
        raise Conflict(obstacle)
    invoice.state, invoice.void_reason, invoice.voided_at = VOID, reason.strip(), clock()
    session.flush()  # the database lets go of records of a void invoice alone
    session.execute(
        update(UsageRow)
        .where(covered_by(invoice))
        .values(invoice_id=None)
        .execution_options(synchronize_session=False)
    )


def _check_standing(invoice: Invoice) -> None:
    if invoice.kind != INVOICE:
        raise Conflict(f"{invoice.number} is a credit note. Only invoices are corrected.")
    if not invoice.is_final:
        raise Conflict("This is a draft. Make it again instead, or make it final first.")
    if invoice.state == VOID:
        raise Conflict(f"{invoice.number} is void already.")
