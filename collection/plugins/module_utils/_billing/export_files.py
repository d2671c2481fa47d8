# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An export's file, written whole or not at all; and how far exports came, for the next one."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from .errors import ExportError
from .usage import read_moment, show_moment

#: Bytes up to which a file is shown in a difference.
SHOWN = 64 * 1024


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a file."""

    changed: bool
    lines: int
    checksum: str  # SHA-256, hexadecimal
    before: str  # for a difference: the text, or what can be said of a long one
    after: str


def write_export(path: Path, lines: Iterable[str], mode: int, check_mode: bool) -> Written:
    """Write the lines, unless the file has them already. No lines make no file.

    In check mode the same is done beside it, and thrown away. Raises ExportError if it cannot be written.
    """
    try:
        folder = None if check_mode else path.parent
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".part-", delete=False) as part:
            made = Path(part.name)
            try:
                count, checksum = _fill(part.file, lines)
                return _keep(path, made, count, checksum, mode, check_mode)
            finally:
                made.unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(f"dest: {path} cannot be written: {error.strerror}") from error


def read_state(path: Path, form: str, site: str) -> datetime | None:
    """Up to when was exported; none at the first time. Raises ExportError for the state of something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if (found["format"], found["site"]) != (form, site):
            raise ExportError(
                f"state: {path} is of the format {found['format']} and the site {found['site']!r};"
                " use a file for each"
            )
        return read_moment(found["until"], f"state: {path}: until")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError(f"state: {path} cannot be read: {error}; say from when, and remove it") from error


def write_state(path: Path, form: str, site: str, until: datetime) -> None:
    """Remember up to when was exported."""
    text = json.dumps({"format": form, "site": site, "until": show_moment(until)}) + "\n"
    write_export(path, [text], 0o600, check_mode=False)


def _fill(part: IO[bytes], lines: Iterable[str]) -> tuple[int, str]:
    digest, count = hashlib.sha256(), 0
    for line in lines:
        data = line.encode()
        digest.update(data)
        part.write(data)
        count += 1
    part.flush()
    os.fsync(part.fileno())
    return count, digest.hexdigest()


def _keep(path: Path, made: Path, count: int, checksum: str, mode: int, check_mode: bool) -> Written:
    old = _checksum(path) if path.exists() else ""
    same = not count or old == checksum
    wrong_mode = bool(count) and path.exists() and path.stat().st_mode & 0o7777 != mode
    before, after = _describe(path), _describe(path if not count else made)
    if not check_mode and not same:
        made.chmod(mode)
        made.replace(path)
    elif not check_mode and wrong_mode:
        path.chmod(mode)
    return Written(not same or wrong_mode, count, checksum if count else "", before, after)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _describe(path: Path) -> str:
    if not path.exists():
        return ""
    size = path.stat().st_size
    if size > SHOWN:
        return f"{size} bytes, SHA-256 {_checksum(path)}\n"
    return path.read_text(encoding="utf-8", errors="replace")
