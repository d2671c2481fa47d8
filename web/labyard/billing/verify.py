"""Proving a whole database: numbers, chain, sums, and that each record is billed once. It only reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session, defer

from ansible_collections.labyard.platform.plugins.module_utils._billing.chain import START, document_hash
from ansible_collections.labyard.platform.plugins.module_utils._billing.documents import read_invoice
from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.invoice import check_invoice
from ansible_collections.labyard.platform.plugins.module_utils._billing.rating import RecordDigest
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import UsageRecord, fingerprint
from labyard.models import Invoice, InvoiceLine, InvoiceSeries, UnbilledUsage, UsageRow
from labyard.models.billing_invoices import CREDIT_NOTE, INVOICE, VOID

from .imported_days import verify_days
from .numbers import number_text
from .rated import covered_by, line_of
from .verify_money import verify_money

_CHUNK = 1000


@dataclass
class Verified:
    """What was looked at, and what is wrong: name and words of each fault."""

    documents: int = 0
    records: int = 0
    billed: int = 0  # records that an invoice covers
    faults: list[tuple[str, str]] = field(default_factory=list)


def look_at_one_state(session: Session) -> None:
    """Let the transaction that begins here see nothing that others write meanwhile."""
    if session.get_bind().dialect.name == "postgresql":  # SQLite does so anyway
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def verify(session: Session) -> Verified:
    """Look at every final document, and at every usage record. Memory does not grow with either.

    Call `look_at_one_state` before, or what others write meanwhile can look like a fault.
    """
    found = Verified()
    for series in session.scalars(select(InvoiceSeries).order_by(InvoiceSeries.name)).all():
        found.faults += _verify_series(session, series, found)
    found.faults += _verify_credits(session)
    found.faults += _verify_records(session, found)
    found.faults += verify_money(session)
    found.faults += verify_days(session)
    return found


def _verify_series(session: Session, series: InvoiceSeries, found: Verified) -> Iterator[tuple[str, str]]:
    query = select(Invoice).where(Invoice.series == series.name).order_by(Invoice.sequence)
    previous, sequence = START, 0
    for row in session.scalars(query, execution_options={"yield_per": _CHUNK}):
        found.documents += 1
        name = row.number or row.id
        sequence += 1
        if row.sequence != sequence:
            yield name, f"the number before it is missing: {number_text(series.name, sequence)}"
            sequence = row.sequence or sequence
        if row.number != number_text(series.name, sequence) or row.document.get("number") != row.number:
            yield name, "its number is not the one of its place"
        if row.previous_hash != previous or document_hash(row.document, previous) != row.hash:
            yield name, "its hash does not fit; it or what is before it was changed"
        previous = row.hash
        yield from ((name, fault) for fault in _verify_document(session, row))
        session.expunge(row)
    if (series.last, series.last_hash or START) != (sequence, previous):
        yield series.name, f"the counter stands at {series.last}, but the last document is {sequence}"


def _verify_document(session: Session, row: Invoice) -> Iterator[str]:
    try:
        document = read_invoice(row.document)
    except BillingError as error:
        yield str(error)
        return
    yield from check_invoice(document)
    for name in ("kind", "currency", "net", "tax", "total"):
        if getattr(row, name) != getattr(document, name):
            yield f"{name} is not what the document says"
    if (row.period_start, row.period_end) != (document.period.start, document.period.end):
        yield "the period is not what the document says"
    if row.kind == INVOICE and row.records_digest != document.usage:
        yield "the digest of its records is not what the document says"
    query = select(InvoiceLine).where(InvoiceLine.invoice_id == row.id).order_by(InvoiceLine.position)
    lines = session.scalars(query).all()
    if [line.position for line in lines] != list(range(1, len(document.lines) + 1)) or tuple(
        line_of(line) for line in lines
    ) != document.lines:
        yield "its lines are not what the document says"
    for line in lines:
        session.expunge(line)


def _verify_credits(session: Session) -> Iterator[tuple[str, str]]:
    """What credit notes give back is what their invoice counts, and never more than it billed."""
    notes = select(Invoice.corrects_id, Invoice.total).where(Invoice.kind == CREDIT_NOTE)
    given: dict[str | None, Decimal] = {}
    for corrected, total in session.execute(notes):
        given[corrected] = given.get(corrected, Decimal(0)) + total
    columns = select(Invoice.id, Invoice.number, Invoice.net, Invoice.tax, Invoice.credited)
    for ident, number, net, tax, credited in session.execute(columns.where(Invoice.number.is_not(None))):
        name = str(number)
        if given.get(ident, Decimal(0)) != credited:
            yield name, "what was credited is not the sum of its credit notes"
        if credited > net + tax:
            yield name, "more was credited than billed"


def _verify_records(session: Session, found: Verified) -> Iterator[tuple[str, str]]:
    """Each record is as it was taken in, and each invoice covers those that it was made of."""
    standing = select(Invoice.id).where(
        Invoice.kind == INVOICE, Invoice.number.is_not(None), Invoice.state != VOID
    )
    yield from _verify_marks(session, standing)
    for row in _rows(session, select(UsageRow).where(UsageRow.invoice_id.is_(None))):
        found.records += 1
        yield from _verify_record(row)
    invoices = select(Invoice).where(Invoice.id.in_(standing)).options(defer(Invoice.document))
    for invoice in session.scalars(invoices.order_by(Invoice.sequence)).all():
        covered = RecordDigest()
        for row in _rows(session, select(UsageRow).where(covered_by(invoice))):
            yield from _verify_record(row)
            covered.add(row.fingerprint)
        found.records += covered.records
        found.billed += covered.records
        if covered.records != invoice.records:
            yield (
                str(invoice.number),
                f"it covers {covered.records} usage records, but was made of {invoice.records}",
            )
        elif covered.hexdigest() != invoice.records_digest:
            yield str(invoice.number), "it covers other usage records than it was made of"


def _verify_marks(session: Session, standing: Select[str]) -> Iterator[tuple[str, str]]:
    """Each record has the mark of an invoice that stands, or waits for the next one; never both."""
    where = "usage records"
    waits = exists().where(UnbilledUsage.usage_id == UsageRow.id)
    free = UsageRow.invoice_id.is_(None)
    if count := session.scalar(select(func.count()).where(free, ~waits)):
        yield where, f"{count} are covered by no invoice, but the next one would not be made of them"
    if count := session.scalar(select(func.count()).where(~free, waits)):
        yield where, f"{count} are covered by an invoice, but the next one would be made of them, too"
    if count := session.scalar(select(func.count()).where(~free, UsageRow.invoice_id.not_in(standing))):
        yield where, f"{count} are marked with an invoice that is not final, is void or is not there"


def _rows(session: Session, query: Any) -> Iterator[Any]:
    columns = query.with_only_columns(*(getattr(UsageRow, name) for name in _FIELDS), UsageRow.fingerprint)
    yield from session.execute(columns, execution_options={"yield_per": _CHUNK})


_FIELDS = (
    *("source", "key", "account", "resource", "unit", "quantity", "start", "end", "deployment"),
    *("deployment_name", "plan", "shape", "project", "user", "details"),
)


def _verify_record(row: Any) -> Iterator[tuple[str, str]]:
    if fingerprint(UsageRecord(*row[:-1])) != row.fingerprint:
        yield f"{row.source} {row.key}", "the usage record is not what was taken in"
