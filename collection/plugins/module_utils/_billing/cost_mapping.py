# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which column of a cost report is what, as an operator says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from .errors import ImportCostsError
from .money import currency_decimals

#: What a line of a cost report may say. Those that are needed stand first.
FIELDS = (
    *("usage_date", "cost"),
    *("line_id", "datalab_id", "resource_id", "user", "project", "product", "usage_type", "usage"),
    *("currency", "tags"),
)
_NEEDED = FIELDS[:2]


@dataclass(frozen=True, slots=True)
class CostMapping:
    """`columns` maps our field to the name of a column.

    `line_id` is the report's own name of a line, where it has one. `currency` is that of the whole report: a
    line with another in its column is set aside.
    """

    columns: Mapping[str, str]
    currency: str = ""
    delimiter: str = ","
    decimal_comma: bool = False
    #: As of `datetime.strptime`; ISO 8601 (2026-01-31, with or without a time) where none is given.
    date_format: str = ""


#: Columns of DLab's own import (billing-aws, `columnMapping`).
DLAB_COLUMNS = {
    **{name: name for name in ("datalab_id", "usage_date", "product", "usage_type")},
    **{name: name for name in ("usage", "cost", "resource_id", "tags")},
}


def read_mapping(document: Mapping[str, Any]) -> CostMapping:
    """A mapping from an operator's document; raises ImportCostsError that names the place."""
    known = [name.name for name in fields(CostMapping)]
    for name in document:
        if name not in known:
            raise ImportCostsError(f"{name}: unknown; there are {', '.join(known)}")
    columns = document.get("columns") or DLAB_COLUMNS
    if not isinstance(columns, Mapping):
        raise ImportCostsError("columns: a mapping of fields to names of columns is needed")
    for name, column in columns.items():
        if name not in FIELDS:
            raise ImportCostsError(f"columns.{name}: unknown; there are {', '.join(FIELDS)}")
        if not isinstance(column, str) or not column:
            raise ImportCostsError(f"columns.{name}: the name of a column is needed; got {column!r:.60}")
    if missing := [name for name in _NEEDED if name not in columns]:
        raise ImportCostsError(f"columns.{missing[0]}: is missing")
    mapping = CostMapping(**{**document, "columns": dict(columns)})
    _check(mapping)
    return mapping


def _check(mapping: CostMapping) -> None:
    for name in ("currency", "delimiter", "date_format"):
        if not isinstance(getattr(mapping, name), str):
            raise ImportCostsError(f"{name}: text is needed; got {getattr(mapping, name)!r:.60}")
    if not isinstance(mapping.decimal_comma, bool):
        raise ImportCostsError(f"decimal_comma: true or false is needed; got {mapping.decimal_comma!r:.60}")
    if len(mapping.delimiter) != 1 or mapping.delimiter in '"\r\n':
        raise ImportCostsError(f"delimiter: one character is needed; got {mapping.delimiter!r:.20}")
    try:
        datetime.strptime("", mapping.date_format)
    except re.error as error:
        raise ImportCostsError(f"date_format: {mapping.date_format!r:.40} has something twice") from error
    except ValueError as error:
        # That nothing is no day is as it should be.
        if "bad directive" in str(error) or "stray" in str(error):
            raise ImportCostsError(f"date_format: {error}") from error
    if mapping.currency:
        currency_decimals(mapping.currency)
    elif "currency" not in mapping.columns:
        raise ImportCostsError("currency: say which it is, or in which column it stands (columns.currency)")
