# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rater has summed up, as JSON: another rater goes on from it as if it had taken the records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from .rating import Rater
from .sums import Names, Usage
from .usage import read_moment, show_moment

#: The begin of the segment, the eight names, quantity * SCALE, what was split as a fraction, how many
#: records, first start, last end, and the intervals that are covered, where a price asks for them.
KeptSum = Sequence[Any]


def show_sums(rater: Rater) -> list[KeptSum]:
    """All sums of the rater; their digest is not among them."""
    return [
        (
            show_moment(segment.start),
            list(usage.names),
            str(usage.scaled),
            str(usage.split),
            usage.count,
            show_moment(usage.start),
            show_moment(usage.end),
            None
            if usage.covered is None
            else [[show_moment(start), show_moment(end)] for start, end in usage.covered.intervals()],
        )
        for segment in rater.segments
        for usage in segment.sums.values()
    ]


def add_sums(rater: Rater, kept: Iterable[KeptSum]) -> None:
    """Add what `show_sums` gave of another rater, whose tariffs were the same at the time of the usage.

    Raises TariffError and BillingError as `Rater.add` does.
    """
    for since, shown, scaled, split, count, start, end, covered in kept:
        names: Names = tuple(shown)
        segment = rater.segments.find(read_moment(since, "segment"))
        usage: Usage = segment.sums.get(names) or segment.open_sum(names)
        usage.scaled += int(scaled)
        usage.split += Fraction(split)
        usage.count += count
        usage.start = min(usage.start, read_moment(start, "start"))
        usage.end = max(usage.end, read_moment(end, "end"))
        if usage.covered is not None:
            for first, last in covered or ():
                usage.covered.add(read_moment(first, "start"), read_moment(last, "end"))
