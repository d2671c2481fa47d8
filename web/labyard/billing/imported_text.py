"""A cost report and its mapping, as an admin sends them with a form."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

import yaml
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.cost_lines import split_lines
from ansible_collections.labyard.platform.plugins.module_utils._billing.cost_mapping import (
    CostMapping,
    read_mapping,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from labyard.errors import InvalidInput
from labyard.models import ImportedDay

from .imported_costs import SOURCE, take_report
from .ingest import Intake
from .tariff_text import place_errors

MOST_BYTES = 1_000_000  # of a report that comes in one request
_LONGEST_MAPPING = 20_000  # characters
_NOTHING = "Nothing was taken in."


def take_text(session: Session, source: str, report: bytes, mapping: str) -> Intake:
    """Take in a report within the session's transaction; what is wrong with single lines stands in `refused`.

    Raises InvalidInput with what is wrong with `source`, `file` or `mapping`: then nothing was taken.
    """
    errors: dict[str, str] = {}
    if not re.fullmatch(SOURCE, source):
        errors["source"] = "1 to 64 printable characters of ASCII are needed"
    if not report:
        errors["file"] = "choose a file that is not empty"
    elif len(report) > MOST_BYTES:
        errors["file"] = (
            f"has {len(report)} bytes, and {MOST_BYTES} is the most. Cut it between lines, with the header in"
            " each part, or use `labyard billing import-costs`"
        )
    try:
        known = _read_mapping(mapping)
    except InvalidInput as error:
        raise InvalidInput(_NOTHING, {**errors, **error.errors}) from error
    if errors:
        raise InvalidInput(_NOTHING, errors)
    try:
        return take_report(session, source, split_lines(io.BytesIO(report)), known)
    except BillingError as error:  # the header lacks what the mapping names
        raise InvalidInput(_NOTHING, {"mapping": str(error)}) from error


def select_reports(session: Session) -> list[Any]:
    """Of each report: its source, how many lines there are, the first and the last day."""
    query = select(
        ImportedDay.source, func.sum(ImportedDay.lines), func.min(ImportedDay.day), func.max(ImportedDay.day)
    )
    return list(session.execute(query.group_by(ImportedDay.source).order_by(ImportedDay.source)))


def _read_mapping(text: str) -> CostMapping:
    if len(text) > _LONGEST_MAPPING:
        raise InvalidInput(_NOTHING, {"mapping": f"has more than {_LONGEST_MAPPING} characters"})
    try:
        document = yaml.safe_load(text) if text.strip() else {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark else ""
        words = f"{place}{getattr(error, 'problem', None) or 'this is no YAML'}"
        raise InvalidInput(_NOTHING, {"mapping": words}) from error
    if not isinstance(document, Mapping):
        raise InvalidInput(_NOTHING, {"mapping": "names and values are needed, as in the example"})
    try:
        return read_mapping({str(name): value for name, value in document.items()})
    except BillingError as error:
        place, _, words = str(error).partition(": ")
        (said,) = place_errors(text or "{}", {place: words}) if words else (place,)
        raise InvalidInput(_NOTHING, {"mapping": f"{said} ({place})" if words else said}) from error
