"""A host with something to lose, and a repository for its backups: folders of a test, and real restic."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._backup.restic import Restic
from ansible_collections.labyard.platform.plugins.module_utils._backup.settings import (
    Settings,
    parse_settings,
)
from tests.conftest import REPOSITORY

CORE = REPOSITORY / "collection" / "plugins" / "module_utils" / "_backup"


@dataclass
class House:
    """One host below `folder`; `further` are settings of the test's own."""

    folder: Path
    host: str = "node1"
    repository: str = ""
    further: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.repository = self.repository or str(self.folder / "repository")
        if not self.password_file.exists():
            self.password_file.write_text("the repository's password")

    @property
    def password_file(self) -> Path:
        """Of the repository."""
        return self.folder / "password"

    @property
    def settings(self) -> Settings:
        """What the role would have written."""
        return parse_settings(self.document())

    @property
    def restic(self) -> Restic:
        """Restic on the repository."""
        return Restic(self.settings)

    def document(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "host": self.host,
            "repository": self.repository,
            "password_file": str(self.password_file),
            "state": str(self.folder / "state"),
            "metrics_file": str(self.folder / "labyard_backup.prom"),
            "lock_wait": 20,
            **self.further,
        }

    def run(self, *arguments: str, path: str = "", code: int = 0) -> dict[str, Any]:
        """Run the program as it lies on hosts: the folder alone, without Ansible; what it printed."""
        library = self.folder / "library"
        shutil.copytree(
            CORE, library / "labyard_backup", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )
        settings = self.folder / "backup.json"
        settings.write_text(json.dumps(self.document()))
        environment = {
            "PATH": f"{path}:{os.environ['PATH']}",
            "PYTHONPATH": str(library),
            "LC_ALL": "C.UTF-8",
        }
        done = subprocess.run(
            [sys.executable, "-B", "-m", "labyard_backup", f"--settings={settings}", *arguments],
            env=environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def metrics(self) -> dict[str, float]:
        """Name with labels to value."""
        lines = Path(self.settings.metrics_file).read_text().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name.removeprefix("labyard_backup_"): float(value) for name, value in pairs}


def make_database(path: Path, rows: int = 100) -> None:
    """A database of SQLite with write-ahead log, as the console's."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, money REAL, picture BLOB)")
        database.execute('CREATE TABLE "an odd ""name" (word TEXT)')
        values = [(n, f"user {n} ä", n / 7, bytes([n % 256])) for n in range(rows)]
        database.executemany("INSERT INTO users VALUES (?, ?, ?, ?)", values)
        database.execute('INSERT INTO "an odd ""name" VALUES (NULL)')
        database.commit()


def query(path: Path, statement: str) -> list[tuple[Any, ...]]:
    """Carry out one statement."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute(statement).fetchall()
        database.commit()
        return rows
