# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files: copies that hold still while they are saved, and whether a restored tree is what was saved."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import BackupError
from .fingerprint import hash_file


def copy_files(wanted: Iterable[str], if_there: Iterable[str], target: Path) -> dict[str, str]:
    """Copy files and folders below `target`, owners and modes with them; path to SHA-256 of each file.

    Raises BackupError if one of `wanted` is missing.
    """
    missing = [path for path in wanted if not Path(path).exists()]
    if missing:
        raise BackupError(
            f"{', '.join(missing)} is not there. Correct backup_files, or move it to backup_files_if_there."
        )
    for path in [*wanted, *(p for p in if_there if Path(p).exists())]:
        _copy_one(Path(path), target / path.lstrip("/"))
    return hash_tree(target)


def hash_tree(root: Path) -> dict[str, str]:
    """Absolute path, as if `root` were /, to the SHA-256 of each file below `root`."""
    return {f"/{path.relative_to(root)}": hash_file(path) for path in files_below(root)}


def files_below(root: Path) -> Iterator[Path]:
    """All plain files below a folder, sorted; links are not followed."""
    for path in sorted(root.rglob("*")):
        if stat.S_ISREG(path.lstat().st_mode):
            yield path


def file_differences(saved: Mapping[str, str], restored: Mapping[str, str]) -> list[str]:
    """In words, what restored files have other than those that were saved."""
    found = [f"{path} is missing" for path in sorted(saved.keys() - restored.keys())]
    found += [f"{path} was not saved" for path in sorted(restored.keys() - saved.keys())]
    return found + [
        f"{path} has another content"
        for path in sorted(saved.keys() & restored.keys())
        if saved[path] != restored[path]
    ]


def listing_differences(nodes: Iterable[Mapping[str, Any]], root: Path) -> list[str]:
    """In words, what below `root` is not as restic listed it: path, kind and size of everything."""
    found = []
    for node in nodes:
        path = root / str(node["path"]).lstrip("/")
        try:
            seen = path.lstat()
        except OSError:
            found.append(f"{node['path']} is missing")
            continue
        if node["type"] == "file" and seen.st_size != node.get("size", 0):
            found.append(f"{node['path']} has {seen.st_size} bytes, not {node.get('size', 0)}")
        if node["type"] == "dir" and not stat.S_ISDIR(seen.st_mode):
            found.append(f"{node['path']} is no folder")
    return found


def plan_back(tree: Path, root: Path, paths: Iterable[str]) -> tuple[list[str], list[str]]:
    """Which files of a restored tree are missing below `root`, and which have another content there."""
    missing, others = [], []
    for path in paths:
        target = root / path.lstrip("/")
        if not target.exists():
            missing.append(path)
        elif hash_file(tree / path.lstrip("/")) != hash_file(target):
            others.append(path)
    return missing, others


def put_back(tree: Path, root: Path, paths: Iterable[str]) -> None:
    """Bring files of a restored tree to their places below `root`, each in one step."""
    for path in paths:
        source, target = tree / path.lstrip("/"), root / path.lstrip("/")
        _make_folders(tree, source.parent, target.parent)
        draft = target.with_name(f".{target.name}.restoring")
        _copy_one(source, draft)
        draft.replace(target)


def _copy_one(source: Path, target: Path) -> None:
    """Copy with owner, mode and times; a link inside of a folder stays a link."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, copy_function=_copy_file, dirs_exist_ok=True)
        for path in [source, *source.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                _copy_owner(path, target / path.relative_to(source))
    else:
        _copy_file(str(source), str(target))


def _copy_file(source: str, target: str) -> None:
    shutil.copy2(source, target)
    _copy_owner(Path(source), Path(target))


def _copy_owner(source: Path, target: Path) -> None:
    seen = source.stat()
    os.chown(target, seen.st_uid, seen.st_gid)
    target.chmod(stat.S_IMODE(seen.st_mode))


def _make_folders(tree: Path, source: Path, target: Path) -> None:
    """The folder of a file, with owner and mode as it was saved where it is missing."""
    if target.exists():
        return
    if source != tree:
        _make_folders(tree, source.parent, target.parent)
    target.mkdir(exist_ok=True, mode=0o700)
    if source != tree:
        _copy_owner(source, target)
