"""Usage of the database, rated: read as a stream, so that memory grows with the lines of an invoice alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    FromClause,
    Numeric,
    Select,
    String,
    and_,
    func,
    select,
    type_coerce,
)
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.lines import Line, Step
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import Period, month_of
from ansible_collections.labyard.platform.plugins.module_utils._billing.rating import Rater, Row
from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import Tariff
from labyard.models import Invoice, InvoiceLine, UnbilledUsage, UsageRow
from labyard.models.billing_invoices import INVOICE, VOID
from labyard.models.decimals import DIGITS, PLACES

_CHUNK = 5000  # records that are in memory at once
NAMES = ("deployment", "deployment_name", "plan", "shape", "project", "user", "resource", "unit")


def first_due(session: Session, account: str, period: Period) -> datetime | None:
    """When the first record begins that the invoice of the period is to cover; None: there is none."""
    found: datetime | None = session.scalar(
        select(func.min(UnbilledUsage.start, type_=UnbilledUsage.start.type)).where(
            UnbilledUsage.account == account,
            UnbilledUsage.end <= period.end,
            UnbilledUsage.start < period.end,
        )
    )
    return found


def due_since(first: datetime, account: str, period: Period) -> ColumnElement[bool]:
    """The records that no invoice covers yet, that begin from `first` on and are over by the period's end.

    By account and time, so that no database has to guess how to find them.
    """
    return and_(
        UsageRow.account == account,
        UsageRow.start >= first,
        UsageRow.start < period.end,
        UsageRow.end <= period.end,
        UsageRow.invoice_id.is_(None),
    )


def covered_by(invoice: Invoice) -> ColumnElement[bool]:
    """The records that an invoice covers, where they are to be found without looking at all."""
    return and_(
        UsageRow.account == invoice.account.name,
        UsageRow.start >= (invoice.usage_from or invoice.period_end),
        UsageRow.start < invoice.period_end,
        UsageRow.invoice_id == invoice.id,
    )


def rate_records(
    session: Session,
    account_id: int,
    which: ColumnElement[bool],
    tariffs: Sequence[Tariff],
    period: Period,
) -> Rater:
    """A rater that has taken the records `which`. Raises TariffError and BillingError as it does."""
    first = session.scalar(select(func.min(UsageRow.start)).where(which))
    before: Iterable[Line] = ()
    if first is not None:  # its own month may be on a later invoice, which was made before this one
        before = _billed_before(session, account_id, month_of(first).start, period.end)
    rater = Rater(tariffs, period.start, period.end, before)
    for rows in read_rows(session, which):
        rater.add_many(rows)
    return rater


def read_rows(session: Session, which: ColumnElement[bool]) -> Iterator[Sequence[Row]]:
    """The records `which` as rows for a rater, in parts."""
    yield from _read(session, which)


def read_rows_of_all(
    session: Session, *which: ColumnElement[bool], joined: FromClause | None = None
) -> Iterator[tuple[str, list[Row]]]:
    """The records `which` of any accounts as rows for a rater, in parts, each with the name of its account.

    `joined`: a further table that `which` speaks of.
    """
    for part in _read(session, and_(*which), UsageRow.account, joined=joined):
        by_account: dict[str, list[Row]] = defaultdict(list)
        for row in part:
            by_account[row[12]].append(row[:12])
        yield from by_account.items()


def _read(
    session: Session, which: ColumnElement[bool], *more: Any, joined: FromClause | None = None
) -> Iterator[Sequence[Any]]:
    """Rows for a rater, with more columns behind them."""
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    names = [getattr(UsageRow, name) for name in NAMES]
    moment, number = (String(), String()) if on_sqlite else (DateTime(timezone=True), Numeric(DIGITS, PLACES))
    values = [type_coerce(UsageRow.quantity, number)]
    values += [type_coerce(getattr(UsageRow, name), moment) for name in ("start", "end")]
    query = select(*names, *values, UsageRow.fingerprint, *more).where(which)
    query = query if joined is None else query.select_from(UsageRow, joined)
    for part in _stream(session, query):
        if on_sqlite:
            yield [
                (*row[:8], Decimal(row[8]), _sqlite_moment(row[9]), _sqlite_moment(row[10]), *row[11:])
                for row in part
            ]
        else:
            yield part


def _stream(session: Session, query: Select[Any]) -> Iterator[Sequence[Any]]:
    """The rows of `query`, without all of them in memory."""
    yield from session.execute(query, execution_options={"yield_per": _CHUNK}).partitions(_CHUNK)


@lru_cache(maxsize=16384)
def _sqlite_moment(text: str) -> datetime:
    """Records of one measuring share their times."""
    return datetime.fromisoformat(f"{text}+00:00")


def _billed_before(session: Session, account_id: int, start: datetime, end: datetime) -> list[Line]:
    """Lines of final invoices of the account that still stand, of usage in [start, end)."""
    rows = session.scalars(
        select(InvoiceLine)
        .join(Invoice, Invoice.id == InvoiceLine.invoice_id)
        .where(Invoice.account_id == account_id, Invoice.kind == INVOICE)
        .where(Invoice.number.is_not(None), Invoice.state != VOID)
        .where(InvoiceLine.start >= start, InvoiceLine.start < end)
    )
    return [line_of(row) for row in rows]


_OF_LINES = (
    *("deployment", "deployment_name", "plan", "shape", "project", "user", "resource", "description"),
    *("price_name", "model", "tariff", "tariff_version", "unit", "quantity", "unit_price", "amount"),
    *("start", "end", "records"),
)


def line_of(row: InvoiceLine) -> Line:
    """A line as `_billing` has it."""
    steps = tuple(Step(**{name: Decimal(text) for name, text in step.items()}) for step in row.steps)
    return Line(**{name: getattr(row, name) for name in _OF_LINES}, steps=steps)


def row_of_line(invoice_id: str, position: int, line: Line) -> InvoiceLine:
    """A line as the database has it."""
    steps = [
        {name: f"{getattr(step, name):f}" for name in ("quantity", "price", "fee", "amount")}
        for step in line.steps
    ]
    values = {name: getattr(line, name) for name in _OF_LINES}
    return InvoiceLine(invoice_id=invoice_id, position=position, **values, steps=steps)
