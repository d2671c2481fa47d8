# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments as the meter counts them: whole milliseconds since 1970, in UTC. Pure.

With milliseconds, core-seconds of billionths of a core have the twelve decimals that a record may have, so
nothing is ever rounded. What the Engine says more finely is cut off, always downwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

DAY = 86_400_000  # milliseconds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")


def read_time(text: object) -> int | None:
    """The moment that the Engine writes (RFC 3339, nanoseconds); None for none, and for Go's zero time."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None or text == "" or found[1] < "1970":
        return None
    day, clock, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone == 'Z' else zone}")
    except ValueError:
        return None
    seconds = (moment - _EPOCH) // _SECOND
    return seconds * 1000 + int((fraction or "0")[:3].ljust(3, "0"))


_SECOND = datetime(1970, 1, 1, 0, 0, 1) - datetime(1970, 1, 1)
_MILLISECOND = _SECOND / 1000


def from_moment(moment: datetime) -> int:
    """Milliseconds of an aware time."""
    return (moment - _EPOCH) // _MILLISECOND


def as_moment(milliseconds: int) -> datetime:
    """The aware time in UTC."""
    return _EPOCH + milliseconds * _MILLISECOND


def next_border(moment: int, cut: int) -> int:
    """The first border after `moment`; borders lie `cut` ms apart, counted from midnight UTC.

    `cut` divides a day, so days and months begin at borders.
    """
    return moment - moment % cut + cut


def pieces(start: int, end: int, cut: int) -> Iterator[tuple[int, int]]:
    """[start, end) cut at the borders, in order, without gap or overlap; nothing if it is empty."""
    while start < end:
        border = min(next_border(start, cut), end)
        yield start, border
        start = border


def decimal_of(amount: int, places: int) -> Decimal:
    """amount / 10**places, exactly, without zeros at the end."""
    whole, rest = divmod(amount, 10**places)
    return Decimal(f"{whole}.{rest:0{places}d}".rstrip("0").rstrip(".")) if places else Decimal(whole)
