# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of a deployment as files that nobody else can read: folders 0700, files 0600."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path


class SecretFileError(Exception):
    """A secret cannot be kept safely; the text says where and what to do."""


def write_secret_files(folder: Path, values: Mapping[str, str]) -> dict[str, str]:
    """Write each of `values` to a file of its name in `folder`; returns the path of each."""
    if not values:
        return {}
    _ensure_private_folder(folder)
    for name, value in values.items():
        _write(folder / name, value, os.O_TRUNC)
    return {name: str(folder / name) for name in values}


def keep_secret_files(
    folder: Path, sizes: Mapping[str, int], *, make: bool, dry_run: bool = False
) -> dict[str, str]:
    """The paths of the secrets kept in `folder`; with `make`, those missing are made first.

    `sizes` maps each name to its number of random bytes. With `dry_run` nothing is made, and an
    empty file stands for a secret that would be.
    """
    paths = {name: folder / name for name in sizes}
    missing = [name for name, path in paths.items() if not path.exists()]
    if make and missing and not dry_run:
        _ensure_private_folder(folder)
        for name in missing:
            _make(paths[name], sizes[name])
        missing = []
    elif make and missing:
        paths.update(dict.fromkeys(missing, Path(os.devnull)))
        missing = []
    return {name: str(path) for name, path in paths.items() if name not in missing}


def _make(path: Path, size: int) -> None:
    """Write a new secret to `path`, whole or not at all; one made meanwhile by another is kept."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    _write(draft, secrets.token_urlsafe(size), os.O_EXCL)
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


def _write(path: Path, value: str, flag: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | flag, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), 0o600)
            stream.write(value)
    except OSError as error:
        raise SecretFileError(f"{path} cannot be written ({error.strerror})") from error


def _ensure_private_folder(folder: Path) -> None:
    """Make `folder`, or check that it belongs to us; others could put a trap there beforehand."""
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.lstat()
    except OSError as error:
        raise SecretFileError(f"the folder {folder} cannot be made ({error.strerror})") from error
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid():
        raise SecretFileError(f"{folder} does not belong to this user: remove it, or choose another folder")
    if about.st_mode & 0o077:
        folder.chmod(0o700)
