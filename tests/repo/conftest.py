"""What the tests of the repository share: its files, and a clean commit of them elsewhere."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def listed_files() -> list[Path]:
    """What is or would be committed, relative to the repository; links are files of their own."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = sorted({Path(name) for name in listing.split("\0") if name})
    return [path for path in paths if (REPOSITORY / path).is_symlink() or (REPOSITORY / path).is_file()]


@pytest.fixture(scope="session")
def repository_files() -> list[Path]:
    """The files of the repository, relative to it."""
    return listed_files()


@pytest.fixture(scope="session")
def clean_copy(tmp_path_factory: pytest.TempPathFactory, repository_files: list[Path]) -> Path:
    """The repository as someone who clones it has it: a git repository with one commit."""
    copy = tmp_path_factory.mktemp("clone") / "labyard"
    for path in repository_files:
        (copy / path.parent).mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / path, copy / path, follow_symlinks=False)
    author = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.org"]
    for arguments in (["init", "--quiet", "--initial-branch=main"], ["add", "--all"]):
        subprocess.run(["git", *arguments], cwd=copy, check=True)
    subprocess.run(["git", *author, "commit", "--quiet", "--message=all"], cwd=copy, check=True)
    return copy
