# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which usage lies in a window of time, and how much of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from .usage import UsageRecord

DAY = timedelta(days=1)


def ending_between(
    records: Iterable[UsageRecord], since: datetime | None, until: datetime | None
) -> Iterator[UsageRecord]:
    """The whole records that end after `since` and not after `until`: each in one of adjoining windows."""
    for record in records:
        if (since is None or record.end > since) and (until is None or record.end <= until):
            yield record


def share_within(record: UsageRecord, since: datetime, until: datetime) -> Fraction:
    """Which part of the record's interval lies in [since, until), from 0 to 1."""
    if record.start == record.end:
        return Fraction(since <= record.start < until)
    if since <= record.start and record.end <= until:
        return Fraction(1)
    inside = min(record.end, until) - max(record.start, since)
    return max(Fraction(0), Fraction(inside // _TICK, (record.end - record.start) // _TICK))


def split_days(record: UsageRecord) -> Iterator[tuple[datetime, Fraction]]:
    """The first moment of each day in UTC that the record touches, and the record's part on that day."""
    day = start_of_day(record.start)
    while day < record.end or day <= record.start:
        yield day, share_within(record, day, day + DAY)
        day += DAY


def start_of_day(moment: datetime) -> datetime:
    """Midnight in UTC before the moment."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


_TICK = timedelta(microseconds=1)
