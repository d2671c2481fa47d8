# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics for the accounting of the EOSC: how many hours a user's deployments ran on a day, as JSON lines.

Each line is the body of one request, `POST /accounting-system/installations/<id>/metrics`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from .errors import ExportError, UsageError
from .exact import show_number
from .money import round_fraction
from .usage import UsageRecord, read_moment
from .windows import DAY, split_days, start_of_day

#: Decimals of hours: a hundredth of a millisecond.
PLACES = 9
_HOUR = 3600
_FIELDS = ("metric_definition_id", "time_period_start", "time_period_end", "user_id", "group_id", "value")


@dataclass(frozen=True, slots=True)
class EoscNames:
    """What is called how at the EOSC."""

    #: `<plan>/<shape>`, plan or shape to the id of its metric; what is in none is not reported.
    metrics: Mapping[str, str]
    users: Mapping[str, str] = field(default_factory=dict)  # user name to the user's id
    groups: Mapping[str, str] = field(default_factory=dict)  # project to the group's id

    def metric(self, record: UsageRecord) -> str | None:
        """The metric that counts the record."""
        for name in (f"{record.plan}/{record.shape}", record.plan, record.shape):
            if name in self.metrics:
                return self.metrics[name]
        return None


@dataclass(frozen=True, slots=True, order=True)
class EoscMetric:
    """Hours of one user and group on one day. The day is half-open, as everywhere with us."""

    day: datetime
    metric: str
    user: str
    group: str
    hours: Decimal


def write_eosc(
    records: Iterable[UsageRecord], names: EoscNames, since: datetime | None, until: datetime
) -> Iterator[str]:
    """A line for each metric, of whole days from that of `since` to before that of `until`, sorted.

    Wall time is counted, and split exactly at midnight in UTC. Memory grows with days, users and groups.
    """
    first = start_of_day(since) if since else None
    last = start_of_day(until)
    seconds: dict[tuple[datetime, str, str, str], Fraction] = {}
    for record in records:
        metric = names.metric(record) if record.resource == "wall" else None
        if metric is None:
            continue
        user = names.users.get(record.user, record.user)
        group = names.groups.get(record.project, record.project or record.account)
        for day, part in split_days(record):
            if (first is None or day >= first) and day < last:
                key = (day, metric, user, group)
                seconds[key] = seconds.get(key, Fraction(0)) + part * Fraction(record.quantity)
    for (day, metric, user, group), amount in sorted(seconds.items()):
        hours = round_fraction(amount / _HOUR, PLACES)
        if hours:
            yield show_eosc(EoscMetric(day, metric, user, group, hours))


def show_eosc(metric: EoscMetric) -> str:
    """The line of a metric. The period ends with the day's last second, as EGI's exporter writes it."""
    end = metric.day + DAY - timedelta(seconds=1)
    values = (metric.metric, f"{metric.day:{_FORMAT}}", f"{end:{_FORMAT}}", metric.user, metric.group)
    texts = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in zip(_FIELDS, values, strict=False)]
    # The number as it is, not as the nearest that floating point has.
    return "{" + ", ".join([*texts, f'"value": {show_number(metric.hours)}']) + "}\n"


def read_eosc(lines: Iterable[str]) -> Iterator[EoscMetric]:
    """The metrics of the lines. Raises ExportError that names the line."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line, parse_float=Decimal, parse_int=Decimal)
            if sorted(found) != sorted(_FIELDS):
                raise ExportError(f"the fields must be {', '.join(_FIELDS)}")
            start, end = (read_moment(found[name], name) for name in _FIELDS[1:3])
            if start != start_of_day(start) or end != start + DAY - timedelta(seconds=1):
                raise ExportError(f"{found['time_period_start']} to {found['time_period_end']} is no day")
            if not isinstance(found["value"], Decimal) or not found["value"].is_finite():
                raise ExportError(f"value: {found['value']!r} is no number")
        except (ValueError, TypeError, UsageError, ExportError) as error:
            raise ExportError(f"line {number}: {error}") from error
        metric, user, group = (str(found[name]) for name in (_FIELDS[0], *_FIELDS[3:5]))
        yield EoscMetric(start, metric, user, group, found["value"])


_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
