"""An invoice or a credit note as PDF: every fact of its document, and nothing that is not in it.

The same document gives the same bytes: its own date stands where a PDF says when it was made.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace

from .wording import Row, line_rows, party_lines, sum_rows, title_of, top_rows

_FONTS = Path(__file__).parent / "fonts"
_REGULAR, _BOLD = "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"
_FAMILY = "DejaVu"
_QUIET, _FAINT = (86, 100, 107), (200, 208, 212)
_HEADINGS = ("Position", "Period", "Quantity", "Unit price", "Amount")
_WIDTHS = (44, 17, 17, 12, 12)


def write_pdf(document: Mapping[str, Any]) -> bytes:
    """The PDF of a document as `show_invoice` gives it."""
    pdf = _Paper(document)
    pdf.add_page()
    _write_head(pdf, document)
    _write_lines(pdf, document)
    _write_sums(pdf, sum_rows(document))
    _write_end(pdf, document)
    return bytes(pdf.output())


class _Paper(FPDF):
    """A4 with a line at the foot of each page that says which document it is of."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__(format="A4")
        self.foot = title_of(document)
        self.set_margins(18, 18)
        self.set_auto_page_break(True, margin=20)
        self.add_font(_FAMILY, "", _FONTS / _REGULAR)
        self.add_font(_FAMILY, "B", _FONTS / _BOLD)
        self.set_lang("en")
        self.set_title(self.foot)
        self.set_author(str(document["supplier"]["name"]))
        self.set_producer("Labyard")
        issued = document["issued"] or document["period"]["start"]
        self.set_creation_date(datetime.fromisoformat(issued[:10]).replace(tzinfo=UTC))

    def footer(self) -> None:
        """FPDF calls it at the end of each page."""
        self.set_y(-14)
        self.set_font(_FAMILY, "", 7.5)
        self.set_text_color(*_QUIET)
        self.cell(self.epw / 2, 5, _plain(self.foot))
        self.cell(self.epw / 2, 5, f"Page {self.page_no()} of {{nb}}", align="R")
        self.set_text_color(0, 0, 0)


def _write_head(pdf: _Paper, document: Mapping[str, Any]) -> None:
    pdf.set_font(_FAMILY, "B", 18)
    pdf.multi_cell(pdf.epw, 9, _plain(title_of(document)), align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(3)
    top = pdf.get_y()
    lows = []
    for place, who in enumerate(("supplier", "customer")):
        pdf.set_xy(pdf.l_margin + place * pdf.epw / 2, top)
        lows.append(_write_party(pdf, "From" if who == "supplier" else "To", party_lines(document[who])))
    pdf.set_xy(pdf.l_margin, max(lows) + 4)
    _write_pairs(pdf, top_rows(document))
    pdf.ln(3)


def _write_party(pdf: _Paper, word: str, lines: Sequence[str]) -> float:
    """A block of an address at the present place; where it ends."""
    left, width = pdf.get_x(), pdf.epw / 2 - 6
    pdf.set_font(_FAMILY, "", 8)
    pdf.set_text_color(*_QUIET)
    pdf.multi_cell(width, 4.5, word, new_x="LEFT", new_y="NEXT")
    pdf.set_text_color(0, 0, 0)
    for index, line in enumerate(lines):
        pdf.set_font(_FAMILY, "" if index else "B", 9.5)
        pdf.set_x(left)
        pdf.multi_cell(width, 4.8, _plain(line), align="L", new_x="LEFT", new_y="NEXT")
    return float(pdf.get_y())


def _write_pairs(pdf: _Paper, rows: Sequence[Row]) -> None:
    for name, value in rows:
        pdf.set_font(_FAMILY, "", 9)
        pdf.set_text_color(*_QUIET)
        pdf.cell(38, 5, _plain(name))
        pdf.set_text_color(0, 0, 0)
        pdf.multi_cell(pdf.epw - 38, 5, _plain(value), align="L", new_x="LMARGIN", new_y="NEXT")


def _write_lines(pdf: _Paper, document: Mapping[str, Any]) -> None:
    if not document["lines"]:
        return
    pdf.set_font(_FAMILY, "", 7.5)
    pdf.set_draw_color(*_FAINT)
    with pdf.table(
        headings_style=FontFace(emphasis="BOLD", fill_color=(227, 242, 240)),
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        col_widths=_WIDTHS,
        text_align=("LEFT", "LEFT", "RIGHT", "RIGHT", "RIGHT"),
        line_height=4,
        padding=(1, 1),
        v_align="TOP",
    ) as table:
        table.row(_HEADINGS)
        for cells in _cells(document):
            table.row(cells)


def _cells(document: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for line in line_rows(document):
        about = "\n".join((f"{line.position}. {line.title}", *line.notes))
        yield tuple(map(_plain, (about, line.period, line.quantity, line.unit_price, line.amount)))


def _write_sums(pdf: _Paper, rows: Sequence[Row]) -> None:
    if pdf.will_page_break(5.0 * len(rows) + 8):  # the sums stand together
        pdf.add_page()
    pdf.ln(3)
    for place, (name, value) in enumerate(rows):
        last = place == len(rows) - 1
        pdf.set_font(_FAMILY, "B" if last else "", 11 if last else 9)
        height = 7 if last else 5
        pdf.multi_cell(pdf.epw * 0.72, height, _plain(name), align="R", new_x="RIGHT", new_y="TOP")
        pdf.cell(pdf.epw * 0.28, height, _plain(value), align="R", new_x="LMARGIN", new_y="NEXT")


def _write_end(pdf: _Paper, document: Mapping[str, Any]) -> None:
    if not document["usage"]:
        return
    pdf.ln(4)
    pdf.set_font(_FAMILY, "", 7)
    pdf.set_text_color(*_QUIET)
    words = f"Hash of the usage records that are billed: {document['usage']}"
    pdf.multi_cell(pdf.epw, 4, words, align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.set_text_color(0, 0, 0)


@lru_cache(maxsize=1)
def _signs() -> frozenset[int]:
    """The signs that both fonts have."""
    with TTFont(_FONTS / _REGULAR) as regular, TTFont(_FONTS / _BOLD) as bold:
        return frozenset(regular.getBestCmap()) & frozenset(bold.getBestCmap())


def _plain(text: str) -> str:
    """Text that the fonts have: a sign that they lack stands as its number, so that nothing is lost."""
    known = _signs()
    return "".join(
        sign if sign == "\n" or ord(sign) in known else f"[U+{ord(sign):04X}]"
        for sign in unicodedata.normalize("NFC", text)
    )
