"""Every export by what it is of and its format, for pages and command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from labyard.models import Invoice, User

from .exports import INVOICE_FORMATS, USAGE_FORMATS, invoice_lines, usage_lines
from .imported_lists import FORMATS, imported_lines, select_imported
from .looking import select_invoices

USAGE, INVOICES, COSTS = "usage", "invoices", "costs"
#: What there is, and its formats.
EXPORTS: dict[str, tuple[str, ...]] = {USAGE: USAGE_FORMATS, INVOICES: INVOICE_FORMATS, COSTS: FORMATS}


def export_lines(
    session: Session, person: User | None, what: str, query: Mapping[str, Any], eosc_file: Path | None
) -> Iterator[str]:
    """The lines of what `person` may see of usage, invoices or imported costs; nobody sees all.

    `query` has the `format`, may have `from` and `to` (times; not included) and, for APEL, the `site`. Usage
    counts by when it began, invoices by when their period began, imported costs by their day. Raises
    InvalidInput if the format lacks something.
    """
    if what == USAGE:
        return usage_lines(session, person, query, eosc_file)
    if what == COSTS:
        days = {"from": query["from"].date()} if "from" in query else {}
        if "to" in query:
            days["to"] = (query["to"] - timedelta(microseconds=1)).date()
        return imported_lines(session, select_imported(session, person, days), query["format"])
    found = select_invoices(person, {})
    if "from" in query:
        found = found.where(Invoice.period_start >= query["from"])
    if "to" in query:
        found = found.where(Invoice.period_start < query["to"])
    return invoice_lines(session, found, query)
