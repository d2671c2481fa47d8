# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program `labyard-backup`: it prints one document of JSON.

Exit code 1: a part failed. 2: nothing could be done.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .errors import BackupError
from .notes import Outcome, note_proved, note_saved, read_notes, write_notes
from .proving import newest_of_each, prove_all
from .restic import Restic
from .restoring import (
    KEEP,
    KINDS,
    REFUSE,
    REPLACE,
    Choice,
    Restored,
    restore_database,
    restore_dump,
    restore_files,
    restore_folder,
    restore_host,
    restore_volume,
)
from .retention import forget_old, forget_part
from .saving import keep_given, save_all
from .settings import Settings, read_settings
from .volumes import Engine

_SETTINGS = "/etc/labyard/backup.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; the exit code."""
    os.umask(0o077)
    given = _parser().parse_args(arguments)
    try:
        settings = read_settings(Path(given.settings))
        with _alone(settings, given.wait):
            answer = given.action(settings, Restic(settings), given)
    except BackupError as error:
        print(json.dumps({"changed": False, "error": str(error)}))
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(answer, indent=1))
    for words in answer.get("errors", []):
        print(words, file=sys.stderr)
    return 1 if answer.get("errors") else 0


def _save(settings: Settings, restic: Restic, _given: argparse.Namespace) -> dict[str, Any]:
    try:
        outcomes = save_all(settings, restic, Engine())
    except BackupError as error:
        before = [part for part, note in read_notes(settings.state).items() if note.tried]
        outcomes = [Outcome(part, error=str(error)) for part in before or ["repository"]]
    write_notes(
        settings.state, note_saved(read_notes(settings.state), outcomes, time.time()), settings.metrics_file
    )
    return _report(outcomes, changed=True)


def _prove(settings: Settings, restic: Restic, _given: argparse.Namespace) -> dict[str, Any]:
    outcomes = prove_all(settings, restic, Engine(), datetime.now(UTC))
    write_notes(
        settings.state, note_proved(read_notes(settings.state), outcomes, time.time()), settings.metrics_file
    )
    return _report(outcomes, changed=False)


def _report(outcomes: Sequence[Outcome], *, changed: bool) -> dict[str, Any]:
    errors = [f"{o.part}: {o.error}" for o in outcomes if o.error]
    return {"changed": changed, "parts": [asdict(o) for o in outcomes], "errors": errors}


def _init(_settings: Settings, restic: Restic, _given: argparse.Namespace) -> dict[str, Any]:
    return {"changed": restic.ensure_repository()}


def _keep(settings: Settings, restic: Restic, given: argparse.Namespace) -> dict[str, Any]:
    return {"changed": keep_given(settings, restic, given.name, sys.stdin.buffer.read())}


def _forget(settings: Settings, restic: Restic, given: argparse.Namespace) -> dict[str, Any]:
    if given.part:
        count = forget_part(restic, given.part)
    else:
        count = forget_old(restic, settings.keep, datetime.now(UTC))
    return {"changed": count > 0, "forgotten": count}


def _list(_settings: Settings, restic: Restic, given: argparse.Namespace) -> dict[str, Any]:
    snapshots = restic.snapshots(given.part or "")
    shown = snapshots if given.part else sorted(newest_of_each(snapshots).values(), key=lambda s: s.part)
    return {
        "changed": False,
        "snapshots": [
            {"part": s.part, "host": s.host, "time": s.time.isoformat(), "id": s.id} for s in shown
        ],
    }


def _restore(settings: Settings, restic: Restic, given: argparse.Namespace) -> dict[str, Any]:
    choice = Choice(_time(given.at), given.existing, given.check)
    host = given.host or settings.host
    done: list[Restored]
    if given.what == "host":
        done = list(restore_host(settings, restic, Engine(), host, choice, _kinds(given.only)))
    elif given.what == "files":
        done = [restore_files(settings, restic, host, choice, Path(given.to or "/"))]
    elif not given.name:
        raise BackupError(f"Say which {given.what}.")
    elif given.what == "database":
        done = [restore_database(settings, restic, Engine(), given.name, choice, given.to)]
    elif given.what == "dump":
        done = [restore_dump(settings, restic, Engine(), given.name, choice)]
    elif given.what == "folder":
        done = [restore_folder(settings, restic, host, given.name, choice)]
    else:
        done = [restore_volume(settings, restic, Engine(), given.name, choice, given.to)]
    return {"changed": any(d.changed for d in done), "restored": [asdict(d) for d in done]}


def _kinds(text: str) -> Sequence[str]:
    kinds = text.split(",") if text else KINDS
    strange = sorted(set(kinds) - set(KINDS))
    if strange:
        raise BackupError(f"--only: {', '.join(strange)} is none of {', '.join(KINDS)}.")
    return kinds


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise BackupError(f"{text} is no time. Write it as 2030-01-31T12:00:00+00:00.") from error
    return found.astimezone(UTC) if found else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="labyard-backup", description="Save this host's part of Labyard.")
    parser.add_argument("--settings", default=_SETTINGS, help="default: %(default)s")
    parser.add_argument("--wait", type=int, default=3600, help="seconds to wait for another run on this host")
    commands = parser.add_subparsers(required=True)
    commands.add_parser("init", help="make the repository").set_defaults(action=_init)
    commands.add_parser("save", help="save everything").set_defaults(action=_save)
    commands.add_parser("prove", help="restore for a test and compare").set_defaults(action=_prove)
    keep = commands.add_parser("keep", help="save what is handed over by standard input, if it has changed")
    keep.add_argument("name")
    keep.set_defaults(action=_keep)
    forget = commands.add_parser("forget", help="let go of what need not be kept")
    forget.add_argument("--part", help="all of this one part, such as volume:NAME")
    forget.set_defaults(action=_forget)
    listing = commands.add_parser("list", help="what there is: the newest of each part")
    listing.add_argument("--part", help="all snapshots of this one")
    listing.set_defaults(action=_list)
    restore = commands.add_parser("restore", help="bring something back")
    restore.add_argument("what", choices=["host", "files", "dump", "database", "folder", "volume"])
    restore.add_argument("name", nargs="?", default="", help="of a dump, database, folder or volume")
    restore.add_argument("--at", default="", help="the state at this time; default: the newest")
    restore.add_argument("--host", default="", help="of this host; default: this one")
    restore.add_argument("--to", default="", help="another volume, url of a database, or folder for files")
    restore.add_argument("--only", default="", help=f"of a host, as {','.join(KINDS)}; default: all of these")
    restore.add_argument("--existing", choices=[KEEP, REFUSE, REPLACE], default=REFUSE)
    restore.add_argument("--check", action="store_true", help="only say what would be done")
    restore.set_defaults(action=_restore)
    return parser


@contextmanager
def _alone(settings: Settings, wait: int) -> Iterator[None]:
    """Only one run at a time on this host; raises BackupError if another one does not end."""
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    deadline = time.monotonic() + wait
    with (settings.state / "lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise BackupError("Another run on this host has not ended. Try again later.") from None
                time.sleep(0.2)
        yield


if __name__ == "__main__":
    sys.exit(main())
