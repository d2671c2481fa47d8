# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invoices without a console: from usage and a tariff to documents of a folder's series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from .credit_notes import build_credit_note
from .documents import Invoice, show_invoice
from .errors import BillingError, InvoiceError, UsageError
from .intake import Once
from .invoice import build_invoice
from .ledger import Entry, Ledger, Mark
from .months import Period, is_due
from .parties import Party
from .rating import Rater, row_of
from .tariff import Tariff
from .usage import UsageRecord


@dataclass(frozen=True)
class Order:
    """What is to be billed, to whom."""

    customer: Party  # with its account
    supplier: Party
    period: Period
    tariffs: Sequence[Tariff]
    prefix: str  # of numbers
    issued: date


@dataclass
class Made:
    """What was done, or in check mode what would be."""

    changed: bool = False
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None  # the document
    path: str = ""
    state: str = ""  # draft, final, void; empty without a document
    counts: dict[str, int] = field(default_factory=dict)


def make_draft(ledger: Ledger, order: Order, usage: Iterable[tuple[str, UsageRecord]], check: bool) -> Made:
    """Keep a draft for the period, if it is not final yet. Raises BillingError."""
    with nullcontext() if check else ledger.locked():
        run = _Run(ledger, order)
        if (final := run.final()) is not None:
            run.count_late(usage)
            return _same(final, run.counts)
        run.refuse_earlier_than_final()
        invoice = run.bill(usage)
        path = ledger.draft_path(order.customer.account, order.period)
        before = ledger.read_draft(path)
        after = None if invoice is None else show_invoice(invoice)
        if before != after and not check:
            path.unlink(missing_ok=True) if after is None else ledger.write_draft(path, after)
        where, state = ("", "") if after is None else (str(path), "draft")
        return Made(before != after, before, after, where, state, run.counts)


def make_final(ledger: Ledger, order: Order, usage: Iterable[tuple[str, UsageRecord]], check: bool) -> Made:
    """Have a final invoice for the period; what is final stays as it is. Raises BillingError."""
    with nullcontext() if check else ledger.locked():
        run = _Run(ledger, order)
        if (final := run.final()) is not None:
            run.count_late(usage)
            return _same(final, run.counts)
        run.refuse_earlier_than_final()
        run.refuse_unfinished()
        draft = run.bill(usage)
        if draft is None:
            return Made(counts=run.counts)
        path = ledger.draft_path(order.customer.account, order.period)
        before = ledger.read_draft(path)
        if check:
            made, where = ledger.next_document(draft, order.prefix, order.issued)
        else:
            entry = ledger.append(draft, order.prefix, order.issued, run.marks)
            made, where = entry.invoice, entry.path
            path.unlink(missing_ok=True)
        return Made(True, before, show_invoice(made), str(where), "final", run.counts)


def make_void(ledger: Ledger, number: str, reason: str, check: bool) -> Made:
    """Have an invoice void: its usage can be billed again. Raises InvoiceError."""
    with nullcontext() if check else ledger.locked():
        entry = _find(ledger, number)
        shown = show_invoice(entry.invoice)
        if entry.void:
            return Made(False, shown, shown, str(entry.path), "void")
        if entry.invoice.kind != "invoice":
            raise InvoiceError(f"number: {number} is a credit note; only invoices can be void")
        if notes := _notes_on(ledger, number):
            raise InvoiceError(
                f"number: {number} was corrected by {notes[0].number} and cannot be void any more"
            )
        if not reason.strip():
            raise InvoiceError(f"reason: say why {number} is void")
        if not check:
            ledger.void(entry, reason.strip())
        return Made(True, shown, shown, str(entry.path), "void")


def make_credit_note(
    ledger: Ledger,
    number: str,
    reason: str,
    amounts: Mapping[int, Decimal] | None,
    prefix: str,
    issued: date,
    check: bool,
) -> Made:
    """Have a credit note with this reason on an invoice; one with the same reason is not made again.

    Raises InvoiceError.
    """
    with nullcontext() if check else ledger.locked():
        entry = _find(ledger, number)
        if entry.void:
            raise InvoiceError(f"number: {number} is void; there is nothing to give back")
        notes = _notes_on(ledger, number)
        if (same := _same_note(ledger, number, reason.strip(), amounts)) is not None:
            return _same(same, {})
        draft = build_credit_note(entry.invoice, reason, amounts, notes)
        if check:
            made, where = ledger.next_document(draft, prefix, issued)
        else:
            new = ledger.append(draft, prefix, issued, [])
            made, where = new.invoice, new.path
        return Made(True, None, show_invoice(made), str(where), "final")


class _Run:
    """One run over the usage of one account."""

    def __init__(self, ledger: Ledger, order: Order) -> None:
        account = order.customer.account
        self.order = order
        self.mine = [entry for entry in ledger.entries() if entry.stands_for(account)]
        self.marks: list[Mark] = []
        billed = {
            (source, key): mark for entry in self.mine for source, key, mark in ledger.records_of(entry)
        }
        self._once = Once(billed)
        self.counts = {"billed": 0, "late": 0, "later": 0, "known": 0}

    def final(self) -> Entry | None:
        """The final invoice for the period, if there is one."""
        return next((entry for entry in self.mine if entry.invoice.period == self.order.period), None)

    def refuse_earlier_than_final(self) -> None:
        """Raises InvoiceError if a later period is final: it has billed what was late."""
        later = [entry.invoice for entry in self.mine if entry.invoice.period > self.order.period]
        if later:
            raise InvoiceError(
                f"period: {later[0].period} is final already, as {later[0].number}; what came late for"
                f" {self.order.period} is billed with the next period"
            )

    def refuse_unfinished(self) -> None:
        """Raises InvoiceError if the period is not over on the day of the invoice."""
        end = self.order.period.end.date()
        if self.order.issued < end:
            raise InvoiceError(
                f"issued: {self.order.period} is not over on {self.order.issued}; make a draft now,"
                f" and the invoice from {end} on"
            )

    def count_late(self, usage: Iterable[tuple[str, UsageRecord]]) -> None:
        """Count what came after the period was final."""
        for _, record in self._new(usage):
            due = is_due(record.start, record.end, self.order.period.end)
            self.counts["late" if due else "later"] += 1
        self.counts["known"] = self._once.repeated

    def bill(self, usage: Iterable[tuple[str, UsageRecord]]) -> Invoice | None:
        """A draft of all that is due by the period's end and not billed; None if there is nothing to bill."""
        order, period = self.order, self.order.period
        before = [line for entry in self.mine for line in entry.invoice.lines]
        rater = Rater(order.tariffs, period.start, period.end, before)
        for place, record in self._new(usage):
            row = row_of(record)
            try:
                taken = rater.add_many((row,))
            except BillingError as error:
                raise UsageError(f"{place}: {error}") from error
            if taken:
                self.marks.append((record.source, record.key, row[-1]))
                self.counts["billed"] += 1
                self.counts["late"] += record.start < period.start
            else:
                self.counts["later"] += 1
        self.counts["known"] = self._once.repeated
        made = build_invoice(
            rater.lines(), order.tariffs, order.customer, order.supplier, period, usage=rater.digest()
        )
        return made if made.lines or made.total else None

    def _new(self, usage: Iterable[tuple[str, UsageRecord]]) -> Iterable[tuple[str, UsageRecord]]:
        """Records of the account that were not billed and did not come before."""
        for place, record in usage:
            try:
                if record.account == self.order.customer.account and self._once.is_new(record):
                    yield place, record
            except UsageError as error:
                raise UsageError(f"{place}: {error}") from error


def _find(ledger: Ledger, number: str) -> Entry:
    for entry in ledger.entries():
        if entry.invoice.number == number:
            return entry
    raise InvoiceError(f"number: there is no document {number!r} in {ledger.folder}")


def _notes_on(ledger: Ledger, number: str) -> list[Invoice]:
    return [entry.invoice for entry in ledger.entries() if entry.invoice.corrects == number]


def _same_note(
    ledger: Ledger, number: str, reason: str, amounts: Mapping[int, Decimal] | None
) -> Entry | None:
    """A credit note that was made with the same options. Raises InvoiceError if only the amounts differ."""
    for entry in ledger.entries():
        note = entry.invoice
        if note.corrects == number and note.reason == reason:
            given = {place: line.amount for place, line in zip(note.of_lines, note.lines, strict=True)}
            if amounts is not None and given != amounts:
                raise InvoiceError(
                    f"reason: {note.number} corrects {number} for this reason already, with other amounts;"
                    " write another reason"
                )
            return entry
    return None


def _same(entry: Entry, counts: dict[str, int]) -> Made:
    shown = show_invoice(entry.invoice)
    return Made(False, shown, shown, str(entry.path), "final", counts)
