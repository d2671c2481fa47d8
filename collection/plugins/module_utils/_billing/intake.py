# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Usage from lists and from files of JSON lines, each record once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from .errors import UsageError
from .usage import UsageRecord, fingerprint, read_record


@dataclass
class Once:
    """Lets each record through once. `seen` has the fingerprints of those that came, by source and key."""

    seen: dict[tuple[str, str], str] = field(default_factory=dict)
    repeated: int = 0

    def is_new(self, record: UsageRecord, mark: str | None = None) -> bool:
        """Whether the record did not come before; `mark` is its fingerprint, if it is known already.

        Raises UsageError if one of the same source and key came, and anything in it is different.
        """
        mark = mark or fingerprint(record)
        before = self.seen.get((record.source, record.key))
        if before is None:
            self.seen[(record.source, record.key)] = mark
            return True
        if before != mark:
            raise UsageError(
                f"key: {record.key!r} of source {record.source!r} came before with other content;"
                " a record never changes: correct what was billed by a credit note"
            )
        self.repeated += 1
        return False


@dataclass
class Intake:
    """Reads records one after the other.

    What is no record ends the reading with a UsageError if `strict`; else it is kept aside in `refused`, with
    its place and the reason.
    """

    strict: bool = True
    refused: list[tuple[str, str]] = field(default_factory=list)

    def read(self, sources: Iterable[object]) -> Iterator[tuple[str, UsageRecord]]:
        """Records with their places. `sources` are records as mappings, and paths of files of JSON lines.

        Raises UsageError for a file that cannot be read.
        """
        for index, source in enumerate(sources):
            if isinstance(source, (str, Path)):
                yield from self._read_file(Path(source))
            else:
                yield from self._take(f"usage[{index}]", source)

    def _read_file(self, path: Path) -> Iterator[tuple[str, UsageRecord]]:
        try:
            with path.open("rb") as lines:
                for number, line in enumerate(lines, start=1):
                    if line.strip():
                        yield from self._take_line(f"{path}:{number}", line)
        except OSError as error:
            raise UsageError(f"usage: {path} cannot be read: {error.strerror}") from error

    def _take_line(self, place: str, line: bytes) -> Iterator[tuple[str, UsageRecord]]:
        try:
            document = json.loads(line, parse_float=Decimal)
        except (ValueError, RecursionError) as error:
            self.refuse(place, f"is no line of JSON: {error}", error)
            return
        yield from self._take(place, document)

    def _take(self, place: str, document: object) -> Iterator[tuple[str, UsageRecord]]:
        if not isinstance(document, Mapping):
            self.refuse(place, "is no mapping of a record's fields", None)
            return
        try:
            record = read_record(document)
        except UsageError as error:
            self.refuse(place, str(error), error)
            return
        yield place, record

    def refuse(self, place: str, reason: str, cause: Exception | None = None) -> None:
        """Keep a record aside, or raise UsageError."""
        if self.strict:
            raise UsageError(f"{place}: {reason}") from cause
        self.refused.append((place, reason))
