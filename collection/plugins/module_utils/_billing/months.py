# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Billing periods: calendar months in UTC, half-open."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from .errors import BillingError

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """[start, end) in UTC."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        """`2026-01`, as `read_period` takes it."""
        return f"{self.start:%Y-%m}"


def month_of(moment: datetime) -> Period:
    """The calendar month in UTC in which the moment lies."""
    moment = moment.astimezone(UTC)
    start = datetime(moment.year, moment.month, 1, tzinfo=UTC)
    turn = moment.month == 12
    return Period(start, start.replace(year=moment.year + turn, month=1 if turn else moment.month + 1))


def read_period(value: object, where: str = "period") -> Period:
    """A month from text as `2026-01`; raises BillingError that begins with `where`."""
    found = _MONTH.fullmatch(value) if isinstance(value, str) else None
    if found is None or not 1 <= int(found[1]) < 9999:
        raise BillingError(f"{where}: {value!r:.40} is no month as 2026-01 is one")
    return month_of(datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC))


def is_due(start: datetime, end: datetime, period_end: datetime) -> bool:
    """Whether usage in [start, end) is billed by the period's end: it is over by then.

    What lasts beyond the end is billed whole in the period in which it ends.
    """
    return start < period_end and end <= period_end
