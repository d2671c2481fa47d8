"""Numbers without gaps, and the chain: a series is a row that is locked until its document is kept."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.chain import START, document_hash
from ansible_collections.labyard.platform.plugins.module_utils._billing.documents import Invoice as Document
from ansible_collections.labyard.platform.plugins.module_utils._billing.documents import show_invoice
from ansible_collections.labyard.platform.plugins.module_utils._billing.invoice import finalize_invoice
from labyard.clock import Clock, utc_now
from labyard.models import Invoice, InvoiceSeries
from labyard.models.billing_invoices import FINALIZED, PAID, PARTLY_PAID, VOID

SERIES = "L"  # the one series of invoices and credit notes


def number_text(series: str, sequence: int) -> str:
    """A number as people read it."""
    return f"{series}-{sequence:06d}"


def give_number(session: Session, row: Invoice, document: Document, clock: Clock = utc_now) -> None:
    """Make `row`, whose lines are written, final: `document` with the next number, at the chain's end.

    Whoever wants the next number waits from here until the transaction ends; if it is undone, the number
    is given to them.
    """
    series = _lock_series(session, SERIES)
    sequence = series.last + 1
    now = clock()
    final = finalize_invoice(document, number_text(series.name, sequence), now.date())
    shown = show_invoice(final)
    previous = series.last_hash or START
    row.document, row.previous_hash, row.hash = shown, previous, document_hash(shown, previous)
    row.series, row.sequence, row.number = series.name, sequence, final.number
    row.finalized_at = now
    row.due_at = None if final.due is None else now + (final.due - now.date())
    series.last, series.last_hash = sequence, row.hash
    settle(row)
    session.flush()


def settle(row: Invoice) -> None:
    """Let the state of a final invoice say what was paid and credited of it."""
    if row.state == VOID:
        return
    if row.paid + row.credited >= row.total:
        row.state = PAID
    else:
        row.state = PARTLY_PAID if row.paid else FINALIZED


def _lock_series(session: Session, name: str) -> InvoiceSeries:
    kinds: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
    insert = kinds[session.get_bind().dialect.name](InvoiceSeries)
    session.execute(insert.values(name=name, last=0, last_hash="").on_conflict_do_nothing())
    query = select(InvoiceSeries).where(InvoiceSeries.name == name).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()
