"""Looking for secrets where nobody may find them: in process lists meanwhile, in all that is stored later."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import redis

from .house import House, Servers

#: The files of a console that are there to hold a secret; only their owner can read them.
_KEPT = ("admin.json", "secret_key")
_LOOK_EVERY = 0.3  # seconds


class Spy:
    """Reads the command lines and environments of all processes but this one, again and again."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._over = threading.Event()
        self.seen: set[str] = set()  # what a secret was found in
        self.looks = 0

    @contextmanager
    def at_work(self) -> Iterator[Spy]:
        """Look until the end of the block."""
        thread = threading.Thread(target=self._loop, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()

    def _loop(self) -> None:
        while not self._over.wait(_LOOK_EVERY):
            self._look()
            self.looks += 1

    def _look(self) -> None:
        for process in psutil.process_iter():
            if process.pid == os.getpid():
                continue
            try:
                words = [*process.cmdline(), *process.environ().values()]
                name = process.name()
            except psutil.Error:
                continue
            for secret in tuple(self._house.secrets):
                if any(secret in word for word in words):
                    self.seen.add(f"process {name}")


def find_in_files(folder: Path, secrets: Iterable[str], kept: Iterable[str] = _KEPT) -> list[str]:
    """The files in `folder` in which a secret stands, those named in `kept` apart."""
    wanted = [secret.encode() for secret in secrets]
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in tuple(kept)]
    return [str(path) for path in files if any(secret in path.read_bytes() for secret in wanted)]


def write_dumps(house: House, servers: Servers, folder: Path) -> None:
    """All rows of the console's database, and all that Redis holds, as files in `folder`."""
    folder.mkdir()
    postgresql = servers.postgresql
    name = house.console.environment["LABYARD_DATABASE_URL"].partition("@/")[2].partition("?")[0]
    place = ["--host", str(postgresql.folder), "--port", str(postgresql.port), "--username", "labyard"]
    done = subprocess.run(
        [str(postgresql.programs / "pg_dump"), *place, name],
        env={"PGPASSWORD": postgresql.password, "PATH": os.defpath},
        capture_output=True,
        check=True,
    )
    (folder / "postgresql").write_bytes(done.stdout)
    with redis.Redis.from_url(servers.redis.url()) as client, (folder / "redis").open("wb") as file:
        for key in client.scan_iter():
            file.write(key + b" " + (client.dump(key) or b""))
    for path in servers.redis.folder.rglob("*.aof"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "postgresql.log").write_bytes((postgresql.folder / "log").read_bytes())
