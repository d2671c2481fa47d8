"""The console whose parts are killed: a web process, two workers, and the servers that they use."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import requests
import yaml

from tests.conftest import SCRIPTS, RunningConsole, console_environment, free_port, wait_until
from tests.services.postgres_server import USER, PostgresServer
from tests.services.process import running
from tests.services.redis_server import RedisServer

from . import role

WORKERS = ("worker-1", "worker-2")
_CONCURRENCY = "3"  # commands of each worker


@dataclass
class Servers:
    """PostgreSQL and Redis, of which a console on SQLite has neither."""

    postgresql: PostgresServer
    redis: RedisServer

    def settings(self, folder: Path) -> dict[str, str]:
        """Variables for a console on them; the passwords are in files in `folder`."""
        words = {"database": self.postgresql.password, "queue": self.redis.password}
        for name, password in words.items():
            (folder / name).write_text(password, encoding="ascii")
        name = self.postgresql.create_database()
        place = f"host={self.postgresql.folder}&port={self.postgresql.port}"
        return {
            "LABYARD_DATABASE_URL": f"postgresql://{USER}@/{name}?{place}",
            "LABYARD_DATABASE_PASSWORD_FILE": str(folder / "database"),
            "LABYARD_QUEUE_URL": f"unix://{self.redis.folder}/socket?db=0",
            "LABYARD_QUEUE_PASSWORD_FILE": str(folder / "queue"),
        }


class Console(RunningConsole):
    """A console with several workers, whose processes may be killed at any moment."""

    def start(self, *names: str) -> None:
        """Start the named processes: web, worker-1, worker-2."""
        for name in names:
            web = ["web", "--bind", self.url.removeprefix("http://")]
            command = web if name == "web" else ["worker", "--concurrency", _CONCURRENCY]
            with (self.home / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [str(SCRIPTS / "labyard"), *command],
                    env=self.environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )

    def family(self, name: str) -> list[psutil.Process]:
        """The named process and those that go with it, runs and starters apart."""
        leader = psutil.Process(self.processes[name].pid)
        session = os.getsid(leader.pid)
        return [leader, *(p for p in leader.children(recursive=True) if os.getsid(p.pid) == session)]

    def ensure(self, *names: str) -> None:
        """Start those of the named processes that have ended."""
        for name in names:
            if self.processes[name].poll() is not None:
                self.start(name)


@dataclass
class House:
    """All that a campaign of faults needs to know of its console."""

    console: Console
    database: str  # sqlite or postgresql
    marks: Path  # the folder that the role's files are in
    plan: str = role.PLAN
    servers: Servers | None = None
    secrets: set[str] = field(default_factory=set, repr=False)  # that nobody may find anywhere

    def logs(self) -> str:
        """What web and workers said last."""
        return "\n".join(f"--- {name}\n{self.console.log(name)[-3000:]}" for name in ("web", *WORKERS))

    def run_processes(self, command_id: str) -> list[psutil.Process]:
        """The processes of a command's runs, known by the run's folder."""
        mark = str(self.console.home / "runs" / command_id)
        return [p for p in psutil.process_iter() if _belongs_to(p, mark)]

    def unfinished(self) -> dict[str, str]:
        """The phases of all commands that have not ended, by the command's id."""
        found = self.console.query("SELECT id, phase FROM commands WHERE state IN (0, 1)")
        return {command: phase for command, phase in found}


@contextmanager
def open_house(folder: Path, servers: Servers | None = None, **further: str) -> Iterator[House]:
    """A console in `folder` with the plan of role.py and two workers, on SQLite or on `servers`.

    `further`: variables of the console's environment, above all of an engine of its own.
    """
    home, marks, words = folder / "home", folder / "marks", folder / "words"
    for each in (home, marks, words):
        each.mkdir(parents=True)
    settings = {
        "ANSIBLE_CONFIG": str(role.write_collection(folder, marks)),
        "LABYARD_COMMAND_LIMIT": "100",
        **(servers.settings(words) if servers else {}),
        **further,
    }
    url = f"http://127.0.0.1:{free_port()}"
    console = Console(url, home, console_environment(home, **settings))
    plans = folder / "plans.yml"
    plans.write_text(yaml.safe_dump([{"name": role.PLAN, "configuration": role.NAME}]), encoding="utf-8")
    console.set_up(plans)
    house = House(console, "postgresql" if servers else "sqlite", marks, servers=servers)
    house.secrets = {console.password, console.api_key}
    if servers:
        house.secrets |= {servers.postgresql.password, servers.redis.password}
    console.start("web", *WORKERS)
    try:
        wait_until(lambda: is_reachable(console), 60, f"{url} answers: {house.logs()}")
        yield house
    finally:
        _close(house)


def is_reachable(console: Console) -> bool:
    """Whether the console answers, with or without an engine."""
    try:
        return console.call("GET", "plans").ok
    except requests.RequestException:
        return False


@contextmanager
def open_servers() -> Iterator[Servers]:
    """PostgreSQL and Redis for one campaign, which kills them."""
    with running(PostgresServer()) as postgresql, running(RedisServer()) as redis:
        yield Servers(postgresql, redis)


def _close(house: House) -> None:
    console = house.console
    for name, process in list(console.processes.items()):
        if process.poll() is None:
            console.stop(name)
    # SIGKILL for what a failed test leaves; the judge has looked for such before.
    for left in psutil.process_iter():
        if _belongs_to(left, str(console.home)):
            _kill(left)


def _kill(process: psutil.Process) -> None:
    try:
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return


def _belongs_to(process: psutil.Process, mark: str) -> bool:
    """Whether a living process has `mark` on its command line, or works for a run in such a folder."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        words: Any = process.cmdline()
        return any(mark in word for word in words) or process.environ().get(
            "AWX_ISOLATED_DATA_DIR", ""
        ).startswith(mark)
    except psutil.Error:
        return False
