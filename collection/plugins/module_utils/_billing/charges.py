# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Charges: lines of an invoice, and its discounts, minimum, taxes and prepaid credits, as rows of one shape.

The amounts of a document's charges add up to what is to be paid. What a credit note gives back is below 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from .documents import Invoice, Share
from .errors import ExportError
from .exact import add
from .lines import Line
from .money import read_decimal, round_money
from .usage import read_moment, show_moment


@dataclass(frozen=True, slots=True)
class Charge:
    """A row. Texts are empty and numbers none where they do not apply."""

    invoice: str  # its number; empty for a draft
    kind: str  # invoice or credit_note
    category: str  # usage, discount, minimum, tax or credit
    account: str
    account_name: str
    supplier: str
    currency: str
    period_start: datetime
    period_end: datetime
    description: str
    amount: Decimal  # in the decimals of the currency
    discounted: Decimal | None = None  # of usage: the amount after its discounts
    percent: Decimal | None = None  # of a discount or tax
    quantity: Decimal | None = None
    unit: str = ""
    unit_price: Decimal | None = None
    start: datetime | None = None
    end: datetime | None = None
    deployment: str = ""
    deployment_name: str = ""
    plan: str = ""
    shape: str = ""
    project: str = ""
    user: str = ""
    resource: str = ""
    price_name: str = ""
    tariff: str = ""
    tariff_version: datetime | None = None
    corrects: str = ""  # of a credit note: the number of the invoice


_LINE_TEXTS = (
    *("deployment", "deployment_name", "plan", "shape", "project", "user", "resource", "price_name"),
    *("tariff", "tariff_version", "unit", "unit_price", "start", "end", "description"),
)
NUMBERS = ("amount", "discounted", "percent", "quantity", "unit_price")
MOMENTS = ("period_start", "period_end", "start", "end", "tariff_version")
COLUMNS = tuple(known.name for known in fields(Charge))


def list_charges(invoice: Invoice) -> Iterator[Charge]:
    """The charges of a document. Raises ExportError before the first if they do not add up to its total."""
    charges = [*_of_lines(invoice), *_of_document(invoice)]
    found = Decimal(0)
    for charge in charges:
        found = add(found, charge.amount)
    total = sign_of(invoice) * invoice.total
    if found != total:
        raise ExportError(
            f"invoice {invoice.number or 'draft'}: its lines add up to {found}, its total is {total}"
        )
    yield from charges


def sign_of(invoice: Invoice) -> int:
    """-1 for a credit note, whose amounts are what is given back; else 1."""
    return -1 if invoice.kind == "credit_note" else 1


def after_discounts(invoice: Invoice) -> list[Decimal]:
    """What is left of each line's amount, in their order; together subtotal less discount, to the cent."""
    left = [line.amount for line in invoice.lines]
    for share in invoice.discounts:
        for place, part in zip(share.lines, _spread(share, invoice), strict=True):
            left[place] -= part
    return left


def show_charge(charge: Charge) -> dict[str, Any]:
    """The charge as JSON has it: numbers and times as text."""
    shown: dict[str, Any] = {name: getattr(charge, name) for name in COLUMNS}
    for name in NUMBERS:
        shown[name] = None if shown[name] is None else f"{shown[name]:f}"
    for name in MOMENTS:
        shown[name] = None if shown[name] is None else show_moment(shown[name])
    return shown


def read_charge(document: Mapping[str, Any]) -> Charge:
    """A charge from what `show_charge` gave; raises BillingError that names what is wrong."""
    if strange := sorted(set(document) ^ set(COLUMNS)):
        raise ExportError(f"{strange[0]}: is missing, or no field of a charge")
    found = dict(document)
    for name in NUMBERS:
        found[name] = None if found[name] is None else read_decimal(found[name], name)
    for name in MOMENTS:
        found[name] = None if found[name] is None else read_moment(found[name], name)
    return Charge(**found)


def _of_lines(invoice: Invoice) -> Iterator[Charge]:
    sign = sign_of(invoice)
    for line, left in zip(invoice.lines, after_discounts(invoice), strict=True):
        yield Charge(
            **_about(invoice, "usage"),
            **{name: getattr(line, name) for name in _LINE_TEXTS},
            quantity=line.quantity,
            amount=sign * line.amount,
            discounted=sign * left,
        )


def _of_document(invoice: Invoice) -> Iterator[Charge]:
    """What is on the document beside its lines."""
    sign = sign_of(invoice)
    shares = [("discount", -sign, share) for share in invoice.discounts]
    shares += [("tax", sign, share) for share in invoice.taxes]
    if invoice.minimum:
        yield Charge(
            **_about(invoice, "minimum"), description="up to the minimum", amount=sign * invoice.minimum
        )
    for category, direction, share in shares:
        yield Charge(
            **_about(invoice, category),
            description=share.name,
            percent=share.percent,
            amount=direction * share.amount,
        )
    for credit in invoice.credits:
        yield Charge(**_about(invoice, "credit"), description=credit.name, amount=-sign * credit.amount)


def _about(invoice: Invoice, category: str) -> dict[str, Any]:
    """What is the same in all charges of a document."""
    return {
        "invoice": invoice.number,
        "kind": invoice.kind,
        "category": category,
        "account": invoice.customer.account,
        "account_name": invoice.customer.name,
        "supplier": invoice.supplier.name,
        "currency": invoice.currency,
        "period_start": invoice.period.start,
        "period_end": invoice.period.end,
        "corrects": invoice.corrects,
    }


def _spread(share: Share, invoice: Invoice) -> list[Decimal]:
    """The share's amount on its lines, by their amounts; each part in cents, together the whole."""
    lines: list[Line] = [invoice.lines[place] for place in share.lines]
    return spread(share.amount, [Fraction(line.amount) for line in lines], invoice.currency)


def spread(amount: Decimal, weights: list[Fraction], currency: str) -> list[Decimal]:
    """`amount` in parts by weight, each in the currency's decimals, that add up to it exactly.

    The sum so far is rounded, not the part, so that no cent is lost or made.
    """
    if len(weights) == 1:
        return [amount]
    whole = sum(weights, Fraction(0))
    if not whole:
        return [amount, *[Decimal(0)] * (len(weights) - 1)] if weights else []
    parts, so_far, given = [], Fraction(0), Decimal(0)
    for weight in weights:
        so_far += weight
        now = round_money(Fraction(amount) * so_far / whole, currency)
        parts.append(now - given)
        given = now
    return parts
