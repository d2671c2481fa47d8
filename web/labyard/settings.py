"""The settings of the console, read from the environment once, at the edge."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]
_PACKAGED_PLAYBOOKS = Path(__file__).resolve().parent / "playbooks"


@dataclass(frozen=True)
class Settings:
    """Where things lie. Every field has an environment variable `LABYARD_<FIELD>`."""

    home: Path  # state: database, queue, runs, keys
    database_url: str
    queue_url: str  # the path of a SQLite file
    playbook: Path  # the play that carries out a request
    inventory: Path  # the inventory that play runs with
    ansible_config: Path | None
    docker_host: str | None

    @property
    def runs(self) -> Path:
        """One folder for each run."""
        return self.home / "runs"

    def key(self) -> str:
        """The console's own secret (sessions, sealing), made at first use with mode 0600."""
        path = self.home / "secret_key"
        if not path.exists():
            self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(path, secrets.token_urlsafe(48))
        return path.read_text(encoding="ascii").strip()


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from `environ` (default: the process's own), with embedded defaults for all of them."""
    env = os.environ if environ is None else environ
    home = Path(env.get("LABYARD_HOME") or ".local").resolve()
    config = Path(env.get("ANSIBLE_CONFIG") or _REPOSITORY / "ansible.cfg")
    return Settings(
        home=home,
        database_url=env.get("LABYARD_DATABASE_URL") or f"sqlite:///{home / 'labyard.db'}",
        queue_url=env.get("LABYARD_QUEUE_URL") or str(home / "queue.db"),
        playbook=Path(env.get("LABYARD_PLAYBOOK") or _default_playbook()).resolve(),
        inventory=Path(env.get("LABYARD_INVENTORY") or _REPOSITORY / "inventories" / "local").resolve(),
        ansible_config=config.resolve() if config.exists() else None,
        docker_host=env.get("DOCKER_HOST") or None,
    )


def write_private(path: Path, text: str) -> None:
    """Write `text` to a new or existing file that only its owner can read (0600)."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)


def python_folder() -> Path:
    """The folder of this interpreter: ansible-playbook of the same environment lies there."""
    return Path(sys.executable).parent


def _default_playbook() -> Path:
    packaged = _PACKAGED_PLAYBOOKS / "service.yml"
    return packaged if packaged.exists() else _REPOSITORY / "playbooks" / "service.yml"
