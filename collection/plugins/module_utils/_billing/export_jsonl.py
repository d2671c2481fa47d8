# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON lines: a usage record, or a charge of an invoice, on each line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .charges import Charge, read_charge, show_charge
from .errors import BillingError, ExportError, UsageError
from .usage import UsageRecord, read_record, show_record

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def write_usage_jsonl(records: Iterable[UsageRecord]) -> Iterator[str]:
    """A line for each record."""
    for record in records:
        yield _encode(show_record(record)) + "\n"


def read_usage_jsonl(lines: Iterable[str]) -> Iterator[UsageRecord]:
    """The records of the lines, empty lines left out; raises UsageError that names the line."""
    for number, document in read_documents(lines):
        try:
            yield read_record(document)
        except UsageError as error:
            raise UsageError(f"line {number}: {error}") from error


def write_charges_jsonl(charges: Iterable[Charge]) -> Iterator[str]:
    """A line for each charge."""
    for charge in charges:
        yield _encode(show_charge(charge)) + "\n"


def read_charges_jsonl(lines: Iterable[str]) -> Iterator[Charge]:
    """The charges of the lines; raises ExportError that names the line."""
    for number, document in read_documents(lines):
        try:
            yield read_charge(document)
        except BillingError as error:
            raise ExportError(f"line {number}: {error}") from error


def read_documents(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Number and mapping of each line that is not empty; raises ExportError that names the line."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
        except ValueError as error:
            raise ExportError(f"line {number}: no JSON: {error}") from error
        if not isinstance(document, Mapping):
            raise ExportError(f"line {number}: a mapping is needed; got {line.strip()[:60]!r}")
        yield number, document
