"""Why a line costs what it costs: down to the usage records in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, and_, or_, select, tuple_
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.months import month_of
from ansible_collections.labyard.platform.plugins.module_utils._billing.prices import Price
from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import Tariff, find_price
from labyard.errors import Conflict, NotFound
from labyard.models import Invoice, InvoiceLine, TariffVersion, UsageRow
from labyard.models.billing_invoices import CREDIT_NOTE, VOID

from .rated import covered_by
from .tariffs import as_tariff

_WHO = (UsageRow.plan, UsageRow.shape, UsageRow.project, UsageRow.user)


@dataclass(frozen=True)
class Explanation:
    """A line, the version of the tariff that it was rated by, and the time of which its usage is."""

    line: InvoiceLine
    tariff: Tariff
    start: datetime
    end: datetime
    records: Select[tuple[UsageRow]]  # what lies partly in that time, with a part of its quantity


def explain_line(session: Session, invoice: Invoice, position: int) -> Explanation:
    """The records of the line at `position`, from 1; of a credit note, those of the line it gives back.

    Raises NotFound if there is no such line, Conflict for a void invoice: its records are on another one.
    """
    line = _find_line(session, invoice, position)
    billing = invoice
    if invoice.kind == CREDIT_NOTE:
        billing = session.get_one(Invoice, invoice.corrects_id)
        line = _find_line(session, billing, invoice.document["of_lines"][position - 1] + 1)
    if billing.state == VOID:
        raise Conflict(
            f"{billing.number} is void; what it billed is on another invoice, and explained there."
        )
    version = session.scalars(
        select(TariffVersion).where(
            TariffVersion.name == line.tariff, TariffVersion.valid_from == line.tariff_version
        )
    ).one()
    tariff = as_tariff(version)
    price = next(price for price in tariff.prices if price.name == line.price_name)
    start, end = _time_of(line, tariff, price)
    found = _candidates(billing, line, price, start, end)
    return Explanation(line, tariff, start, end, _of_price(session, found, line, tariff))


def _time_of(line: InvoiceLine, tariff: Tariff, price: Price) -> tuple[datetime, datetime]:
    """The time in which all usage of the line lies: its month, as far as its version is valid."""
    month = month_of(line.start)
    if price.model == "flat" and not price.prorated:  # charged once a month, whatever the version
        return month.start, month.end
    end = month.end if tariff.valid_to is None else min(month.end, tariff.valid_to)
    return max(month.start, tariff.valid_from), end


def _find_line(session: Session, invoice: Invoice, position: int) -> InvoiceLine:
    line = session.get(InvoiceLine, (invoice.id, position))
    if line is None:
        raise NotFound(f"{invoice.number or 'The draft'} has no line {position}.")
    return line


def _candidates(
    invoice: Invoice, line: InvoiceLine, price: Price, start: datetime, end: datetime
) -> Select[tuple[UsageRow]]:
    """Records of the invoice with the names of the line, within the time."""
    if invoice.is_final:
        which = covered_by(invoice)
    else:
        which = and_(
            UsageRow.account == invoice.account.name,
            UsageRow.invoice_id.is_(None),
            UsageRow.end <= invoice.period_end,
        )
    moment = and_(UsageRow.start == UsageRow.end, UsageRow.start >= start)
    found = select(UsageRow).where(
        which, UsageRow.resource == line.resource, UsageRow.start < end, or_(UsageRow.end > start, moment)
    )
    if price.across == "account":
        return found
    for name in ("deployment", "project", "user"):
        found = found.where(getattr(UsageRow, name) == getattr(line, name))
    if line.model == "unit":
        found = found.where(UsageRow.plan == line.plan, UsageRow.shape == line.shape)
    return found


def _of_price(
    session: Session, found: Select[tuple[UsageRow]], line: InvoiceLine, tariff: Tariff
) -> Select[tuple[UsageRow]]:
    """Of `found` those that have the price of the line: a resource may have several."""
    if sum(price.resource == line.resource for price in tariff.prices) == 1:
        return found
    combinations = session.execute(found.with_only_columns(*_WHO).distinct()).all()
    right = []
    for combination in combinations:
        price = find_price(tariff, *combination, line.resource)
        if price is not None and price.name == line.price_name:
            right.append(tuple(combination))
    return found.where(tuple_(*_WHO).in_(right))
