# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saving all that a host has, one part after the other; one that fails does not keep the others back."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from . import postgres, sqlite
from .errors import BackupError
from .fingerprint import Fingerprint, as_document
from .notes import Outcome
from .psql import Server, find_server, server_inside
from .restic import Restic, Saved
from .settings import Database, Dump, Settings
from .trees import copy_files
from .volumes import ABOUT, Engine, Volume

_Item = TypeVar("_Item")
DUMP, ABOUT_DUMP, TREE = "dump", "about.json", "tree"
#: Parts that are saved when they change, so that their last snapshot may be old.
KEPT = "kept:"


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite database, None for another kind."""
    kind, mark, path = url.partition(":///")
    return Path(path) if mark and kind == "sqlite" else None


def server_of(database: Database, engine: Engine) -> Server:
    """Where a database of PostgreSQL is asked; raises BackupError."""
    if database.service:
        return server_inside(database.url, engine.inside(database.service))
    return find_server(database.url, database.password_file)


def save_all(settings: Settings, restic: Restic, engine: Engine) -> list[Outcome]:
    """Save every part; how each went. Raises BackupError only if nothing can be saved at all."""
    (settings.state / "cache").mkdir(parents=True, exist_ok=True, mode=0o700)
    restic.snapshots()  # a repository that does not answer is no fault of any part
    steps: dict[str, Callable[[], list[Saved]]] = {}
    for database in settings.databases:
        steps[f"database:{database.name}"] = partial(_save_database, settings, restic, engine, database)
    for dump in settings.dumps:
        steps[f"dump:{dump.name}"] = partial(_save_dump, settings, restic, engine, dump)
    if settings.files or settings.files_if_there:
        steps["files"] = partial(_save_files, settings, restic)
    if settings.folders:
        steps["folders"] = lambda: _each(settings.folders, lambda path: _save_folder(settings, restic, path))
    if settings.volumes:
        wanted = settings.volumes
        steps["volumes"] = lambda: _each(
            engine.find(wanted), lambda v: save_volume(settings, restic, engine, v)
        )
    return [attempt(part, step) for part, step in steps.items()]


def attempt(part: str, step: Callable[[], list[Saved]]) -> Outcome:
    """How a step went, with its error in words."""
    begun = time.monotonic()
    try:
        saved = step()
    except BackupError as error:
        return Outcome(part, time.monotonic() - begun, error=str(error))
    except OSError as error:  # a disk that is full, a folder that went away
        return Outcome(part, time.monotonic() - begun, error=f"{error.filename or part}: {error.strerror}")
    unreadable = "; ".join(s.unreadable or "some files could not be read" for s in saved if not s.complete)
    return Outcome(
        part,
        time.monotonic() - begun,
        sum(s.files for s in saved),
        sum(s.size for s in saved),
        sum(s.added for s in saved),
        len(saved),
        unreadable,
    )


def save_volume(settings: Settings, restic: Restic, engine: Engine, volume: Volume) -> Saved:
    """Save one volume, with what is needed to make it again."""
    with staging(settings, "volume", volume.name) as folder:
        (folder / ABOUT).write_text(volume.as_text(), encoding="utf-8")
        wrap = engine.to_save(settings, volume, folder)
        return restic.save(f"volume:{volume.name}", [volume.place], wrap)


def keep_given(settings: Settings, restic: Restic, name: str, content: bytes) -> bool:
    """Save what somebody hands over, unless it is what was saved last; whether it was saved."""
    checksum = hashlib.sha256(content).hexdigest()
    part = f"{KEPT}{name}"
    for newest in restic.snapshots(part)[-1:]:
        about = json.loads(restic.read(newest.id, f"{newest.paths[0]}/{ABOUT_DUMP}"))
        if about["checksum"] == checksum:
            return False
    with staging(settings, "kept", name) as folder:
        (folder / DUMP).write_bytes(content)
        about = {"kind": "kept", "checksum": checksum}
        (folder / ABOUT_DUMP).write_text(json.dumps(about), encoding="utf-8")
        restic.save(part, [str(folder)])
    return True


@contextmanager
def staging(settings: Settings, kind: str, name: str) -> Iterator[Path]:
    """An empty folder of root's alone, always at the same place, gone afterwards."""
    folder = settings.state / "staging" / kind / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _each(items: Iterable[_Item], save: Callable[[_Item], Saved]) -> list[Saved]:
    """Save all of them; raises BackupError at the end with what failed."""
    saved, errors = [], []
    for item in items:
        try:
            saved.append(save(item))
        except BackupError as error:
            errors.append(f"{getattr(item, 'name', item)}: {error}")
    if errors:
        raise BackupError(
            f"{len(errors)} of {len(errors) + len(saved)} were not saved. {' '.join(errors)[:800]}"
        )
    return saved


def _save_database(settings: Settings, restic: Restic, engine: Engine, database: Database) -> list[Saved]:
    with staging(settings, "database", database.name) as folder:
        path = sqlite_path(database.url)
        tables: Fingerprint
        if path:
            sqlite.copy_database(path, folder / DUMP)
            tables = sqlite.read_fingerprint(folder / DUMP)
        else:
            tables = postgres.dump_database(server_of(database, engine), folder / DUMP)
        about = {"kind": "sqlite" if path else "postgresql", "tables": as_document(tables)}
        (folder / ABOUT_DUMP).write_text(json.dumps(about), encoding="utf-8")
        return [restic.save(f"database:{database.name}", [str(folder)])]


def _save_dump(settings: Settings, restic: Restic, engine: Engine, dump: Dump) -> list[Saved]:
    command = [*(engine.inside(dump.service) if dump.service else ()), *dump.command]
    with staging(settings, "dump", dump.name) as folder:
        with (folder / DUMP).open("wb") as output:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, check=False
            )
        words = " ".join(done.stderr.decode(errors="replace").split())[-400:]
        if done.returncode != 0 or (folder / DUMP).stat().st_size == 0:
            raise BackupError(f"{dump.command[0]} ended with {done.returncode} and gave no dump: {words}")
        if dump.volume:
            (folder / ABOUT).write_text(engine.describe(dump.volume).as_text(), encoding="utf-8")
        return [restic.save(f"dump:{dump.name}", [str(folder)])]


def _save_files(settings: Settings, restic: Restic) -> list[Saved]:
    with staging(settings, "files", settings.host) as folder:
        (folder / TREE).mkdir()
        sums = copy_files(settings.files, settings.files_if_there, folder / TREE)
        (folder / ABOUT_DUMP).write_text(json.dumps({"kind": "files", "files": sums}), encoding="utf-8")
        return [restic.save(f"files:{settings.host}", [str(folder)])]


def _save_folder(settings: Settings, restic: Restic, path: str) -> Saved:
    if not Path(path).is_dir():
        raise BackupError(f"There is no folder {path}. Correct backup_folders.")
    return restic.save(f"folder:{settings.host}:{path}", [path])
