# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite databases: a copy of a database in use, and what is in it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from .errors import BackupError
from .fingerprint import Fingerprint, hash_rows


def copy_database(source: Path, target: Path) -> None:
    """Copy a database that others may be writing to, with SQLite's own online backup.

    Raises BackupError if there is none or it is broken.
    """
    if not source.is_file():
        raise BackupError(f"There is no database at {source}. Correct its url in backup_databases.")
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=60)) as live,
            closing(sqlite3.connect(target)) as copy,
        ):
            live.backup(copy)
            # One file, whatever the original's journal is.
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise BackupError(f"{source} cannot be copied: {error}.") from error
    target.chmod(0o600)


def read_fingerprint(path: Path) -> Fingerprint:
    """Rows and checksums of all tables; raises BackupError if SQLite finds the file broken."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            found = [str(row[0]) for row in database.execute("PRAGMA integrity_check(5)")]
            if found != ["ok"]:
                raise BackupError(f"{path} is broken: {'; '.join(found)}.")
            query = (
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
            )
            names = [str(row[0]) for row in database.execute(query)]
            return {name: hash_rows(database.execute(f"SELECT * FROM {_quoted(name)}")) for name in names}  # noqa: S608 - quoted
    except sqlite3.Error as error:
        raise BackupError(f"{path} is no sound database: {error}.") from error


def has_tables(path: Path) -> bool:
    """Whether there is a database with tables in it."""
    return path.is_file() and path.stat().st_size > 0


def put_in_place(copy: Path, target: Path) -> None:
    """Put a copy where the console looks for it, in one step; its folder's owner gets it."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    owner = target.stat() if target.exists() else target.parent.stat()
    draft = target.with_name(f".{target.name}.restoring")
    draft.write_bytes(copy.read_bytes())
    draft.chmod(0o600)
    os.chown(draft, owner.st_uid, owner.st_gid)
    # What is in a journal belongs to the database that goes.
    for ending in ("-wal", "-shm", "-journal"):
        target.with_name(target.name + ending).unlink(missing_ok=True)
    draft.replace(target)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
