# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Import of cost reports: sums of each day, exact, from any CSV; nothing is counted twice.

A line is known by its own id where the report has one (`line_id`). Else by all it says, and by which of
several equal lines of its file it is: so two equal charges are two, and the same file again, or one that
overlaps, adds none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from .cost_lines import TEXTS, CostLine, read_cost_lines
from .cost_mapping import CostMapping
from .exact import add, show_number
from .known_lines import KnownLines

#: How many lines that were set aside are kept with their reasons.
KEPT = 1000


@dataclass(frozen=True, slots=True, order=True)
class DayKey:
    """What is summed up together."""

    day: date
    currency: str
    datalab_id: str
    resource_id: str
    user: str
    project: str
    product: str
    usage_type: str


@dataclass(slots=True)
class DaySum:
    """The sum of some lines."""

    cost: Decimal = Decimal(0)
    usage: Decimal = Decimal(0)
    lines: int = 0


@dataclass(slots=True)
class Imported:
    """What became of a report. Memory grows with `sums`, not with the lines."""

    sums: dict[DayKey, DaySum] = field(default_factory=dict)
    taken: int = 0
    known: int = 0  # lines that were imported before
    refused: int = 0
    reasons: list[tuple[int, str]] = field(default_factory=list)  # number and reason of the first so many

    def set_aside(self, number: int, reason: str) -> None:
        """Count a line that cannot be taken."""
        self.refused += 1
        if len(self.reasons) < KEPT:
            self.reasons.append((number, reason))

    def days(self) -> Iterator[tuple[DayKey, DaySum]]:
        """The sums by day, sorted."""
        yield from sorted(self.sums.items(), key=lambda pair: pair[0])


def import_costs(lines: Iterable[bytes], mapping: CostMapping, known: KnownLines) -> Imported:
    """Sum up the lines of a report that are new. Raises ImportCostsError if its header lacks a column."""
    result = Imported()
    known.begin_file()
    for line in read_cost_lines(lines, mapping, result.set_aside):
        content = _content(line)
        key = _key(line, content, known)
        before = known.add(key, content)
        if before is None:
            _take(result, line)
        elif before == content:
            result.known += 1
        else:
            result.set_aside(line.number, f"line_id: {line.line_id!r} was imported before with other content")
    return result


def _take(result: Imported, line: CostLine) -> None:
    key = DayKey(
        *(line.day, line.currency, line.datalab_id, line.resource_id),
        *(line.user, line.project, line.product, line.usage_type),
    )
    found = result.sums.get(key)
    if found is None:
        found = result.sums[key] = DaySum()
    found.cost = add(found.cost, line.cost)
    found.usage = add(found.usage, line.usage or _ZERO)
    found.lines += 1
    result.taken += 1


def _content(line: CostLine) -> bytes:
    """A hash of all that a line says but its number."""
    texts = [getattr(line, name) for name in TEXTS]
    usage = "" if line.usage is None else show_number(line.usage)
    parts = [line.day.isoformat(), show_number(line.cost), line.currency, usage, *texts]
    return hashlib.sha256("\0".join(parts).encode()).digest()[:16]


def _key(line: CostLine, content: bytes, known: KnownLines) -> bytes:
    if line.line_id:
        return b"id:" + hashlib.sha256(line.line_id.encode()).digest()[:16]
    return content + known.count(content).to_bytes(8, "big")


_ZERO = Decimal(0)
