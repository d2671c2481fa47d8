# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CSV: usage records, or charges of invoices, with a header, and the totals at the end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from .charges import COLUMNS, MOMENTS, NUMBERS, Charge, read_charge, show_charge
from .csv_cells import guard, read_rows, show_row, unguard
from .errors import BillingError, ExportError, UsageError
from .exact import add, show_number
from .money import read_decimal
from .usage import UsageRecord, read_record, show_moment

USAGE_COLUMNS = (
    *("source", "key", "account", "resource", "unit", "quantity", "start", "end"),
    *("deployment", "deployment_name", "plan", "shape", "project", "user", "details"),
)
_UNGUARDED = {"quantity", "start", "end"}
_TOTAL = "Total"


def write_usage_csv(records: Iterable[UsageRecord]) -> Iterator[str]:
    """A header, a line for each record, and a total for each resource and unit."""
    yield show_row(USAGE_COLUMNS)
    totals: dict[tuple[str, str], Decimal] = {}
    for record in records:
        counted = (record.resource, record.unit)
        totals[counted] = add(totals.get(counted, _ZERO), record.quantity)
        details = json.dumps(dict(record.details), ensure_ascii=False) if record.details else ""
        texts = [guard(getattr(record, name)) for name in _TEXTS]
        numbers = (f"{record.quantity:f}", show_moment(record.start), show_moment(record.end))
        yield show_row((*texts[:5], *numbers, *texts[5:], details))
    for (resource, unit), quantity in sorted(totals.items()):
        yield show_row((_TOTAL, "", "", resource, unit, f"{quantity:f}", *[""] * 9))


def read_usage_csv(lines: Iterable[str]) -> Iterator[UsageRecord]:
    """The records of a file of `write_usage_csv`. Raises BillingError that names the line.

    Where totals stand at the end, they must be those of the records: so a file that was cut is noticed.
    """
    totals: dict[tuple[str, str], Decimal] = {}
    for number, row in read_rows(lines, USAGE_COLUMNS):
        counted = (row["resource"], row["unit"])
        if row["source"] == _TOTAL and not row["key"]:
            _check_total(number, row["quantity"], totals.get(counted, _ZERO))
            continue
        found: dict[str, Any] = {
            name: cell if name in _UNGUARDED else unguard(cell) for name, cell in row.items()
        }
        try:
            found["details"] = json.loads(row["details"] or "{}")
            record = read_record(found)
        except (ValueError, UsageError) as error:
            raise UsageError(f"line {number}: {error}") from error
        totals[counted] = add(totals.get(counted, _ZERO), record.quantity)
        yield record


def write_charges_csv(charges: Iterable[Charge]) -> Iterator[str]:
    """A header, a line for each charge, and a total for each currency."""
    yield show_row(COLUMNS)
    totals: dict[str, Decimal] = {}
    for charge in charges:
        totals[charge.currency] = add(totals.get(charge.currency, _ZERO), charge.amount)
        yield show_row(_cells(show_charge(charge)))
    for currency, amount in sorted(totals.items()):
        total = {"invoice": _TOTAL, "currency": currency, "amount": f"{amount:f}"}
        yield show_row([total.get(name, "") for name in COLUMNS])


def read_charges_csv(lines: Iterable[str]) -> Iterator[Charge]:
    """The charges of a file of `write_charges_csv`. Raises ExportError that names the line."""
    totals: dict[str, Decimal] = {}
    for number, row in read_rows(lines, COLUMNS):
        if row["invoice"] == _TOTAL and not row["kind"]:
            _check_total(number, row["amount"], totals.get(row["currency"], _ZERO))
            continue
        try:
            charge = read_charge(_uncells(row))
        except BillingError as error:
            raise ExportError(f"line {number}: {error}") from error
        totals[charge.currency] = add(totals.get(charge.currency, _ZERO), charge.amount)
        yield charge


def _cells(shown: Mapping[str, Any]) -> list[str]:
    return ["" if cell is None else cell if name in _EXACT else guard(cell) for name, cell in shown.items()]


def _uncells(row: Mapping[str, str]) -> dict[str, Any]:
    return {name: (cell or None) if name in _EXACT else unguard(cell) for name, cell in row.items()}


def _check_total(number: int, written: str, found: Decimal) -> None:
    if read_decimal(written, f"line {number}") != found:
        raise ExportError(
            f"line {number}: the total says {written}, the lines add up to {show_number(found)}: the file is"
            " not whole, or was changed"
        )


_ZERO = Decimal(0)
_TEXTS = tuple(name for name in USAGE_COLUMNS if name not in _UNGUARDED and name != "details")
_EXACT = {*NUMBERS, *MOMENTS}
