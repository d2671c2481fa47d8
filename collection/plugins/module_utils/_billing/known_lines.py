# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lines were imported before, in a file of SQLite, so that a report that comes again counts once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS known (key BLOB PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
CREATE TEMP TABLE here (content BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID;
"""
_COUNT = (
    "INSERT INTO here VALUES (?, 1) ON CONFLICT (content) DO UPDATE SET times = times + 1 RETURNING times"
)


class KnownLines:
    """Keys of lines with a hash of what each said."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.executescript(_TABLES)

    def begin_file(self) -> None:
        """Count from the start, for another file."""
        self._connection.execute("DELETE FROM here")

    def count(self, content: bytes) -> int:
        """How often this content was seen in this file, this time included."""
        found: tuple[int] = self._connection.execute(_COUNT, (content,)).fetchone()
        return found[0]

    def add(self, key: bytes, content: bytes) -> bytes | None:
        """Remember a key; none if it is new, else the content that is known of it, which stays."""
        done = self._connection.execute("INSERT OR IGNORE INTO known VALUES (?, ?)", (key, content))
        if done.rowcount:
            return None
        found: tuple[bytes] = self._connection.execute(
            "SELECT content FROM known WHERE key = ?", (key,)
        ).fetchone()
        return found[0]


@contextmanager
def open_known_lines(path: Path | None) -> Iterator[KnownLines]:
    """Those of a file, made if it is not there; without one, nothing is remembered beyond the block.

    Memory stays small: what does not fit lies in the file, or in a temporary one. All that was added in the
    block is kept if it ends well, and nothing if it does not.
    """
    connection = sqlite3.connect(path or "", isolation_level=None)
    try:
        known = KnownLines(connection)
        connection.execute("BEGIN IMMEDIATE")
        yield known
        connection.execute("COMMIT")
    finally:
        connection.close()
