# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rating: from usage records to lines with amounts, whatever the order of the records.

Records are summed up as they come, so memory grows with the lines and not with the records. Each sum is
exact: whole numbers, and fractions for what is split where a tariff changes or a month ends. A line is
rounded once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from .errors import TariffError
from .lines import Line, Step
from .money import EXACT, PLACES, round_fraction, round_money
from .months import is_due, month_of
from .prices import Price
from .pricing import rate_quantity
from .sums import SCALE, Coverage, Names, Segment, Segments, Usage, microseconds
from .tariff import Tariff, check_no_gap
from .usage import UsageRecord, fingerprint

#: deployment, deployment_name, plan, shape, project, user, resource, unit, quantity, start, end, fingerprint
Row = tuple[str, str, str, str, str, str, str, str, Decimal, datetime, datetime, str]
_ROOM = 1 << 256


def row_of(record: UsageRecord) -> Row:
    """The record as a row."""
    return (
        *(record.deployment, record.deployment_name, record.plan, record.shape, record.project),
        *(record.user, record.resource, record.unit, record.quantity, record.start, record.end),
        fingerprint(record),
    )


@dataclass(slots=True)
class RecordDigest:
    """What `Rater.digest` gives, of fingerprints that come one by one."""

    records: int = 0
    _marks: int = 0

    def add(self, fingerprint: str) -> None:
        """Count one record."""
        self.records += 1
        self._marks += int.from_bytes(hashlib.sha256(fingerprint.encode()).digest(), "big")

    def hexdigest(self) -> str:
        """64 hexadecimal digits, whatever the order of the records."""
        return _digest(self.records, self._marks % _ROOM)


def digest_of(fingerprints: Iterable[str]) -> str:
    """What `Rater.digest` gives for records with these fingerprints."""
    made = RecordDigest()
    for mark in fingerprints:
        made.add(mark)
    return made.hexdigest()


def _digest(records: int, marks: int) -> str:
    return hashlib.sha256(f"{records}:{marks:064x}".encode()).hexdigest()


class Rater:
    """Sums up and rates usage of one account that is billed by the end of a period.

    `tariffs` are the versions of one tariff; usage is split where they change. `before` are lines of earlier
    invoices of the account that still stand: where usage of their months comes late, tiers and packages go on
    after them, and monthly fees are not charged again.

    Each record must be given once: see `once.py`.
    """

    def __init__(
        self,
        tariffs: Sequence[Tariff],
        period_start: datetime,
        period_end: datetime,
        before: Iterable[Line] = (),
    ) -> None:
        if len(names := {tariff.name for tariff in tariffs}) > 1:
            raise TariffError(f"name: versions of one tariff are needed, not of {', '.join(sorted(names))}")
        check_no_gap(tariffs)
        self.period_start = period_start
        self.period_end = period_end
        self.records = 0  #: how many were taken
        self.later = 0  #: how many end after the period, and were not taken
        self.segments = Segments(tariffs)  #: what was summed up so far
        self._last: Segment | None = None
        self._marks = 0
        self._before: dict[tuple[datetime, str], list[Line]] = {}
        self.go_on_after(before)

    def go_on_after(self, lines: Iterable[Line]) -> None:
        """Take lines of earlier invoices, as `before`."""
        for line in lines:
            self._before.setdefault((month_of(line.start).start, line.price_name), []).append(line)

    def add(self, record: UsageRecord) -> bool:
        """Take a record, if it ends within the period or before it; whether it was taken.

        Raises TariffError where no version of the tariff is valid, BillingError where a price's unit does not
        measure what the record counts.
        """
        return self.add_many((row_of(record),)) == 1

    def add_many(self, rows: Iterable[Row]) -> int:
        """Take many records at once, as rows; how many were taken. Raises as `add` does."""
        period_end, sha256, scaleb = self.period_end, hashlib.sha256, EXACT.scaleb
        segment = self._last
        taken = marks = 0
        try:
            for row in rows:
                quantity, start, end, mark = row[8:]
                if not is_due(start, end, period_end):
                    self.later += 1
                    continue
                if segment is None or not segment.start <= start < segment.end:
                    segment = self._last = self.segments.find(start)
                if end > segment.end:
                    self._split(row)
                else:
                    names: Names = row[:8]
                    usage = segment.sums.get(names) or segment.open_sum(names)
                    usage.scaled += int(scaleb(quantity, PLACES))
                    usage.count += 1
                    if start < usage.start:
                        usage.start = start
                    if end > usage.end:
                        usage.end = end
                    if usage.covered is not None:
                        usage.covered.add(start, end)
                marks += int.from_bytes(sha256(mark.encode()).digest(), "big")
                taken += 1
        finally:  # of what was taken before a record that raises
            self._marks = (self._marks + marks) % _ROOM
            self.records += taken
        return taken

    def digest(self) -> str:
        """64 hexadecimal digits that depend on which records were taken, and not on their order."""
        return _digest(self.records, self._marks)

    def lines(self, currency: str = "") -> list[Line]:
        """The lines, sorted by deployment, price and time; with `currency`, those in it.

        Raises TariffError where currencies are mixed and none is given.
        """
        used = {segment.tariff.currency for segment in self.segments}
        if len(used) > 1 and not currency:
            raise TariffError(
                f"currency: usage in {' and '.join(sorted(used))} cannot be on one invoice;"
                " let a tariff's currency change at the turn of a month, and bill late usage before"
            )
        groups = [g for g in self._groups() if currency in ("", g.segment.tariff.currency)]
        lines = [line for group in groups if (line := self._rate(group)) is not None]
        return sorted(lines, key=_place)

    def _split(self, row: Row) -> None:
        """A record of several segments: each has the part of the quantity that it has of the time."""
        quantity, start, end, _ = row[8:]
        names: Names = row[:8]
        scaled, whole = int(EXACT.scaleb(quantity, PLACES)), microseconds(end - start)
        parts = []
        while start < end:
            segment = self.segments.find(start)
            stop = min(end, segment.end)
            parts.append((segment.sums.get(names) or segment.open_sum(names), start, stop))
            start = stop
        for usage, begin, stop in parts:  # all of them were found: a record is taken whole or not at all
            usage.split += Fraction(scaled * microseconds(stop - begin), SCALE * whole)
            usage.count += 1
            usage.start, usage.end = min(begin, usage.start), max(stop, usage.end)
            if usage.covered is not None:
                usage.covered.add(begin, stop)

    def _groups(self) -> list[_Group]:
        """What is one line each."""
        groups: dict[tuple[object, ...], _Group] = {}
        for segment in self.segments:
            for usage in segment.sums.values():
                if usage.price is not None:
                    key = _key(segment, usage.price, usage.names)
                    group = groups.setdefault(key, _Group(segment, usage.price))
                    group.usages.append(usage)
        return list(groups.values())

    def _rate(self, group: _Group) -> Line | None:
        """The line of a group; none where all of a monthly fee was charged before."""
        lines = self._before.get((group.segment.month.start, group.price.name), ())
        billed = [line.quantity for line in lines if group.goes_on_after(line)]
        before = sum((Fraction(quantity) for quantity in billed), Fraction(0))
        quantity = group.quantity()
        if group.price.model == "flat":
            quantity = min(quantity, max(1 - before, Fraction(0)))
            if quantity == 0 and before:
                return None
        return _make_line(group, quantity, before)


@dataclass(slots=True)
class _Group:
    """Sums that make one line: of one price in one segment."""

    segment: Segment
    price: Price
    usages: list[Usage] = field(default_factory=list)

    def quantity(self) -> Fraction:
        """In the unit of the line."""
        if self.price.model != "flat":
            return sum((usage.quantity() for usage in self.usages), Fraction(0))
        if not self.price.prorated:
            return Fraction(1)
        together = Coverage()
        for usage in self.usages:
            if usage.covered is not None:
                together.add_all(usage.covered)
        month = self.segment.month
        return Fraction(together.microseconds(), microseconds(month.end - month.start))

    def names(self) -> Names:
        """Names for the line: what all share. Of a deployment, those of its last usage."""
        latest = max(self.usages, key=lambda usage: (usage.end, usage.start, usage.names)).names
        if self.price.across == "deployment":
            return latest
        shared = [
            name if all(usage.names[index] == name for usage in self.usages) else ""
            for index, name in enumerate(latest)
        ]
        return ("", "", shared[2], shared[3], shared[4], shared[5], latest[6], latest[7])

    def goes_on_after(self, line: Line) -> bool:
        """Whether a line of an earlier invoice, of the same price and month, counts in tiers or fee."""
        if self.price.model != "flat" and line.tariff_version != self.segment.tariff.valid_from:
            return False
        deployment, _, _, _, project, user, _, _ = self.names()
        return self.price.across == "account" or (
            (line.deployment, line.project, line.user) == (deployment, project, user)
        )


def _key(segment: Segment, price: Price, names: Names) -> tuple[object, ...]:
    """What is the same in all of a line."""
    deployment, _, plan, shape, project, user, _, _ = names
    # A monthly fee is charged once, whichever version of the tariff it is from.
    since = (
        segment.month.start
        if price.model == "flat" and not price.prorated
        else (segment.month.start, segment.tariff.valid_from)
    )
    if price.across == "account":
        return (since, price.name)
    if price.model == "unit":
        return (since, price.name, deployment, project, user, plan, shape)
    return (since, price.name, deployment, project, user)


def _make_line(group: _Group, quantity: Fraction, before: Fraction) -> Line:
    tariff, price = group.segment.tariff, group.price
    steps = rate_quantity(price, quantity, before)
    exact = sum((step.amount for step in steps), Fraction(0))
    deployment, deployment_name, plan, shape, project, user, resource, _ = group.names()
    return Line(
        deployment=deployment,
        deployment_name=deployment_name,
        plan=plan,
        shape=shape,
        project=project,
        user=user,
        resource=resource,
        description=f"{deployment_name or deployment}: {price.name}" if deployment else price.name,
        price_name=price.name,
        model=price.model,
        tariff=tariff.name,
        tariff_version=tariff.valid_from,
        unit=price.per,
        quantity=round_fraction(quantity, PLACES),
        unit_price=_one_price(price, [step.price for step in steps]),
        amount=round_money(exact, tariff.currency),
        start=min(usage.start for usage in group.usages),
        end=max(usage.end for usage in group.usages),
        records=sum(usage.count for usage in group.usages),
        steps=tuple(
            Step(round_fraction(s.quantity, PLACES), s.price, s.fee, round_fraction(s.amount, PLACES))
            for s in steps
        ),
        exact=exact,
    )


def _one_price(price: Price, used: Sequence[Decimal]) -> Decimal | None:
    """The price of a unit, where there is but one."""
    if not price.tiers:
        return price.price
    return used[0] if len(used) == 1 else None


def _place(line: Line) -> tuple[object, ...]:
    """Where a line stands among the others: what no two lines share."""
    return (
        *(line.deployment_name, line.deployment, line.price_name, line.start, line.tariff_version),
        *(line.project, line.user, line.plan, line.shape),
    )
