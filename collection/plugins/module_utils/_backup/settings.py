# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one host saves, and where to: the file that the role writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from .errors import BackupError


@dataclass(frozen=True)
class Database:
    """A database; `url` is sqlite:///PATH or postgresql://USER@HOST/NAME, as the console has it."""

    name: str
    url: str
    password_file: str = ""
    verify_url: str = ""  # PostgreSQL: where the restore test makes its database; empty: the same server
    service: str = ""  # PostgreSQL: of the swarm, with its container on this host, in which it is asked


@dataclass(frozen=True)
class Dump:
    """A program whose output is saved, for what has its own way to be dumped.

    With `restore` it comes back by a program too, which runs in a container of `image` with the volume
    `volume` at `target`, and reads the dump.
    """

    name: str
    command: tuple[str, ...]
    service: str = ""  # of the swarm, with its container on this host, in which the program runs
    image: str = ""
    volume: str = ""
    target: str = ""
    restore: tuple[str, ...] = ()


@dataclass(frozen=True)
class Volumes:
    """Which volumes of the host's engine are saved: those with one of the labels, and those named."""

    image: str
    labels: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Keep:
    """How many of the newest snapshots stay of each part; of what is gone, days after the last one."""

    last: int = 0
    hourly: int = 0
    daily: int = 7
    weekly: int = 5
    monthly: int = 12
    yearly: int = 0
    gone_days: int = 90


@dataclass(frozen=True)
class Settings:
    """All that `labyard-backup` knows."""

    host: str
    repository: str  # as restic has it: a path, sftp:USER@HOST:PATH, s3:URL/BUCKET
    password_file: Path
    state: Path  # notes, staging, scratch; of root alone
    environment_file: str = ""  # NAME=value lines: keys of an object store
    ssh_folder: str = ""  # for sftp from containers; in the file it may begin with ~
    options: tuple[str, ...] = ()  # further options of every call of restic
    metrics_file: str = ""
    databases: tuple[Database, ...] = ()
    dumps: tuple[Dump, ...] = ()
    files: tuple[str, ...] = ()
    files_if_there: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    volumes: Volumes | None = None
    keep: Keep = field(default_factory=Keep)
    lock_wait: int = 3600  # seconds
    prove_trees: int = 3  # how many homes each proof restores
    prove_percent: int = 5  # of the repository's data, read and checked by each proof


_KINDS: dict[str, type[Any]] = {"databases": Database, "dumps": Dump, "volumes": Volumes, "keep": Keep}
_Made = TypeVar("_Made")


def read_settings(path: Path) -> Settings:
    """The settings in a file of JSON; raises BackupError with the name of what is wrong."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BackupError(
            f"{path} cannot be read ({error.strerror}). Run the role backup on this host."
        ) from error
    except ValueError as error:
        raise BackupError(f"{path} is no JSON: {error}. Run the role backup again.") from error
    return parse_settings(document)


def parse_settings(document: Mapping[str, Any]) -> Settings:
    """Settings from a document; raises BackupError."""
    values = dict(document)
    for name, kind in _KINDS.items():
        if isinstance(values.get(name), list):
            values[name] = tuple(_make(kind, item, name) for item in values[name])
        elif values.get(name) is not None:
            values[name] = _make(kind, values[name], name)
    for name in ("password_file", "state"):
        if name in values:
            values[name] = Path(values[name])
    if values.get("ssh_folder"):
        values["ssh_folder"] = str(Path(values["ssh_folder"]).expanduser())
    made = _make(Settings, values, "settings")
    names = [d.name for d in made.databases] + [d.name for d in made.dumps]
    if len(set(names)) < len(names):
        raise BackupError("Two databases or dumps have the same name. Give each its own.")
    return made


def _make(kind: type[_Made], values: Mapping[str, Any], where: str) -> _Made:
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]  # one of the dataclasses above
    strange = sorted(set(values) - known)
    if strange:
        raise BackupError(f"{where}: {', '.join(strange)} is not known. Leave it out.")
    try:
        return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except TypeError as error:
        raise BackupError(f"{where}: {error}.") from error
