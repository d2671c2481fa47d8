# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""FOCUS 1.2: invoices as CSV of cost and usage (https://focus.finops.org/focus-specification/v1-2/).

A line of an invoice is a row, or one for each of its tiers. Discounts are in the costs of the lines that
they are on; minimum, taxes and prepaid credits are rows of their own. So BilledCost adds up to the total.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from .charges import after_discounts, list_charges, sign_of, spread
from .csv_cells import guard, read_rows, show_row, unguard
from .currencies import CREDITS
from .documents import Invoice, Share
from .errors import ExportError
from .exact import add, multiply, show_number
from .focus_columns import COLUMNS, NUMBER, OBJECT, TIME, FocusNames, focus_unit
from .lines import Line
from .money import PLACES, round_fraction
from .months import Period, month_of
from .usage import read_moment, show_moment

Row = dict[str, Any]


def write_focus(invoices: Iterable[Invoice], names: FocusNames | None = None) -> Iterator[str]:
    """A header and the rows of each document. Raises ExportError for what FOCUS has no words for."""
    yield show_row(COLUMNS)
    for invoice in invoices:
        for row in list_rows(invoice, names or FocusNames()):
            yield show_row([_show(row.get(name), kind) for name, kind in COLUMNS.items()])


def read_focus(lines: Iterable[str]) -> Iterator[Row]:
    """The rows of a file of `write_focus`: text, Decimal, datetime, mapping, or None. Raises ExportError."""
    for number, cells in read_rows(lines, list(COLUMNS)):
        yield {name: _read(cell, COLUMNS[name], f"line {number}: {name}") for name, cell in cells.items()}


def list_rows(invoice: Invoice, names: FocusNames) -> Iterator[Row]:
    """The rows of a document by column; what is null is left out."""
    if invoice.currency == CREDITS:
        raise ExportError(
            f"invoice {invoice.number}: {CREDITS} is no national currency, which FOCUS demands"
            " (BillingCurrency-C-006-M): export it as csv or jsonl"
        )
    billed = Decimal(0)
    for row in _rows(invoice, names):
        billed = add(billed, row["BilledCost"])
        yield row
    if billed != (total := sign_of(invoice) * invoice.total):  # BilledCost-C-007-M
        raise ExportError(f"invoice {invoice.number or 'draft'}: its rows add up to {billed}, not to {total}")


def _rows(invoice: Invoice, names: FocusNames) -> Iterator[Row]:
    shared = _shared(invoice, names)
    percents = _discount_percents(invoice)
    bases: list[tuple[Decimal, Decimal]] = []  # list and contracted cost of each line, of which taxes are
    for line, left, percent in zip(invoice.lines, after_discounts(invoice), percents, strict=True):
        make = _corrected_row if invoice.kind == "credit_note" else _priced_rows
        rows = make(line, left, percent, invoice.currency)
        bases.append((_sum(rows, "ListCost"), _sum(rows, "ContractedCost")))
        yield from ({**shared, **_about(line, names), **row} for row in rows)
    for row in _other_rows(invoice, bases):
        yield {**shared, **_service(names, ""), **row}


def _priced_rows(line: Line, left: Decimal, percent: Decimal, currency: str) -> list[Row]:
    """A row for each price that made the line's amount; `left` is billed, after `percent` of discounts."""
    pieces = _pieces(line)
    sku = f"{line.tariff}/{show_moment(line.tariff_version)}/{line.price_name}"
    billed = spread(left, [Fraction(piece.quantity) * Fraction(piece.price) for piece in pieces], currency)
    rows = []
    for piece, cost in zip(pieces, billed, strict=True):
        contracted = multiply(piece.price, multiply(add(Decimal(100), -percent), Decimal("0.01")))
        rows.append(
            {
                **{"BilledCost": cost, "EffectiveCost": cost},
                "ListUnitPrice": piece.price,
                "ListCost": multiply(piece.quantity, piece.price),
                "ContractedUnitPrice": contracted,
                "ContractedCost": multiply(piece.quantity, contracted),
                **{"PricingQuantity": piece.quantity, "PricingUnit": piece.unit},
                **{"ConsumedQuantity": piece.consumed, "ConsumedUnit": piece.consumed_unit},
                "SkuPriceId": sku + piece.tier,
                "SkuPriceDetails": {"x_Model": line.model},
            }
        )
    return rows


def _corrected_row(line: Line, left: Decimal, _percent: Decimal, _currency: str) -> list[Row]:
    """What a credit note gives back of a line: below 0, without prices and quantities."""
    costs = {"BilledCost": -left, "EffectiveCost": -left, "ContractedCost": -left, "ListCost": -line.amount}
    return [costs]


@dataclass(frozen=True, slots=True)
class _Piece:
    """So much at one price. `tier` parts the prices of one line."""

    quantity: Decimal
    unit: str
    price: Decimal
    consumed: Decimal
    consumed_unit: str
    tier: str = ""


def _pieces(line: Line) -> list[_Piece]:
    unit = focus_unit(line.unit)
    if line.model == "package" and line.unit_price is not None:
        packages = sum((step.quantity for step in line.steps), Decimal(0))
        return [_Piece(packages, "Packages", line.unit_price, line.quantity, unit)]
    if not line.steps:
        return [_Piece(line.quantity, unit, line.unit_price or Decimal(0), line.quantity, unit)]
    pieces = []
    tiered = line.model in ("graduated", "volume")
    for step in line.steps:
        tier = f"/{show_number(step.price)}" if tiered else ""
        pieces.append(_Piece(step.quantity, unit, step.price, step.quantity, unit, tier))
        if step.fee:
            tier = f"/fee {show_number(step.fee)}"
            pieces.append(_Piece(_ONE, "Units", step.fee, _ONE, "Units", tier))
    return pieces


def _other_rows(invoice: Invoice, bases: list[tuple[Decimal, Decimal]]) -> Iterator[Row]:
    """Minimum, taxes and prepaid credits."""
    taxes = iter(enumerate(invoice.taxes))
    for charge in list_charges(invoice):
        if charge.category in ("usage", "discount"):
            continue
        costs = dict.fromkeys(("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"), charge.amount)
        if charge.category == "tax":
            place, share = next(taxes)
            minimum = sign_of(invoice) * invoice.minimum if place == invoice.minimum_tax else Decimal(0)
            costs["ListCost"] = _tax(share, [bases[line][0] for line in share.lines], minimum)
            costs["ContractedCost"] = _tax(share, [bases[line][1] for line in share.lines], minimum)
        yield {
            **costs,
            "ChargeCategory": _CATEGORIES[charge.category],
            "ChargeDescription": charge.description,
            "ChargeFrequency": "Recurring",
            "ChargePeriodStart": invoice.period.start,
            "ChargePeriodEnd": invoice.period.end,
        }


def _tax(share: Share, bases: list[Decimal], minimum: Decimal) -> Decimal:
    """The tax on other costs than the billed ones (ListCost-C-007-C, ContractedCost-C-007-C)."""
    base = sum((Fraction(base) for base in bases), Fraction(minimum))
    return round_fraction(base * Fraction(share.percent) / 100, PLACES)


def _shared(invoice: Invoice, names: FocusNames) -> Row:
    """What is the same in all rows of a document."""
    customer = invoice.customer
    account = customer.account or customer.name
    kind = account.partition(":")[0] if ":" in account else "account"
    # Were the names not the same, BilledCost would have to be 0 (BilledCost-C-005-C).
    supplier = invoice.supplier.name or names.provider
    period = _billing_period(invoice)
    return {
        **{"ProviderName": supplier, "PublisherName": supplier, "InvoiceIssuerName": supplier},
        **{"BillingAccountId": account, "BillingAccountName": customer.name or account},
        "BillingAccountType": kind.capitalize(),
        "BillingCurrency": invoice.currency,
        **{"BillingPeriodStart": period.start, "BillingPeriodEnd": period.end},
        "InvoiceId": invoice.number or None,
        "ChargeClass": "Correction" if invoice.kind == "credit_note" else None,
    }


def _billing_period(invoice: Invoice) -> Period:
    """The invoice's; of a credit note, the month in which it is issued: the other was billed before."""
    if invoice.kind == "credit_note" and invoice.issued:
        return month_of(datetime.combine(invoice.issued, time(), UTC))
    return invoice.period


def _about(line: Line, names: FocusNames) -> Row:
    """What is the same in all rows of a line."""
    tags = {"plan": line.plan, "shape": line.shape, "user": line.user}
    name = line.deployment_name if line.deployment_name != line.deployment else ""
    deployment, project = _or_null(line.deployment), _or_null(line.project)
    start = line.start.replace(microsecond=0)
    return {
        "ChargeCategory": "Usage",
        "ChargeDescription": _or_null(line.description) or line.price_name,
        "ChargeFrequency": "Recurring" if line.model == "flat" else "Usage-Based",
        "ChargePeriodStart": start,
        "ChargePeriodEnd": max(line.end, start + timedelta(seconds=1)),
        "PricingCategory": "Standard",
        "ResourceId": deployment,
        "ResourceName": _or_null(name) if deployment else None,
        "ResourceType": "Deployment" if deployment else None,
        **_service(names, line.plan),
        "SkuId": f"{line.tariff}/{line.price_name}",
        "SkuMeter": line.resource or None,
        **{"SubAccountId": project, "SubAccountName": project},
        "Tags": {f"labyard/{key}": value for key, value in tags.items() if value} or None,
    }


def _or_null(text: str) -> str | None:
    """A text that says something."""
    return text if text.strip() else None


def _service(names: FocusNames, plan: str) -> Row:
    service = names.service(plan)
    return dict(zip(("ServiceName", "ServiceCategory", "ServiceSubcategory"), service, strict=True))


def _discount_percents(invoice: Invoice) -> list[Decimal]:
    """How many per cent are taken off each line."""
    percents = [Decimal(0)] * len(invoice.lines)
    for share in invoice.discounts:
        for place in share.lines:
            percents[place] += share.percent
    return percents


def _sum(rows: list[Row], name: str) -> Decimal:
    found = Decimal(0)
    for row in rows:
        found = add(found, row[name])
    return found


def _show(value: Any, kind: str) -> str:
    if value is None:
        return ""  # FOCUS's null; no text is ever empty
    if kind == NUMBER:
        return show_number(value)
    if kind == TIME:  # whole seconds: the next one where there is more, as of the end of a period
        whole = value.astimezone(UTC) + (timedelta(seconds=1) if value.microsecond else timedelta())
        return f"{whole:%Y-%m-%dT%H:%M:%SZ}"
    if kind == OBJECT:
        return _encode(value)
    return guard(value)


def _read(cell: str, kind: str, where: str) -> Any:
    if not cell:
        return None
    if kind == NUMBER:
        if not _NUMBER.fullmatch(cell):
            raise ExportError(f"{where}: {cell[:60]!r} is no number")
        return Decimal(cell)
    if kind == TIME:
        return read_moment(cell, where)
    if kind == OBJECT:
        try:
            return json.loads(cell)
        except ValueError as error:
            raise ExportError(f"{where}: no JSON: {error}") from error
    return unguard(cell)


_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode
_NUMBER = re.compile(r"-?\d{1,60}(\.\d{1,60})?")
_ONE = Decimal(1)
_CATEGORIES = {"minimum": "Adjustment", "tax": "Tax", "credit": "Credit"}
