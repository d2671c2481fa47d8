# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credit notes: they give back what an invoice billed, all or some of it, with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from .documents import Invoice, Share
from .errors import InvoiceError
from .invoice import sum_up
from .lines import Line
from .money import PLACES, exactly, round_fraction, round_money


@exactly
def build_credit_note(
    invoice: Invoice,
    reason: str,
    amounts: Mapping[int, Decimal] | None = None,
    before: Sequence[Invoice] = (),
) -> Invoice:
    """A draft of a credit note on an invoice that has a number.

    `amounts` says how much of which line (by its place, from 0) is given back, before discount and tax;
    without it, all that earlier credit notes, `before`, have left. Discount and tax are given back to the
    cent: all credit notes on an invoice together are never more than it, and of all lines exactly it. A
    minimum is given back with the whole invoice alone. Raises InvoiceError.
    """
    if invoice.kind != "invoice" or not invoice.number:
        raise InvoiceError("a credit note corrects an invoice that has a number")
    if not reason.strip():
        raise InvoiceError(f"reason: say why {invoice.number} is corrected")
    left = left_of(invoice, before)
    after = _less(left, _check_amounts(left, amounts), keep_minimum=amounts is not None)
    note = _difference(invoice, left, after)
    if not note.lines and not note.net:
        raise InvoiceError(f"{invoice.number}: nothing is left of it to give back")
    return replace(note, reason=reason.strip(), corrects=invoice.number)


def left_of(invoice: Invoice, before: Sequence[Invoice]) -> Invoice:
    """The invoice less what was given back."""
    left = sum_up(replace(invoice, credits=()))
    for note in before:
        given = {place: line.amount for place, line in zip(note.of_lines, note.lines, strict=True)}
        left = _less(left, given, keep_minimum=not note.minimum)
    return left


def _check_amounts(left: Invoice, amounts: Mapping[int, Decimal] | None) -> Mapping[int, Decimal]:
    if amounts is None:
        return {place: line.amount for place, line in enumerate(left.lines) if line.amount}
    for place, amount in amounts.items():
        if not 0 <= place < len(left.lines):
            raise InvoiceError(f"lines[{place}]: {left.number} has {len(left.lines)} lines")
        if amount <= 0 or amount != round_money(Fraction(amount), left.currency):
            raise InvoiceError(f"lines[{place}]: {amount} is no amount above 0 of {left.currency}")
        if amount > (most := left.lines[place].amount):
            raise InvoiceError(f"lines[{place}]: {amount} is more than the {most} that can be given back")
    return amounts


def _less(document: Invoice, amounts: Mapping[int, Decimal], *, keep_minimum: bool) -> Invoice:
    lines = tuple(
        replace(line, amount=line.amount - amounts.get(place, 0)) for place, line in enumerate(document.lines)
    )
    minimum = document.minimum if keep_minimum else Decimal(0)
    return sum_up(replace(document, lines=lines, minimum=minimum))


def _difference(invoice: Invoice, left: Invoice, after: Invoice) -> Invoice:
    """What lies between two states of the invoice, as a document."""
    places = [place for place, line in enumerate(left.lines) if line.amount != after.lines[place].amount]
    lines = [
        _part_of_line(invoice.lines[place], left.lines[place].amount - after.lines[place].amount)
        for place in places
    ]
    numbers = {place: number for number, place in enumerate(places)}
    parts = {
        name: getattr(left, name) - getattr(after, name)
        for name in ("subtotal", "discount", "minimum", "net", "tax", "total")
    }
    taxes = _shares_between(left.taxes, after.taxes, numbers)
    return replace(
        left,
        kind="credit_note",
        number="",
        issued=None,
        due=None,
        usage="",
        lines=tuple(lines),
        of_lines=tuple(places),
        discounts=_shares_between(left.discounts, after.discounts, numbers),
        taxes=taxes,
        minimum_tax=None,
        **parts,
    )


def _shares_between(
    left: Sequence[Share], after: Sequence[Share], numbers: Mapping[int, int]
) -> tuple[Share, ...]:
    return tuple(
        replace(
            one,
            base=one.base - other.base,
            amount=one.amount - other.amount,
            lines=tuple(numbers[place] for place in one.lines if place in numbers),
        )
        for one, other in zip(left, after, strict=True)
        if one.base != other.base
    )


def _part_of_line(line: Line, amount: Decimal) -> Line:
    """The line with a part of its amount, and the same part of its quantity."""
    if amount == line.amount:
        return line
    part = Fraction(amount) / Fraction(line.amount)
    return replace(
        line,
        amount=amount,
        quantity=round_fraction(Fraction(line.quantity) * part, PLACES),
        steps=(),
        exact=Fraction(amount),
    )
