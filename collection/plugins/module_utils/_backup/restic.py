# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls of restic. Snapshots are found by two tags: the program's own, and that of the part."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from .errors import BackupError
from .settings import Settings

OWN_TAG = "labyard"
_PART = "part:"
_INCOMPLETE = 3  # restic's exit code when it saved what it could read, and could not read all
_LOCKED = "already locked"
_NEXT_STEPS = {
    "wrong password or no key found": "The password is not that of the repository. Correct password_file.",
    "Is there a repository at": "There is no repository. Check the address; the role backup makes a new one.",
    "no space left on device": "The disk is full. Make room, or keep fewer snapshots.",
    "Host key verification failed": "Put the server's key into known_hosts in the ssh folder.",
}

Wrap = Callable[[Sequence[str]], list[str]]  # a command line to one that runs it somewhere else


@dataclass(frozen=True)
class Snapshot:
    """One saved state of one part."""

    id: str
    part: str
    host: str
    time: datetime
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Saved:
    """What one call saved."""

    snapshot: str
    files: int
    size: int  # bytes that were read
    added: int  # bytes that the repository grew by, before compression
    complete: bool  # False: some files could not be read
    unreadable: str = ""


class Restic:
    """Calls of restic on one repository.

    Every method raises BackupError with restic's own words and, where it is known, the next step.
    """

    def __init__(self, settings: Settings, program: str = "restic"):
        self._settings = settings
        self._program = program
        self.environment = read_environment(settings)

    def ensure_repository(self) -> bool:
        """Make the repository if there is none; whether it was made."""
        done = self._call(["cat", "config"])
        if done.returncode == 0:
            return False
        if "Is there a repository at" not in done.stderr:
            raise _error("cat", done.stderr)
        self.run("init")
        return True

    def snapshots(self, part: str = "") -> list[Snapshot]:
        """All snapshots of ours, or of one part, oldest first."""
        tags = f"{OWN_TAG},{_PART}{part}" if part else OWN_TAG
        found = json.loads(self.run("snapshots", "--json", "--tag", tags) or "null") or []
        return sorted((_parse_snapshot(item) for item in found), key=lambda s: s.time)

    def save(self, part: str, paths: Iterable[str], wrap: Wrap | None = None) -> Saved:
        """Save paths as a part; with `wrap` restic runs where that takes it."""
        tags = ["--tag", OWN_TAG, "--tag", f"{_PART}{part}"]
        arguments = ["backup", "--json", "--host", self._settings.host, *tags, "--", *paths]
        done = self._patient(arguments, wrap)
        if done.returncode not in (0, _INCOMPLETE):
            raise _error("backup", done.stderr)
        return _parse_summary(done.stdout, done.stderr, complete=done.returncode == 0)

    def restore(
        self, snapshot: str, target: Path | str, *, verify: bool = False, wrap: Wrap | None = None
    ) -> None:
        """Write all of a snapshot below `target`; with `verify` each file is read again and compared."""
        arguments = ["restore", snapshot, "--target", str(target), *(["--verify"] if verify else [])]
        done = self._patient(arguments, wrap)
        # Without --verify restic 0.14 ends well although it says that there were errors.
        if done.returncode != 0 or "There were" in done.stdout + done.stderr:
            raise _error("restore", done.stderr or done.stdout)

    def read(self, snapshot: str, path: str) -> str:
        """The content of a text file in a snapshot."""
        return self.run("dump", snapshot, path)

    def listing(self, snapshot: str) -> list[dict[str, Any]]:
        """All files and folders of a snapshot, as restic describes them (path, type, size)."""
        lines = self.run("ls", "--json", "--long", snapshot).splitlines()
        return [node for node in map(json.loads, lines) if node.get("struct_type") == "node"]

    def run(self, *arguments: str) -> str:
        """What one call printed; waits while somebody else has the repository for himself."""
        done = self._patient(arguments, None)
        if done.returncode != 0:
            raise _error(arguments[0], done.stderr)
        return done.stdout

    def _patient(self, arguments: Sequence[str], wrap: Wrap | None) -> subprocess.CompletedProcess[str]:
        deadline = time.monotonic() + self._settings.lock_wait
        while True:
            done = self._call(arguments, wrap)
            if done.returncode == 0 or _LOCKED not in done.stderr or time.monotonic() > deadline:
                return done
            time.sleep(min(10.0, max(0.1, self._settings.lock_wait / 10)))
            # Takes away locks of processes that are dead, no others.
            self._call(["unlock"])

    def _call(self, arguments: Sequence[str], wrap: Wrap | None = None) -> subprocess.CompletedProcess[str]:
        options = [word for option in self._settings.options for word in ("-o", option)]
        command = [self._program, *options, *arguments]
        try:
            return subprocess.run(
                wrap(command) if wrap else command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
        except FileNotFoundError as error:
            raise BackupError(
                f"There is no program {error.filename} on this host. Run the role backup."
            ) from error


def read_environment(settings: Settings) -> dict[str, str]:
    """The variables for restic: place, password, and those in the environment file."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RESTIC_")}
    own = {
        "RESTIC_REPOSITORY": settings.repository,
        "RESTIC_PASSWORD_FILE": str(settings.password_file),
        "RESTIC_CACHE_DIR": str(settings.state / "cache"),
    }
    return {**kept, **_given_variables(settings), **own}


def names_for_restic(settings: Settings) -> list[str]:
    """Names of the variables that restic needs where it does not inherit them."""
    return sorted(_OWN | set(_given_variables(settings)))


def _given_variables(settings: Settings) -> dict[str, str]:
    if not settings.environment_file:
        return {}
    try:
        text = Path(settings.environment_file).read_text(encoding="utf-8")
    except OSError as error:
        raise BackupError(f"{settings.environment_file} cannot be read ({error.strerror}).") from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {name.strip(): value for name, _, value in (line.partition("=") for line in lines)}


_OWN = {"RESTIC_REPOSITORY", "RESTIC_PASSWORD_FILE", "RESTIC_CACHE_DIR"}


def _parse_snapshot(item: dict[str, Any]) -> Snapshot:
    part = next((t.removeprefix(_PART) for t in item.get("tags") or () if t.startswith(_PART)), "")
    # Nanoseconds are more than Python reads.
    head, _, tail = item["time"].partition(".")
    zone = tail.lstrip("0123456789") if tail else ""
    when = datetime.fromisoformat(head + zone) if tail else datetime.fromisoformat(head)
    return Snapshot(item["id"], part, item["hostname"], when, tuple(item["paths"]))


def _parse_summary(output: str, errors: str, complete: bool) -> Saved:
    for line in reversed(output.splitlines()):
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("message_type") == "summary":
            return Saved(
                message["snapshot_id"],
                message["total_files_processed"],
                message["total_bytes_processed"],
                message["data_added"],
                complete,
                "" if complete else _few(errors),
            )
    raise BackupError(f"restic did not say what it saved: {_few(output)} {_few(errors)}")


def _error(action: str, words: str) -> BackupError:
    hint = next((step for mark, step in _NEXT_STEPS.items() if mark in words), "")
    return BackupError(f"restic {action}: {_few(words)} {hint}".strip())


def _few(words: str) -> str:
    return " ".join(words.split())[-600:]
