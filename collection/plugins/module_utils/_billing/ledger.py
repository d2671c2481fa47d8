# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder with a series of invoices and credit notes: numbers without gaps, and nothing in it ever changes.

    000001.json          a document, the hash of the one before it, and its own
    000001.records.json  the usage records that it bills: [source, key, fingerprint]
    000001.void.json     that it is void, and why
    drafts/              documents without a number, by account and period

A document is there as soon as its file is renamed to its number; whoever writes holds a lock, which the
system gives back if the process is killed. What is left of a killed one has no number and is swept away.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .chain import START, document_hash
from .documents import Invoice, read_invoice, show_invoice
from .errors import InvoiceError
from .invoice import finalize_invoice
from .months import Period
from .rating import digest_of

#: source, key, fingerprint
Mark = tuple[str, str, str]
_DOCUMENT = re.compile(r"\d{6,}\.json")
_PART = ".part-"


@dataclass(frozen=True)
class Entry:
    """A document of the series; `void` says why it is void, or is empty."""

    place: int  # from 1
    path: Path
    invoice: Invoice
    hash: str
    void: str = ""

    def stands_for(self, account: str) -> bool:
        """Whether it is an invoice of the account, and not void."""
        return self.invoice.kind == "invoice" and not self.void and self.invoice.customer.account == account


@dataclass
class Ledger:
    """The series in a folder, which is made when something is first written."""

    folder: Path
    _entries: list[Entry] | None = field(default=None, repr=False)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else writes meanwhile. Raises InvoiceError if the folder cannot be written."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise InvoiceError(f"folder: {self.folder} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            for left in self.folder.rglob(f"{_PART}*"):
                left.unlink()
            self._entries = None
            yield
        finally:
            os.close(handle)

    def entries(self) -> Sequence[Entry]:
        """All documents in their order. Raises InvoiceError if one is missing or was changed."""
        if self._entries is None:
            self._entries = list(self._read_entries())
        return self._entries

    def records_of(self, entry: Entry) -> list[Mark]:
        """Which usage records the document bills. Raises InvoiceError if they are others than it says."""
        path = _beside(entry.path, "records")
        found = self._read(path)
        if (
            entry.invoice.kind == "invoice"
            and digest_of(str(item[-1]) for item in found) != entry.invoice.usage
        ):
            raise InvoiceError(f"folder: {path} was changed; put back what it was")
        return [(source, key, mark) for source, key, mark in found]

    def append(self, draft: Invoice, prefix: str, issued: date, records: Sequence[Mark]) -> Entry:
        """Give the draft the next number, for ever; only under the lock. Raises InvoiceError."""
        entries = self.entries()
        made, path = self.next_document(draft, prefix, issued)
        previous = entries[-1].hash if entries else START
        document = show_invoice(made)
        own = document_hash(document, previous)
        self._write(_beside(path, "records"), sorted(records))
        self._write(path, {"document": document, "previous": previous, "hash": own})
        self._entries = None
        return Entry(len(entries) + 1, path, made, own)

    def next_document(self, draft: Invoice, prefix: str, issued: date) -> tuple[Invoice, Path]:
        """The draft as it would be with the next number, and the path of its file. Raises InvoiceError."""
        entries = self.entries()
        place = len(entries) + 1
        if entries and (last := entries[-1].invoice).issued and issued < last.issued:
            raise InvoiceError(
                f"issued: {issued} is before the {last.issued} of {last.number}; numbers go with the days"
            )
        return finalize_invoice(draft, f"{prefix}{place:06d}", issued), self.folder / f"{place:06d}.json"

    def void(self, entry: Entry, reason: str) -> Entry:
        """Say that a document is void; its number stays. Only under the lock."""
        document = {"void": entry.invoice.number, "reason": reason}
        own = document_hash(document, entry.hash)
        self._write(_beside(entry.path, "void"), {"document": document, "previous": entry.hash, "hash": own})
        self._entries = None
        return Entry(entry.place, entry.path, entry.invoice, entry.hash, reason)

    def draft_path(self, account: str, period: Period) -> Path:
        """Where the draft for an account and a period lies."""
        return self.folder / "drafts" / f"{quote(account, safe='')}-{period}.json"

    def read_draft(self, path: Path) -> dict[str, Any] | None:
        """The document of a draft; None if there is none."""
        return self._read(path) if path.exists() else None

    def write_draft(self, path: Path, document: Mapping[str, Any]) -> None:
        """Keep a draft in place of the one before."""
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._write(path, document)

    def _read_entries(self) -> Iterator[Entry]:
        previous = START
        names = self.folder.iterdir() if self.folder.is_dir() else ()
        paths = sorted(
            (path for path in names if _DOCUMENT.fullmatch(path.name)), key=lambda path: int(path.stem)
        )
        for place, path in enumerate(paths, start=1):
            if int(path.stem) != place:
                raise InvoiceError(f"folder: {self.folder} has no document {place:06d}.json; put it back")
            found = self._checked(path, previous)
            void = _beside(path, "void")
            reason = self._checked(void, found["hash"])["document"]["reason"] if void.exists() else ""
            yield Entry(place, path, read_invoice(found["document"]), found["hash"], reason)
            previous = found["hash"]

    def _checked(self, path: Path, previous: str) -> dict[str, Any]:
        found = self._read(path)
        if not isinstance(found, dict) or not {"document", "hash"} <= set(found):
            raise InvoiceError(f"folder: {path} is no document of a series; put back what it was")
        if document_hash(found["document"], previous) != found["hash"]:
            raise InvoiceError(f"folder: {path}, or what is before it, was changed; put back what it was")
        return found

    def _read(self, path: Path) -> Any:
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InvoiceError(f"folder: {path} cannot be read: {error}; put back what it was") from error

    def _write(self, path: Path, content: object) -> None:
        """The file has all of its content, on the disk, or is not there."""
        part = path.with_name(f"{_PART}{os.getpid()}-{path.name}")
        try:
            with open(
                os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
            ) as to:
                json.dump(content, to, indent=1, ensure_ascii=False)
                to.write("\n")
                to.flush()
                os.fsync(to.fileno())
            part.replace(path)
            folder = os.open(path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        except OSError as error:
            raise InvoiceError(f"folder: {path} cannot be written: {error.strerror}") from error


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.stem}.{what}.json")
