# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a cost report, one after the other: what is wrong is set aside with its number and the reason."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import BinaryIO

from .cost_mapping import FIELDS, CostMapping
from .currencies import DECIMALS
from .errors import ImportCostsError

#: Called with the number of a line that is set aside, and the reason.
SetAside = Callable[[int, str], None]
#: Bytes of the longest line that is looked at.
LONGEST = 1 << 20
_NUMBER = re.compile(r"-?\d{1,24}(\.\d{1,30})?([eE][-+]?\d{1,2})?")


@dataclass(frozen=True, slots=True)
class CostLine:
    """A line. Texts are empty where the report has no such column; `usage` is none."""

    number: int  # in its file, from 1
    day: date
    cost: Decimal
    currency: str
    line_id: str = ""
    datalab_id: str = ""
    resource_id: str = ""
    user: str = ""
    project: str = ""
    product: str = ""
    usage_type: str = ""
    usage: Decimal | None = None
    tags: str = ""


def read_cost_lines(lines: Iterable[bytes], mapping: CostMapping, set_aside: SetAside) -> Iterator[CostLine]:
    """The good lines of a report, in constant memory.

    `lines` are those of `split_lines`, or of any file that was opened for bytes. A cell with the end of a
    line in it is not understood: both halves of its line are set aside. Raises ImportCostsError if the
    header lacks a column.
    """
    numbered = enumerate(lines, start=1)
    header = _read_header(numbered, mapping)
    places = {name: header.index(column) for name, column in mapping.columns.items()}
    for number, raw in numbered:
        try:
            cells = _split(raw, mapping.delimiter)
            if not cells:
                continue
            if len(cells) != len(header):
                raise ImportCostsError(f"{len(cells)} cells, where the header has {len(header)}")
            line = _read({name: cells[place].strip() for name, place in places.items()}, mapping, number)
        except ImportCostsError as error:
            set_aside(number, str(error))
        else:
            yield line


def split_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is longer than LONGEST only so much that it is known to be."""
    while line := file.readline(LONGEST + 1):
        yield line
        rest = line
        while len(rest) > LONGEST and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST + 1)


def _read_header(numbered: Iterator[tuple[int, bytes]], mapping: CostMapping) -> list[str]:
    _, first = next(numbered, (0, b""))
    header = [cell.strip() for cell in _split(first.removeprefix(b"\xef\xbb\xbf"), mapping.delimiter)]
    for name, column in mapping.columns.items():
        if header.count(column) != 1:
            problem = "is there more than once" if column in header else "is not in the header"
            raise ImportCostsError(
                f"columns.{name}: {column!r} {problem}; there are {', '.join(header)[:300] or 'none'}"
            )
    return header


def _split(raw: bytes, delimiter: str) -> list[str]:
    """The cells of a line; none of an empty one. Each line by itself: one bad quote swallows no others."""
    if len(raw) > LONGEST:
        raise ImportCostsError(f"longer than {LONGEST} bytes")
    if b"\0" in raw:
        raise ImportCostsError("holds a zero byte, which no database takes in a text")
    try:
        text = raw.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ImportCostsError(f"no UTF-8 at byte {error.start + 1}") from error
    try:
        rows = list(csv.reader((text,), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise ImportCostsError(f"no CSV: {error}") from error
    return rows[0] if rows else []


def _read(found: dict[str, str], mapping: CostMapping, number: int) -> CostLine:
    currency = found.pop("currency", "") or mapping.currency
    if currency not in DECIMALS:
        raise ImportCostsError(f"currency: {currency[:20]!r} is none of ISO 4217")
    if mapping.currency and currency != mapping.currency:
        raise ImportCostsError(f"currency: {currency}, where the report is in {mapping.currency}")
    usage = found.pop("usage", "")
    return CostLine(
        number=number,
        day=_read_day(found.pop("usage_date"), mapping.date_format),
        cost=_read_number(found.pop("cost"), mapping.decimal_comma, "cost"),
        currency=currency,
        usage=_read_number(usage, mapping.decimal_comma, "usage") if usage else None,
        **found,
    )


@lru_cache(maxsize=4096)  # a report has many lines of each day
def _read_day(text: str, form: str) -> date:
    try:
        found = datetime.strptime(text, form) if form else datetime.fromisoformat(text)
        return (found.astimezone(UTC) if found.tzinfo else found).date()
    except (ValueError, OverflowError) as error:
        wanted = form or "2026-01-31"
        raise ImportCostsError(f"usage_date: {text[:40]!r} is no day as {wanted} is one") from error


def _read_number(text: str, decimal_comma: bool, name: str) -> Decimal:
    plain = text.replace(".", " ").replace(",", ".") if decimal_comma else text
    if not _NUMBER.fullmatch(plain):
        raise ImportCostsError(f"{name}: {text[:40]!r} is no decimal number")
    return Decimal(plain)


TEXTS = tuple(name for name in FIELDS if name not in ("usage_date", "cost", "usage", "currency"))
