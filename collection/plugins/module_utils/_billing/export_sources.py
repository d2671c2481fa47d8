# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task hands to an export: records and invoices as they are, in files, or as modules return them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .documents import Invoice, read_invoice
from .errors import ExportError, InvoiceError
from .ledger import Ledger

_RECORDS = "records"  # where usage_info has them


def list_usage(value: object) -> list[object]:
    """Records and paths, for `Intake.read`: of a path, a list of both, or the result of usage_info."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        found = value.get(_RECORDS)
        if not isinstance(found, Sequence) or isinstance(found, str):
            raise ExportError(f"usage: a mapping must be the result of usage_info, with {_RECORDS}")
        return list(found)
    if isinstance(value, Sequence):
        return [one for part in value for one in (list_usage(part) if _is_result(part) else [part])]
    raise ExportError(f"usage: a path, a list of records, or the result of usage_info; got {value!r:.60}")


def read_invoices(values: Sequence[object]) -> Iterator[Invoice]:
    """Invoices from documents, files of documents, and folders of the module invoice; void ones left out."""
    for index, value in enumerate(values):
        where = f"invoices[{index}]"
        if isinstance(value, Mapping):
            yield _read(value, where)
        elif isinstance(value, str):
            yield from _read_path(Path(value), where)
        else:
            raise ExportError(f"{where}: a document or a path is needed; got {value!r:.60}")


def _is_result(value: object) -> bool:
    return isinstance(value, Mapping) and _RECORDS in value


def _read_path(path: Path, where: str) -> Iterator[Invoice]:
    if path.is_dir():
        yield from (entry.invoice for entry in Ledger(path).entries() if not entry.void)
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"{where}: {path} cannot be read: {error}") from error
    for document in found if isinstance(found, list) else [found]:
        yield _read(document, f"{where}: {path}")


def _read(value: object, where: str) -> Invoice:
    """A document, by itself or with its hash around it."""
    document = value.get("document", value) if isinstance(value, Mapping) else value
    if not isinstance(document, Mapping):
        raise ExportError(f"{where}: a document is needed; got {document!r:.60}")
    try:
        return read_invoice(document)
    except InvoiceError as error:
        raise ExportError(f"{where}: {error}") from error
