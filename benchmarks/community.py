"""The collection community.docker, for a benchmark to be compared with: from PyPI, under .cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
_FOLDER = REPOSITORY / ".cache" / "benchmarks" / "community"
_PACKAGE = "ansible>=12,<13"  # it brings community.docker with it
_NEEDED = "jsondiff>=2"  # by community.docker.docker_stack


def community_environment() -> dict[str, str] | None:
    """The environment in which ansible-playbook finds community.docker; None if it cannot be installed."""
    collections, packages = _FOLDER / "collections", _FOLDER / "packages"
    module = collections / "ansible_collections" / "community" / "docker" / "plugins" / "modules"
    installed = (module / "docker_stack.py").is_file() and (packages / "jsondiff").is_dir()
    if not installed and not (_install(_PACKAGE, collections) and _install(_NEEDED, packages)):
        return None
    paths = f"{collections}:{REPOSITORY / '.collections'}"
    return {**os.environ, "ANSIBLE_COLLECTIONS_PATH": paths, "PYTHONPATH": str(packages)}


def _install(package: str, folder: Path) -> bool:
    """Install one package, without what it needs, into a folder of its own."""
    print(f"Installing {package} for comparison", file=sys.stderr)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), package],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(f"It cannot be installed, so it is left out: {done.stderr.strip()[-300:]}", file=sys.stderr)
    return done.returncode == 0
