# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DLab's billing report: a line of the period, a header, a line for each charge, and the total."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import MappingProxyType

from .charges import Charge
from .csv_cells import guard, show_row, unguard
from .errors import ExportError
from .exact import add
from .money import read_decimal

HEADER = ("DataLab ID", "User", "Project", "DataLab Resource Type", "Status", "Shape", "Product", "Cost")
_NO_STATUSES: Mapping[str, str] = MappingProxyType({})
_FIRST = re.compile(
    r"Service base name: (.*)\. Available reporting period from: ([\d-]*) to: ([\d-]*)", re.DOTALL
)
_TOTAL = re.compile(r"Total: (\S+) ([A-Z]{3})?")


@dataclass(frozen=True, slots=True)
class DlabPeriod:
    """The first line. Days, both included; none where nothing is said."""

    base_name: str
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class DlabLine:
    """A line of the report."""

    datalab_id: str
    user: str
    project: str
    resource_type: str
    status: str
    shape: str
    product: str
    cost: Decimal


def write_dlab(
    charges: Iterable[Charge], period: DlabPeriod, statuses: Mapping[str, str] = _NO_STATUSES
) -> Iterator[str]:
    """The report; `statuses` are those of deployments, by id.

    Raises ExportError if charges are in more than one currency: it has one total.
    """
    days = [day.isoformat() if day else "" for day in (period.first, period.last)]
    available = f"Available reporting period from: {days[0]} to: {days[1]}"
    yield show_row([guard(f"Service base name: {period.base_name}. {available}")])
    yield show_row(HEADER)
    total, currency = Decimal(0), ""
    for charge in charges:
        if currency not in ("", charge.currency):
            raise ExportError(
                f"currency: {currency} and {charge.currency} cannot be in one report; export one at a time"
            )
        currency = charge.currency
        total = add(total, charge.amount)
        yield _show(line_of(charge, statuses))
    yield show_row([*[""] * (len(HEADER) - 1), f"Total: {total:f} {currency}"])


def line_of(charge: Charge, statuses: Mapping[str, str] = _NO_STATUSES) -> DlabLine:
    """A charge as the report has it. What is of no deployment has the account in the place of its id."""
    kind = ""
    if charge.deployment:
        kind = "Volume" if charge.resource == "volume" else "Exploratory"
    return DlabLine(
        datalab_id=charge.deployment or charge.account,
        user=charge.user,
        project=charge.project,
        resource_type=kind,
        status=statuses.get(charge.deployment, "") if charge.deployment else "",
        shape=charge.shape,
        product=charge.price_name or charge.description,
        cost=charge.amount,
    )


def read_dlab(lines: Iterable[str]) -> tuple[DlabPeriod, list[DlabLine], str]:
    """Period, lines and currency of a report. Raises ExportError that names the line.

    The total must be the sum of the lines: so a report that was cut is noticed.
    """
    rows = csv.reader(lines, strict=True)
    period = _read_period(next(rows, []))
    if tuple(next(rows, [])) != HEADER:
        raise ExportError(f"line 2: the columns must be {','.join(HEADER)}")
    found: list[DlabLine] = []
    total = Decimal(0)
    for row in rows:
        if len(row) != len(HEADER):
            raise ExportError(f"line {rows.line_num}: {len(row)} cells, where {len(HEADER)} are needed")
        last = _TOTAL.fullmatch(row[-1])
        if last:
            if read_decimal(last[1], f"line {rows.line_num}: Total") != total:
                raise ExportError(f"line {rows.line_num}: {row[-1]}, but the lines add up to {total:f}")
            return period, found, last[2] or ""
        cost = read_decimal(row[-1], f"line {rows.line_num}: Cost")
        total = add(total, cost)
        datalab_id, user, project, kind, status, shape, product = map(unguard, row[:-1])
        found.append(DlabLine(datalab_id, user, project, kind, status, shape, product, cost))
    raise ExportError("there is no line of the total: the report is not whole")


def _show(line: DlabLine) -> str:
    texts = (
        line.datalab_id,
        line.user,
        line.project,
        line.resource_type,
        line.status,
        line.shape,
        line.product,
    )
    return show_row([*map(guard, texts), f"{line.cost:f}"])


def _read_period(row: list[str]) -> DlabPeriod:
    found = _FIRST.fullmatch(unguard(row[0])) if len(row) == 1 else None
    if found is None:
        raise ExportError(f"line 1: {','.join(row)[:80]!r} is not the line of the period")
    try:
        days = [date.fromisoformat(day) if day else None for day in found.groups()[1:]]
    except ValueError as error:
        raise ExportError(f"line 1: {error}") from error
    return DlabPeriod(found[1], *days)
