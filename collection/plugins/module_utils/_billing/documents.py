# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invoices and credit notes as documents: what is in them, and how JSON has it.

    subtotal  the sum of the lines
    discount  what is taken off, by name and percentage
    minimum   what is added so that at least the tariff's minimum is billed
    net       subtotal - discount + minimum
    tax       on net, by name and percentage
    credit    what was paid before, as from a wallet
    total     net + tax - credit, what is to be paid; never below 0

Of a credit note all amounts are what the supplier gives back, and are not below 0 either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from .errors import BillingError, InvoiceError
from .lines import Line, read_line, show_line
from .months import Period
from .parties import Party, show_party
from .usage import read_moment, show_moment


@dataclass(frozen=True, slots=True)
class Share:
    """So much per cent of some lines: a discount or a tax. `base` is what it is taken from."""

    name: str
    percent: Decimal
    base: Decimal
    amount: Decimal
    lines: tuple[int, ...]  # places in the document's lines, from 0


@dataclass(frozen=True, slots=True)
class Credit:
    """Money that was paid before, and is taken off."""

    name: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Invoice:
    """A document; a draft has no number. Amounts are in the currency's decimals, see above."""

    kind: str  # invoice or credit_note
    currency: str
    period: Period
    tariff: str
    customer: Party
    supplier: Party
    lines: tuple[Line, ...]
    discounts: tuple[Share, ...] = ()
    taxes: tuple[Share, ...] = ()
    credits: tuple[Credit, ...] = ()
    minimum_tax: int | None = None  # place in `taxes` of the tax that is on the minimum
    subtotal: Decimal = Decimal(0)
    discount: Decimal = Decimal(0)
    minimum: Decimal = Decimal(0)
    net: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    credit: Decimal = Decimal(0)
    total: Decimal = Decimal(0)
    due_days: int = 0
    number: str = ""
    issued: date | None = None
    due: date | None = None
    usage: str = ""  # the rater's digest of the records that are billed
    corrects: str = ""  # of a credit note: the number of the invoice
    of_lines: tuple[int, ...] = ()  # of a credit note: which lines of the invoice its lines give back
    reason: str = ""  # of a credit note


_TEXTS = ("kind", "number", "currency", "tariff", "usage", "corrects", "reason")
_AMOUNTS = ("subtotal", "discount", "minimum", "net", "tax", "credit", "total")
_DAYS = ("issued", "due")


def show_invoice(invoice: Invoice) -> dict[str, Any]:
    """The document as JSON has it: decimals, days and times as text."""
    return {
        **{name: getattr(invoice, name) for name in _TEXTS},
        **{name: day.isoformat() if (day := getattr(invoice, name)) else None for name in _DAYS},
        "due_days": invoice.due_days,
        "period": {"start": show_moment(invoice.period.start), "end": show_moment(invoice.period.end)},
        "customer": show_party(invoice.customer),
        "supplier": show_party(invoice.supplier),
        "lines": [show_line(line) for line in invoice.lines],
        "of_lines": list(invoice.of_lines),
        "discounts": [_show_share(share) for share in invoice.discounts],
        "minimum_tax": invoice.minimum_tax,
        "taxes": [_show_share(share) for share in invoice.taxes],
        "credits": [{"name": one.name, "amount": f"{one.amount:f}"} for one in invoice.credits],
        **{name: f"{getattr(invoice, name):f}" for name in _AMOUNTS},
    }


def read_invoice(document: Mapping[str, Any]) -> Invoice:
    """The document back from JSON. Raises InvoiceError if it is none."""
    try:
        found: dict[str, Any] = {name: document[name] for name in _TEXTS}
        found.update({name: Decimal(document[name]) for name in _AMOUNTS})
        found.update({name: date.fromisoformat(day) if (day := document[name]) else None for name in _DAYS})
        return Invoice(
            **found,
            due_days=document["due_days"],
            period=Period(*(read_moment(document["period"][name], name) for name in ("start", "end"))),
            customer=_read_party(document["customer"]),
            supplier=_read_party(document["supplier"]),
            lines=tuple(read_line(line) for line in document["lines"]),
            of_lines=tuple(document["of_lines"]),
            discounts=tuple(_read_share(share) for share in document["discounts"]),
            minimum_tax=document["minimum_tax"],
            taxes=tuple(_read_share(share) for share in document["taxes"]),
            credits=tuple(Credit(one["name"], Decimal(one["amount"])) for one in document["credits"]),
        )
    except (BillingError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise InvoiceError(f"this is no document of an invoice: {error!r:.200}") from error


def _read_party(found: Mapping[str, Any]) -> Party:
    return Party(**{**found, "groups": tuple(found["groups"])})


def _show_share(share: Share) -> dict[str, Any]:
    amounts = {name: f"{getattr(share, name):f}" for name in ("percent", "base", "amount")}
    return {"name": share.name, **amounts, "lines": list(share.lines)}


def _read_share(found: Mapping[str, Any]) -> Share:
    percent, base, amount = (Decimal(found[name]) for name in ("percent", "base", "amount"))
    return Share(found["name"], percent, base, amount, tuple(found["lines"]))
