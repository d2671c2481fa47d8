# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sums of usage: by version of the tariff, calendar month, and whom and what usage belongs to."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from .money import PLACES
from .months import Period, month_of
from .prices import Price
from .tariff import Tariff, find_price, find_version
from .units import factor_between

#: deployment, deployment_name, plan, shape, project, user, resource, unit
Names = tuple[str, str, str, str, str, str, str, str]
SCALE = 10**PLACES
_MICROSECOND = timedelta(microseconds=1)
_ENDLESS = datetime.max.replace(tzinfo=UTC)
_COMPACT = 4096


def microseconds(length: timedelta) -> int:
    """A length of time as a whole number."""
    return length // _MICROSECOND


class Coverage:
    """A set of moments, as intervals that do not touch."""

    __slots__ = ("_intervals", "_limit")

    def __init__(self) -> None:
        self._intervals: list[tuple[datetime, datetime]] = []
        self._limit = _COMPACT

    def add(self, start: datetime, end: datetime) -> None:
        """Add [start, end)."""
        self._intervals.append((start, end))
        if len(self._intervals) > self._limit:
            self._compact()
            self._limit = max(_COMPACT, 2 * len(self._intervals))

    def add_all(self, other: Coverage) -> None:
        """Add all that is in the other."""
        self._intervals += other._intervals

    def intervals(self) -> list[tuple[datetime, datetime]]:
        """All of it, in order; what overlaps or touches is one interval."""
        self._compact()
        return self._intervals

    def microseconds(self) -> int:
        """How long all of it is; what overlaps counts once."""
        return sum(microseconds(end - start) for start, end in self.intervals())

    def _compact(self) -> None:
        joined: list[tuple[datetime, datetime]] = []
        for start, end in sorted(self._intervals):
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
        self._intervals = joined


class Usage:
    """The sum of all usage with the same names in one segment."""

    __slots__ = ("count", "covered", "end", "names", "per_unit", "price", "scaled", "split", "start")

    def __init__(self, names: Names, price: Price | None) -> None:
        self.names = names
        self.price = price  # none: it costs nothing
        self.scaled = 0  # quantity * SCALE of what lies in one segment
        self.split = Fraction(0)  # quantity of what was split where segments meet
        self.count = 0  # records
        self.start = _ENDLESS
        self.end = datetime.min.replace(tzinfo=UTC)
        is_flat = price is not None and price.model == "flat"
        self.covered = Coverage() if is_flat else None
        # raises BillingError where the price is for another kind of unit
        self.per_unit = factor_between(names[7], price.per) if price and not is_flat else Fraction(1)

    def quantity(self) -> Fraction:
        """In the price's unit."""
        return (Fraction(self.scaled, SCALE) + self.split) * self.per_unit


@dataclass(slots=True)
class Segment:
    """A time in which prices and month stay the same: [start, end)."""

    start: datetime
    end: datetime
    month: Period
    tariff: Tariff
    sums: dict[Names, Usage] = field(default_factory=dict)

    def open_sum(self, names: Names) -> Usage:
        """A new sum for these names, with its price."""
        _, _, plan, shape, project, user, resource, _ = names
        price = find_price(self.tariff, plan, shape, project, user, resource)
        self.sums[names] = Usage(names, price)
        return self.sums[names]


class Segments:
    """All segments in which there is usage, made as they are needed."""

    def __init__(self, tariffs: Sequence[Tariff]) -> None:
        self._tariffs = tariffs
        self._found: list[Segment] = []

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._found)

    def find(self, moment: datetime) -> Segment:
        """The segment in which the moment lies; raises TariffError if no tariff is valid then."""
        place = bisect_right(self._found, moment, key=lambda segment: segment.start)
        if place and moment < self._found[place - 1].end:
            return self._found[place - 1]
        month, tariff = month_of(moment), find_version(self._tariffs, moment)
        end = month.end if tariff.valid_to is None else min(month.end, tariff.valid_to)
        made = Segment(max(month.start, tariff.valid_from), end, month, tariff)
        insort(self._found, made, key=lambda segment: segment.start)
        return made
