#!/usr/bin/python3
# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give each home a limit, as a project quota of XFS (see xfs_quota(8)): `labyard-quota SETTINGS`.

SETTINGS is a JSON file: `folder` of homes, `limit` in MiB, and `exceptions`, MiB by name. Which home
is which project, with which limit, is noted in `.labyard-projects` in the folder, so that a second run has
nothing to do. It prints a line for each limit that it gives, and ends with 1 and a sentence if it cannot.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FIRST_PROJECT = 100000
NOTE = ".labyard-projects"
MOUNTS = Path("/proc/self/mounts")

Run = Callable[[Sequence[str]], None]


class QuotaError(Exception):
    """Limits cannot be given; the text says why and what to do."""


@dataclass(frozen=True)
class Given:
    """A home's project and its limit in MiB."""

    project: int
    limit: int


def give_limits(
    folder: Path, limit: int, exceptions: Mapping[str, int], noted: Mapping[str, Given], run: Run, mount: Path
) -> dict[str, Given]:
    """Give every home in the folder its limit; returns the new notes. `run` starts a program or raises."""
    notes: dict[str, Given] = {}
    following = max((each.project for each in noted.values()), default=FIRST_PROJECT - 1) + 1
    for home in sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()):
        if home.name.startswith("."):
            continue
        before = noted.get(home.name)
        wanted = exceptions.get(home.name, limit)
        project = before.project if before else following
        if before is None:
            following += 1
            run(_command(mount, f"project -s -p {home} {project}"))
        if before is None or before.limit != wanted:
            run(_command(mount, f"limit -p bhard={wanted}m {project}"))
            sys.stdout.write(f"{home.name}: {wanted} MiB\n")
        notes[home.name] = Given(project, wanted)
    return notes


def mount_of(folder: Path, mounts: str) -> Path:
    """Where the file system of a folder is mounted; raises QuotaError if it has no quotas of projects."""
    found = [line.split() for line in mounts.splitlines()]
    above = [fields for fields in found if folder == Path(fields[1]) or Path(fields[1]) in folder.parents]
    deepest = max(above, key=lambda fields: len(fields[1]))
    options = deepest[3].split(",")
    if deepest[2] != "xfs" or not {"prjquota", "pquota"} & set(options):
        raise QuotaError(
            f"{folder} is on {deepest[2]} at {deepest[1]}, without quotas of projects: put it on XFS that is "
            "mounted with the option prjquota, or set storage_quota to 0."
        )
    return Path(deepest[1])


def read_notes(path: Path) -> dict[str, Given]:
    """What earlier runs gave, by name of the home."""
    try:
        return {name: Given(**each) for name, each in json.loads(path.read_text("utf-8")).items()}
    except FileNotFoundError:
        return {}


def write_notes(path: Path, notes: Mapping[str, Given]) -> None:
    """Keep the notes, in one step."""
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(json.dumps({name: vars(each) for name, each in notes.items()}), "utf-8")
    os.replace(draft, path)


def _command(mount: Path, words: str) -> list[str]:
    return ["xfs_quota", "-x", "-c", words, str(mount)]


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise QuotaError("There is no xfs_quota: add xfsprogs to storage_packages.") from error
    if done.returncode:
        raise QuotaError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")


def main() -> None:
    """Read the settings and give what is missing."""
    settings: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    folder = Path(settings["folder"]).resolve()
    try:
        mount = mount_of(folder, MOUNTS.read_text("utf-8"))
        noted = read_notes(folder / NOTE)
        notes = give_limits(folder, settings["limit"], settings["exceptions"], noted, _run, mount)
    except (QuotaError, OSError) as error:
        sys.exit(f"labyard-quota: {error}")
    if notes != noted:
        write_notes(folder / NOTE, notes)


if __name__ == "__main__":
    main()
