# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof that a backup is one: the newest snapshots are restored to one side and compared."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from . import postgres, sqlite
from .errors import BackupError
from .fingerprint import Fingerprint, differences, from_document
from .notes import Outcome
from .psql import Server, find_server
from .restic import Restic, Snapshot
from .saving import ABOUT_DUMP, DUMP, KEPT, TREE, server_of, sqlite_path
from .settings import Database, Settings
from .trees import file_differences, hash_tree, listing_differences
from .volumes import Engine

_Item = TypeVar("_Item")


def prove_all(settings: Settings, restic: Restic, engine: Engine, now: datetime) -> list[Outcome]:
    """Check the repository, and restore the newest snapshots for a test; how each part went."""
    outcomes = [_attempt("repository", lambda: _check(settings, restic))]
    newest = newest_of_each(restic.snapshots())
    for database in settings.databases:
        part = f"database:{database.name}"
        outcomes.append(_attempt(part, partial(prove_database, settings, restic, engine, newest, database)))
    others = [s for part, s in newest.items() if part.startswith(("files:", "dump:", KEPT))]
    outcomes += [_attempt(s.part, partial(prove_tree, settings, restic, s)) for s in others]
    trees = [s for part, s in sorted(newest.items()) if part.startswith(("volume:", "folder:"))]
    chosen = choose(trees, settings.prove_trees, now.toordinal())
    if chosen:
        outcomes.append(_attempt("trees", lambda: sum(prove_tree(settings, restic, s) for s in chosen)))
    return outcomes


def newest_of_each(snapshots: Iterable[Snapshot]) -> dict[str, Snapshot]:
    """The newest snapshot of each part."""
    found: dict[str, Snapshot] = {}
    for snapshot in sorted(snapshots, key=lambda s: s.time):
        found[snapshot.part] = snapshot
    return found


def choose(items: Sequence[_Item], count: int, day: int) -> list[_Item]:
    """So many of the items, others each day, until all had their turn."""
    count = min(count, len(items))
    first = day * count % len(items) if items else 0
    return [items[(first + n) % len(items)] for n in range(count)]


def prove_database(
    settings: Settings, restic: Restic, engine: Engine, newest: dict[str, Snapshot], database: Database
) -> int:
    """Load the newest dump into a database of its own and compare every table; the number of rows.

    Raises BackupError with the tables that differ.
    """
    snapshot = newest.get(f"database:{database.name}")
    if snapshot is None:
        raise BackupError(f"There is no snapshot of the database {database.name} yet. Run a backup first.")
    with restored(settings, restic, snapshot) as folder:
        saved = from_document(read_about(folder)["tables"])
        if sqlite_path(database.url):
            found = sqlite.read_fingerprint(folder / DUMP)
        else:
            found = _load_aside(database, engine, folder / DUMP)
    wrong = differences(saved, found)
    if wrong:
        raise BackupError(f"{snapshot.part} of {snapshot.time:%Y-%m-%d %H:%M}: {'; '.join(wrong[:10])}.")
    return sum(table.rows for table in found.values())


def prove_tree(settings: Settings, restic: Restic, snapshot: Snapshot) -> int:
    """Restore files and compare them with what was saved; how many there were. Raises BackupError."""
    with restored(settings, restic, snapshot, root=True) as root:
        nodes = restic.listing(snapshot.id)
        wrong = listing_differences(nodes, root)
        folder = root / snapshot.paths[0].lstrip("/")
        if snapshot.part.startswith("files:"):
            wrong += file_differences(read_about(folder)["files"], hash_tree(folder / TREE))
    if wrong:
        raise BackupError(f"{snapshot.part} of {snapshot.time:%Y-%m-%d %H:%M}: {'; '.join(wrong[:10])}.")
    return len(nodes)


class restored:
    """A snapshot on the disk of this host, each file read again and compared, for as long as this lasts.

    Gives the folder that was saved, or with `root` the folder that stands for /.
    """

    def __init__(self, settings: Settings, restic: Restic, snapshot: Snapshot, *, root: bool = False):
        self._scratch = settings.state / "scratch" / snapshot.id[:16]
        self._restic, self._snapshot, self._root = restic, snapshot, root

    def __enter__(self) -> Path:
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True, mode=0o700)
        try:
            self._ensure_room()
            self._restic.restore(self._snapshot.id, self._scratch, verify=True)
        except BackupError:
            self.__exit__()
            raise
        return self._scratch if self._root else self._scratch / self._snapshot.paths[0].lstrip("/")

    def __exit__(self, *_error: object) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _ensure_room(self) -> None:
        answer = self._restic.run("stats", "--json", "--mode", "restore-size", self._snapshot.id)
        size = int(json.loads(answer)["total_size"])
        free = shutil.disk_usage(self._scratch).free
        if size > free:
            raise BackupError(
                f"{self._snapshot.part} has {size >> 20} MiB, and {self._scratch} has room for {free >> 20} "
                "MiB. Make room, or have backup_state on another disk."
            )


def read_about(folder: Path) -> dict[str, Any]:
    """What was noted beside a dump or files as they were saved."""
    try:
        found: dict[str, Any] = json.loads((folder / ABOUT_DUMP).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackupError(f"The snapshot's own description cannot be read: {error}.") from error
    return found


def _load_aside(database: Database, engine: Engine, dump: Path) -> Fingerprint:
    server: Server = find_server(database.verify_url) if database.verify_url else server_of(database, engine)
    with postgres.scratch_database(server) as aside:
        postgres.load_dump(aside, dump)
        return postgres.read_fingerprint(aside)


def _check(settings: Settings, restic: Restic) -> int:
    some = [f"--read-data-subset={settings.prove_percent}%"] if settings.prove_percent else []
    restic.run("check", *some)
    return 0


def _attempt(part: str, step: Callable[[], int]) -> Outcome:
    begun = time.monotonic()
    try:
        count = step()
    except BackupError as error:
        return Outcome(part, time.monotonic() - begun, error=str(error))
    except OSError as error:
        return Outcome(part, time.monotonic() - begun, error=f"{error.filename or part}: {error.strerror}")
    return Outcome(part, time.monotonic() - begun, files=count)
