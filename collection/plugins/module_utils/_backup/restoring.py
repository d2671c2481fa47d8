# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing back what was saved: all of a host, or one thing alone. What is there is not lost by accident."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from . import postgres, sqlite
from .errors import BackupError
from .fingerprint import Fingerprint, differences, from_document
from .proving import newest_of_each, read_about, restored
from .restic import Restic, Snapshot
from .saving import DUMP, TREE, server_of, sqlite_path
from .settings import Database, Settings
from .trees import plan_back, put_back
from .volumes import ABOUT, Engine, Volume, parse_volume

KEEP, REFUSE, REPLACE = "keep", "refuse", "replace"
FILES, DUMPS, DATABASES, FOLDERS, VOLUMES = "files", "dumps", "databases", "folders", "volumes"
#: All that a host may have, in the order in which it comes back.
KINDS = (FILES, DUMPS, DATABASES, FOLDERS, VOLUMES)


@dataclass(frozen=True)
class Choice:
    """From when, and what becomes of what is there: keep it, refuse to go on, or replace it."""

    at: datetime | None = None  # None: the newest
    existing: str = KEEP
    check: bool = False  # only say what would be done


@dataclass(frozen=True)
class Restored:
    """What was brought back, or was left as it is."""

    part: str
    changed: bool
    message: str
    snapshot: str = ""
    time: str = ""


def find_snapshot(restic: Restic, part: str, at: datetime | None) -> Snapshot:
    """The newest snapshot of a part that is not younger than `at`; raises BackupError."""
    found = restic.snapshots(part)
    if not found:
        raise BackupError(f"There is no snapshot of {part}. `labyard-backup list` shows what there is.")
    fit = [s for s in found if at is None or s.time <= at]
    if not fit:
        raise BackupError(
            f"The oldest snapshot of {part} is of {found[0].time.isoformat()}. Choose a later time."
        )
    return fit[-1]


def restore_database(
    settings: Settings, restic: Restic, engine: Engine, name: str, choice: Choice, to_url: str = ""
) -> Restored:
    """Bring back a database, and compare every table with what was saved."""
    database = next((d for d in settings.databases if d.name == name), None)
    if database is None:
        names = ", ".join(d.name for d in settings.databases) or "none"
        raise BackupError(f"This host has no database {name} in backup_databases ({names}).")
    if to_url:
        database = replace(database, url=to_url, service="")
    snapshot = find_snapshot(restic, f"database:{name}", choice.at)
    is_there = _has_tables(database, engine)
    if is_there and choice.existing != REPLACE:
        return _left(snapshot, choice, f"The database {name} has tables already.")
    if choice.check:
        return _done(snapshot, f"The database {name} would be restored.")
    with restored(settings, restic, snapshot) as folder:
        saved = from_document(read_about(folder)["tables"])
        path = sqlite_path(database.url)
        if path:
            _compare(snapshot, saved, sqlite.read_fingerprint(folder / DUMP))
            sqlite.put_in_place(folder / DUMP, path)
        else:
            server = server_of(database, engine)
            postgres.load_dump(server, folder / DUMP, clear=is_there)
            _compare(snapshot, saved, postgres.read_fingerprint(server))
    rows = sum(table.rows for table in saved.values())
    return _done(snapshot, f"The database {name} has its {len(saved)} tables with {rows} rows again.")


def restore_dump(settings: Settings, restic: Restic, engine: Engine, name: str, choice: Choice) -> Restored:
    """Bring back what a program dumped, by the program that reads it, into its volume.

    The service that has the volume must not run yet, or be stopped.
    """
    dump = next((d for d in settings.dumps if d.name == name and d.restore), None)
    if dump is None:
        raise BackupError(f"This host has no dump {name} with a program to restore it in backup_dumps.")
    snapshot = find_snapshot(restic, f"dump:{name}", choice.at)
    volume = parse_volume(restic.read(snapshot.id, f"{snapshot.paths[0]}/{ABOUT}"))
    if engine.has(volume.name):
        left = _make_room(settings, engine, volume, snapshot, choice)
        if left:
            return left
    if choice.check:
        return _done(snapshot, f"The dump {name} would be restored.")
    with restored(settings, restic, snapshot) as folder, _unfinished(settings, f"volume:{volume.name}"):
        engine.create(volume)
        engine.fill(dump.image, volume.name, dump.target, dump.restore, folder / DUMP)
    return _done(snapshot, f"The dump {name} is in the volume {volume.name} again.")


def restore_files(
    settings: Settings, restic: Restic, host: str, choice: Choice, root: Path = Path("/")
) -> Restored:
    """Bring configuration and keys of a host back to their places."""
    snapshot = find_snapshot(restic, f"files:{host}", choice.at)
    with restored(settings, restic, snapshot) as folder:
        paths = sorted(read_about(folder)["files"])
        written, others = plan_back(folder / TREE, root, paths)
        left = [] if choice.existing == REPLACE else others
        if left and choice.existing == REFUSE:
            raise BackupError(
                f"{', '.join(left)}: the content here is another. Say that it is to be replaced."
            )
        written += [] if left else others
        if not choice.check:
            put_back(folder / TREE, root, written)
    words = f"Of {len(paths)} files {len(written)} were missing or other than saved."
    words += f" Left as they are, with another content: {', '.join(left)}." if left else ""
    return replace(_done(snapshot, words), changed=bool(written))


def restore_folder(settings: Settings, restic: Restic, host: str, path: str, choice: Choice) -> Restored:
    """Bring a folder back to its place."""
    snapshot = find_snapshot(restic, f"folder:{host}:{path}", choice.at)
    place = Path(path)
    if place.is_dir() and any(place.iterdir()) and not _is_unfinished(settings, snapshot.part):
        if choice.existing != REPLACE:
            return _left(snapshot, choice, f"There is something in {path} already.")
        if not choice.check:
            shutil.rmtree(path)
    if choice.check:
        return _done(snapshot, f"{path} would be restored.")
    with _unfinished(settings, snapshot.part):
        restic.restore(snapshot.id, "/")
    return _done(snapshot, f"{path} is restored.")


def restore_volume(
    settings: Settings, restic: Restic, engine: Engine, name: str, choice: Choice, to: str = ""
) -> Restored:
    """Bring a volume back, with its labels, under its own name or as the volume `to`."""
    snapshot = find_snapshot(restic, f"volume:{name}", choice.at)
    source = parse_volume(restic.read(snapshot.id, f"/volumes/{name}/about/{ABOUT}"))
    if source.is_store:  # saved by an earlier version
        words = f"The volume {name} holds homes that come back each by itself. It is left as it is."
        return replace(_done(snapshot, words), changed=False)
    # A copy is nobody's: with the labels it would be taken for a part of the deployment.
    target = Volume(to, source.driver, {}, source.options) if to and to != name else source
    # One whose home was put away is there by name alone, and gets its folder again.
    is_there = engine.has(target.name) and not target.is_gone
    if is_there:
        left = _make_room(settings, engine, target, snapshot, choice)
        if left:
            return left
    if choice.check:
        return _done(snapshot, f"The volume {target.name} would be restored.")
    if not is_there:
        engine.create(target)
    (settings.state / "cache").mkdir(parents=True, exist_ok=True, mode=0o700)
    with _unfinished(settings, f"volume:{target.name}"):
        restic.restore(snapshot.id, "/", wrap=engine.to_restore(settings, source, target.name))
    return _done(snapshot, f"The volume {target.name} is restored.")


def restore_host(
    settings: Settings,
    restic: Restic,
    engine: Engine,
    host: str,
    choice: Choice,
    kinds: Collection[str] = KINDS,
) -> Iterator[Restored]:
    """Bring back all that the host `host` had, as far as it is of one of the `kinds`, in the order of KINDS.

    A volume comes back where it was last saved.
    """
    fit = [s for s in restic.snapshots() if choice.at is None or s.time <= choice.at]
    newest = newest_of_each(fit)
    if FILES in kinds and f"files:{host}" in newest:
        yield restore_files(settings, restic, host, choice)
    for dump in settings.dumps if DUMPS in kinds else ():
        if dump.restore:
            yield restore_dump(settings, restic, engine, dump.name, choice)
    for database in settings.databases if DATABASES in kinds else ():
        yield restore_database(settings, restic, engine, database.name, choice)
    for part, snapshot in sorted(newest.items()):
        if snapshot.host != host:
            continue
        if FOLDERS in kinds and part.startswith("folder:"):
            yield restore_folder(settings, restic, host, part.removeprefix(f"folder:{host}:"), choice)
        if VOLUMES in kinds and part.startswith("volume:") and settings.volumes:
            yield restore_volume(settings, restic, engine, part.removeprefix("volume:"), choice)


def _make_room(
    settings: Settings, engine: Engine, volume: Volume, snapshot: Snapshot, choice: Choice
) -> Restored | None:
    """Have an existing volume ready to be written to; what to answer if it stays as it is."""
    if _is_unfinished(settings, f"volume:{volume.name}") or engine.is_empty(settings, volume):
        return None
    if choice.existing != REPLACE:
        return _left(snapshot, choice, f"There is something in the volume {volume.name} already.")
    users = engine.users(volume.name)
    if users:
        raise BackupError(
            f"{', '.join(users)} works with the volume {volume.name}. Stop the deployment first."
        )
    if not choice.check:
        engine.clear(settings, volume)
    return None


def _has_tables(database: Database, engine: Engine) -> bool:
    path = sqlite_path(database.url)
    if path:
        return sqlite.has_tables(path)
    return postgres.has_tables(server_of(database, engine))


def _compare(snapshot: Snapshot, saved: Fingerprint, found: Fingerprint) -> None:
    wrong = differences(saved, found)
    if wrong:
        raise BackupError(
            f"{snapshot.part}: what was restored is not what was saved: {'; '.join(wrong[:10])}."
        )


def _left(snapshot: Snapshot, choice: Choice, words: str) -> Restored:
    if choice.existing == REFUSE:
        raise BackupError(f"{words} Say that it is to be replaced, or restore beside it.")
    return replace(_done(snapshot, f"{words} It is left as it is."), changed=False)


def _done(snapshot: Snapshot, words: str) -> Restored:
    return Restored(snapshot.part, True, words, snapshot.id, snapshot.time.isoformat())


def _mark(settings: Settings, part: str) -> Path:
    return settings.state / "unfinished" / quote(part, safe="")


def _is_unfinished(settings: Settings, part: str) -> bool:
    """Whether an earlier restore of it was cut off: what lies there is then nobody's work."""
    return _mark(settings, part).exists()


@contextmanager
def _unfinished(settings: Settings, part: str) -> Iterator[None]:
    mark = _mark(settings, part)
    mark.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    mark.touch()
    yield
    mark.unlink()
