"""Unit costs of the console: rows and bytes of a deployment's life, and the time of one look at the swarm."""

from __future__ import annotations

import importlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
from sqlalchemy import text

from benchmarks.api_lists_data import fill
from benchmarks.console import load_test_helpers, started_console
from labyard.app import create_app
from labyard.context import session
from labyard.deployments.sweep import sweep_swarm
from labyard.models import db
from labyard.settings import read_settings

from .units import Cost, cost

_LIVES = 3
_SWEPT = (1000, 5000)  # deployments
_LOOKS = 5
_PARAMS = {"cpu_limit": 1.0, "memory_limit": 1024}


def measure_console(engine: docker.DockerClient) -> dict[str, Cost]:
    """Deploy and remove a few notebooks; fill tables; sweep them against a swarm that is only played."""
    return measure_lives(engine) | measure_tables() | measure_sweeps()


def measure_lives(engine: docker.DockerClient) -> dict[str, Cost]:
    """Deploy and remove a few notebooks at a console."""
    rows: list[float] = []
    words: list[float] = []
    folders: list[float] = []
    cpu: list[float] = []
    idle: list[float] = []
    seconds: list[float] = []
    with started_console(engine) as console:
        for number in range(_LIVES):
            begun = time.monotonic()
            body = {"plan": "notebook", "phase": "install", "name": f"scale-{number}", "params": _PARAMS}
            command = console.finish(console.issue(**body))
            assert command["state"] == 5, command["message"]
            seconds.append(time.monotonic() - begun)
            query = "SELECT count(*), sum(length(text) + length(task)) FROM events WHERE command_id = :id"
            ((count, length),) = console.query(query, id=command["id"])
            rows.append(float(count))
            words.append(float(length or 0))
            ((folder,),) = console.query("SELECT folder FROM runs WHERE command_id = :id", id=command["id"])
            folders.append(_tree_bytes(Path(folder)) / 1024)
            used, memory = _container_use(engine, command["deployment"]["id"])
            cpu.append(used)
            idle.append(memory)
            removal = console.issue(
                plan="notebook", phase="remove", name=f"scale-{number}", params={"keep_data": False}
            )
            assert console.finish(removal)["state"] == 5
    return {
        "events_per_install": cost(rows, "rows", "events that the install of a notebook leaves"),
        "event_words_per_install": cost(words, "bytes", "text of these events"),
        "run_folder": cost(folders, "KiB", "folder of that run, kept 14 days or the last 20"),
        "install_alone": cost(seconds, "s", "install of a notebook by the console, from POST to COMPLETED"),
        "notebook_cpu": cost(cpu, "s", "CPU time of JupyterLab's container until it has answered"),
        "notebook_memory": cost(
            idle, "MiB", "memory of that container, without the cache of files, nobody at work"
        ),
    }


def _container_use(engine: docker.DockerClient, deployment: str) -> tuple[float, float]:
    """CPU seconds and MiB of the container of a deployment."""
    (found,) = engine.containers.list(filters={"label": f"labyard.deployment={deployment}"})
    stats: dict[str, Any] = engine.api.stats(str(found.id), stream=False, one_shot=True)
    cache = stats["memory_stats"]["stats"].get("total_inactive_file", 0)
    return (
        stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
        (stats["memory_stats"]["usage"] - cache) / (1 << 20),
    )


def _tree_bytes(folder: Path) -> int:
    return sum(each.stat().st_blocks * 512 for each in folder.rglob("*") if each.is_file())


def measure_tables() -> dict[str, Cost]:
    """Bytes of a row with its indexes, on both databases."""
    found: dict[str, Cost] = {}
    tables = {"deployments": 10_000, "commands": 50_000, "tasks": 200_000, "events": 200_000}
    with _database({}) as app:
        for name, count in _fill(app, tables).items():
            indexes = f"SELECT name FROM sqlite_master WHERE tbl_name = '{name}'"  # noqa: S608
            size = f"SELECT sum(pgsize) FROM dbstat WHERE name IN ({indexes})"  # noqa: S608
            found[f"sqlite_{name}"] = cost(
                [_scalar(app, size) / count], "bytes", f"a row of {name} in SQLite, indexes included"
            )
    server = importlib.import_module("tests.services.postgres_server").PostgresServer()
    try:
        server.start()
        with _database({"LABYARD_DATABASE_URL": server.url(server.create_database())}) as app:
            for name, count in _fill(app, tables).items():
                size = f"SELECT pg_total_relation_size('{name}')"
                how = f"a row of {name} in PostgreSQL, indexes included"
                found[f"postgresql_{name}"] = cost([_scalar(app, size) / count], "bytes", how)
    finally:
        server.remove()
    return found


_EVENTS = """
INSERT INTO events (command_id, run_id, counter, at, kind, task, text)
SELECT commands.id, runs.id, {counter}, commands.created_at, 'runner_on_ok', 'Start the notebook',
  '{words}'
FROM commands JOIN runs ON runs.command_id = commands.id
"""


def _fill(app: Any, tables: dict[str, int]) -> dict[str, int]:
    """Fill them, and say how many rows each has: deployments, commands, four tasks and four events each."""
    with app.app_context(), _cheap_passwords():
        fill(session(), tables["deployments"], tables["commands"])
        for counter in range(4):
            session().execute(text(_EVENTS.format(counter=counter, words="x" * 120)))
        session().commit()
    return tables


@contextmanager
def _cheap_passwords() -> Iterator[None]:
    """Making a hundred people takes half a minute else."""
    import pytest

    passwords = importlib.import_module("tests.services.cheap_passwords")
    with pytest.MonkeyPatch.context() as patch:
        passwords.make_passwords_cheap(patch)
        yield


def _scalar(app: Any, statement: str) -> float:
    with app.app_context():
        return float(session().execute(text(statement)).scalar_one())


@contextmanager
def _database(environment: dict[str, str]) -> Iterator[Any]:
    helpers = load_test_helpers()
    with tempfile.TemporaryDirectory(prefix="labyard-scale-") as folder:
        home = Path(folder)
        console = helpers.RunningConsole("", home, {**helpers.console_environment(home), **environment})
        console.labyard("db", "upgrade")
        app = create_app(read_settings(console.environment))
        try:
            yield app
        finally:
            with app.app_context():
                db.session.remove()
                db.engine.dispose()


class PlayedSwarm:
    """What an engine with one service for each deployment answers, as quickly as can be."""

    def __init__(self, ids: Sequence[str], console: str) -> None:
        self._services = [_played_service(each, console) for each in ids]

    def services(self, **_: Any) -> list[dict[str, Any]]:
        """GET /services."""
        return self._services

    def tasks(self, **_: Any) -> list[dict[str, Any]]:
        """GET /tasks: only asked where some are missing."""
        return []

    networks = configs = secrets = nodes = tasks

    def volumes(self, **_: Any) -> dict[str, Any]:
        """GET /volumes."""
        return {"Volumes": []}


def _played_service(deployment: str, console: str) -> dict[str, Any]:
    labels = {"labyard.deployment": deployment, "labyard.console": console, "com.docker.stack.namespace": "n"}
    template = {"ContainerSpec": {"Image": "labyard/notebook-minimal:1"}}
    return {
        "ID": f"service{deployment}",
        "Spec": {"Name": f"n-{deployment}_notebook", "Labels": labels, "TaskTemplate": template},
        "ServiceStatus": {"RunningTasks": 1, "DesiredTasks": 1},
    }


def measure_sweeps() -> dict[str, Cost]:
    """CPU time of the console for one deployment in a look at the swarm, the engine's own time left out."""
    from labyard.models import Deployment, installation_id
    from labyard.models.base import begin_writing

    found = {}
    for many in _SWEPT:
        took = []
        with _database({}) as app, app.app_context(), _cheap_passwords():
            fill(session(), many, many)
            ids = list(session().scalars(db.select(Deployment.id).where(Deployment.state != 8)))
            swarm: Any = PlayedSwarm(ids, installation_id(session()))
            session().rollback()
            for number in range(_LOOKS + 1):
                begun = sum(os.times()[:2])
                sweep_swarm(session(), begin_writing, swarm)
                if number:  # the first one writes what the rows lack
                    took.append((sum(os.times()[:2]) - begun) / len(ids) * 1e6)
        how = (
            f"CPU time of one look at the swarm, for each of {many} deployments, without the engine's answers"
        )
        found[f"sweep_at_{many}"] = cost(took, "µs", how)
    return found
