# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invoices and credit notes: from lines to what is to be paid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from .documents import Credit, Invoice, Share, read_invoice, show_invoice
from .errors import InvoiceError
from .lines import Line
from .money import currency_decimals, exactly, round_money
from .months import Period
from .parties import Party
from .tariff import Discount, Tariff, Tax, find_discount

__all__ = [
    "Credit",
    "Invoice",
    "Share",
    "build_invoice",
    "check_invoice",
    "finalize_invoice",
    "read_invoice",
    "show_invoice",
    "sum_up",
]


@exactly
def build_invoice(
    lines: Sequence[Line],
    tariffs: Sequence[Tariff],
    customer: Party,
    supplier: Party,
    period: Period,
    *,
    credits: Iterable[Credit] = (),
    usage: str = "",
) -> Invoice:
    """A draft. `tariffs` are the versions by which the lines were rated; `usage` is the rater's digest.

    Discount and tax of a line are those of its own version; minimum, days to pay and, if it has one, supplier
    are those of the version that is valid at the period's end. Of `credits`, in their order, no more is taken
    than is to be paid. Raises InvoiceError.
    """
    last = _last_version(tariffs, period)
    discounts, taxes, minimum_tax = _find_shares(lines, tariffs, customer, last)
    draft = sum_up(
        Invoice(
            kind="invoice",
            currency=last.currency,
            period=period,
            tariff=last.name,
            customer=customer,
            supplier=last.supplier or supplier,
            lines=tuple(lines),
            discounts=discounts,
            taxes=taxes,
            due_days=last.due_days,
            usage=usage,
        )
    )
    if last.minimum is not None and last.minimum > draft.net:
        if minimum_tax == len(taxes) and last.tax is not None:
            taxes = (*taxes, _share(last.tax, ()))
        missing = last.minimum - draft.net
        draft = sum_up(replace(draft, minimum=missing, minimum_tax=minimum_tax, taxes=taxes))
    return sum_up(replace(draft, credits=_use_credits(credits, draft)))


def finalize_invoice(draft: Invoice, number: str, issued: date) -> Invoice:
    """The draft with its number, the day it is issued and the day it is due. Raises InvoiceError."""
    if draft.number:
        raise InvoiceError(f"{draft.number} is final already; correct it by a credit note")
    due = issued + timedelta(days=draft.due_days)
    return replace(draft, number=number, issued=issued, due=due)


@exactly
def sum_up(document: Invoice) -> Invoice:
    """The document with all sums made from its lines, percentages, minimum and credits."""
    currency = document.currency
    zero = Decimal(0).quantize(Decimal(1).scaleb(-currency_decimals(currency)))
    amounts = [line.amount for line in document.lines]
    discounts = tuple(
        _with_amount(share, sum((amounts[place] for place in share.lines), zero), currency)
        for share in document.discounts
    )
    taxes = []
    for place, share in enumerate(document.taxes):
        lines = set(share.lines)
        base = sum((amounts[line] for line in share.lines), zero)
        base -= sum((found.amount for found in discounts if lines.issuperset(found.lines)), zero)
        if place == document.minimum_tax:
            base += document.minimum
        taxes.append(_with_amount(share, base, currency))
    subtotal = sum(amounts, zero)
    discount = sum((share.amount for share in discounts), zero)
    minimum = zero + document.minimum
    net, tax = subtotal - discount + minimum, sum((share.amount for share in taxes), zero)
    credit = sum((one.amount for one in document.credits), zero)
    return replace(
        document,
        discounts=discounts,
        taxes=tuple(taxes),
        subtotal=subtotal,
        discount=discount,
        minimum=minimum,
        net=net,
        tax=tax,
        credit=credit,
        total=net + tax - credit,
    )


@exactly
def check_invoice(document: Invoice) -> list[str]:
    """What is wrong with the sums of a document, in words; nothing if they are right."""
    made = sum_up(document)
    names = ("subtotal", "discount", "minimum", "net", "tax", "credit", "total", "discounts", "taxes")
    wrong = [
        f"{name} is not what the lines give"
        for name in names
        if document.kind == "invoice" and getattr(made, name) != getattr(document, name)
    ]
    if document.total != document.net + document.tax - document.credit:
        wrong.append("total is not net + tax - credit")
    if document.net != document.subtotal - document.discount + document.minimum:
        wrong.append("net is not subtotal - discount + minimum")
    wrong += [f"{name} is below 0" for name in names[:7] if getattr(document, name) < 0]
    for place, line in enumerate(document.lines):
        explained = sum((step.amount for step in line.steps), Decimal(0))
        half = Decimal("0.5").scaleb(-currency_decimals(document.currency))
        if line.steps and abs(explained - line.amount) > half + len(line.steps) * Decimal("1E-12"):
            wrong.append(f"lines[{place}].amount is not what its steps give")
    return wrong


def _last_version(tariffs: Sequence[Tariff], period: Period) -> Tariff:
    """The version that is valid at the end of the period, or the last before that."""
    held = [tariff for tariff in tariffs if tariff.valid_from < period.end]
    if not held:
        raise InvoiceError(f"period {period}: no version of the tariff is valid in it")
    return max(held, key=lambda tariff: tariff.valid_from)


def _find_shares(
    lines: Sequence[Line], tariffs: Sequence[Tariff], customer: Party, last: Tariff
) -> tuple[tuple[Share, ...], tuple[Share, ...], int | None]:
    """Discounts and taxes with the lines that each is on, and the place of the tax on the minimum.

    A discount on lines of several taxes is one for each tax, so that what is taxed is exact.
    """
    versions = {tariff.valid_from: tariff for tariff in tariffs}
    taxed: dict[Tax, list[int]] = {}
    reduced: dict[tuple[str, Decimal, Tax | None], list[int]] = {}
    for place, line in enumerate(lines):
        tariff = versions.get(line.tariff_version)
        if tariff is None or tariff.currency != last.currency:
            raise InvoiceError(
                f"lines[{place}]: was rated by a version of the tariff that is not given,"
                " or in another currency"
            )
        if tariff.tax is not None:
            taxed.setdefault(tariff.tax, []).append(place)
        found = find_discount(tariff, customer, line.project, line.user)
        if found is not None:
            reduced.setdefault((found.name, found.percent, tariff.tax), []).append(place)
    discounts = [
        Share(name, percent, _ZERO, _ZERO, tuple(where)) for (name, percent, _), where in reduced.items()
    ]
    taxes = [_share(tax, where) for tax, where in taxed.items()]
    minimum_tax = None
    if last.tax is not None:
        minimum_tax = [*taxed, last.tax].index(last.tax)
    return tuple(discounts), tuple(taxes), minimum_tax


def _use_credits(credits: Iterable[Credit], draft: Invoice) -> tuple[Credit, ...]:
    """Of each credit what can be used, so that nothing below 0 is left to pay."""
    left = draft.net + draft.tax
    used = []
    for credit in credits:
        if credit.amount < 0 or credit.amount != round_money(Fraction(credit.amount), draft.currency):
            raise InvoiceError(f"credit {credit.name!r}: {credit.amount} is no amount of {draft.currency}")
        taken = min(credit.amount, left)
        if taken > 0:
            used.append(Credit(credit.name, taken))
            left -= taken
    return tuple(used)


_ZERO = Decimal(0)


def _share(part: Tax | Discount, lines: Iterable[int]) -> Share:
    return Share(part.name, part.percent, _ZERO, _ZERO, tuple(lines))


def _with_amount(share: Share, base: Decimal, currency: str) -> Share:
    """The share of a base, rounded once."""
    amount = round_money(Fraction(base) * Fraction(share.percent) / 100, currency)
    return replace(share, base=base, amount=amount)
