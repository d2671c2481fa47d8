# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of CSV that spreadsheets do not run.

A text that begins with one of `= + - @`, a tab or the end of a line would be taken for a formula: it gets
an apostrophe in front (OWASP, "CSV Injection"). So does a text of apostrophes before such a sign, so that
reading gives back what was written. Numbers and times are not touched: a negative number stays a number.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence

from .errors import ExportError

# The last four are the wide forms of the first, which some spreadsheets take for them.
_FORMULA = re.compile("'*[=+\\-@\\t\\r\\n\uff1d\uff0b\uff0d\uff20]")

_FIRST = frozenset("'=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")  # looked at before, because it is faster


def guard(text: str) -> str:
    """The text as a cell that no spreadsheet runs."""
    return f"'{text}" if text[:1] in _FIRST and _FORMULA.match(text) else text


def unguard(cell: str) -> str:
    """The text of a cell that `guard` made."""
    return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell


class _Line:
    """A file whose `write` gives back the line, which `writerow` hands on."""

    def write(self, text: str) -> str:
        return text.removesuffix("\r\n") + "\n"


# The csv module quotes what holds a sign of the end of a line: so with both of them.
_write = csv.writer(_Line(), lineterminator="\r\n").writerow


def show_row(cells: Iterable[str]) -> str:
    """A line of CSV with its end; the cells are guarded by who makes them."""
    line: str = _write(cells)  # what _Line.write gave
    return line


def read_rows(lines: Iterable[str], header: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and cells by column of each line behind the header; raises ExportError with the line's number.

    Cells come as they stand in the file; what is text is for `unguard`.
    """
    rows = csv.reader(lines, strict=True)
    try:
        found = next(rows, [])
        if found != list(header):
            raise ExportError(
                f"line 1: the columns must be {','.join(header)}; got {','.join(found)[:200]!r}"
            )
        for row in rows:
            if len(row) != len(header):
                raise ExportError(f"line {rows.line_num}: {len(row)} cells, where {len(header)} are needed")
            yield rows.line_num, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise ExportError(f"line {rows.line_num}: {error}") from error
