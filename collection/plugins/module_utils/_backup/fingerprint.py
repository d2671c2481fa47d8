# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a copy is compared with: rows and checksums of tables, checksums of files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DIGITS = 15  # hexadecimal, of each row's hash: their sum does not depend on the order of rows


@dataclass(frozen=True)
class Table:
    """How many rows a table has, and the sum of their hashes."""

    rows: int
    checksum: str


Fingerprint = dict[str, Table]


def hash_rows(rows: Iterable[tuple[Any, ...]]) -> Table:
    """The fingerprint of rows, in whichever order they come."""
    count = total = 0
    for row in rows:
        count += 1
        total += int(hashlib.sha256(repr(row).encode()).hexdigest()[:_DIGITS], 16)
    return Table(count, str(total))


def as_document(tables: Fingerprint) -> dict[str, dict[str, Any]]:
    """Plain values for JSON."""
    return {name: {"rows": t.rows, "checksum": t.checksum} for name, t in sorted(tables.items())}


def from_document(document: Mapping[str, Mapping[str, Any]]) -> Fingerprint:
    """The other way round."""
    return {name: Table(int(t["rows"]), str(t["checksum"])) for name, t in document.items()}


def differences(saved: Fingerprint, restored: Fingerprint) -> list[str]:
    """In words, what a restored database has other than the one that was saved. Empty: nothing."""
    found = [f"table {name} is missing" for name in sorted(saved.keys() - restored.keys())]
    found += [f"table {name} was not saved" for name in sorted(restored.keys() - saved.keys())]
    for name in sorted(saved.keys() & restored.keys()):
        before, after = saved[name], restored[name]
        if before.rows != after.rows:
            found.append(f"table {name} had {before.rows} rows and has {after.rows}")
        elif before.checksum != after.checksum:
            found.append(f"table {name} has other values in its {after.rows} rows")
    return found


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
