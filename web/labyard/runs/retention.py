"""Removing the folders of old runs. What stands in the database stays."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from labyard.clock import Clock, utc_now
from labyard.models import Command
from labyard.settings import Settings

_BATCH = 500  # commands looked up at once


def find_old_runs(session: Session, settings: Settings, clock: Clock = utc_now) -> list[Path]:
    """The folders of this host's runs that are old or too many.

    Old is `keep_runs_days`, too many is what goes beyond the newest `keep_runs` of a deployment.
    Those of a command that has not ended stay. A folder of no known command goes when it is old.
    """
    oldest = clock() - timedelta(days=settings.keep_runs_days)
    kept: defaultdict[str, int] = defaultdict(int)
    found = []
    for folder, command in _newest_first(session, settings.runs):
        if command is None:
            expired = _written_at(folder, clock) < oldest
        elif not command.state.final:
            expired = False
        else:
            kept[command.deployment_id] += 1
            ended = command.finished_at or command.created_at
            expired = ended < oldest or kept[command.deployment_id] > settings.keep_runs
        if expired:
            found.append(folder)
    return found


def remove_folders(folders: Iterable[Path]) -> None:
    """Remove the folders; what cannot be removed now is found again the next time."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _newest_first(session: Session, runs: Path) -> list[tuple[Path, Command | None]]:
    """The folders in `runs` with the commands whose runs they are, the newest command first."""
    folders = [folder for folder in runs.iterdir() if folder.is_dir()] if runs.is_dir() else []
    commands = {c.id: c for c in _find(session, {_command_id(folder) for folder in folders})}
    pairs = [(folder, commands.get(_command_id(folder))) for folder in folders]
    return sorted(pairs, key=_age, reverse=True)


def _find(session: Session, ids: Iterable[str]) -> Iterator[Command]:
    wanted = sorted(ids)
    for start in range(0, len(wanted), _BATCH):
        some = wanted[start : start + _BATCH]
        yield from session.scalars(select(Command).where(Command.id.in_(some)))


def _age(pair: tuple[Path, Command | None]) -> tuple[float, str]:
    folder, command = pair
    return (command.created_at.timestamp() if command else 0.0, folder.name)


def _command_id(folder: Path) -> str:
    """See `run_folder`: COMMAND-FENCE."""
    return folder.name.rpartition("-")[0]


def _written_at(folder: Path, clock: Clock) -> datetime:
    try:
        return datetime.fromtimestamp(folder.stat().st_mtime, tz=clock().tzinfo)
    except FileNotFoundError:
        return clock()
