"""Lists of the REST interface as they grow: milliseconds for a page, over HTTP, one reader.

The clock says what a reader waits. Whether a list is flat is judged by the processor's time that web and
database spend, because the clock tells as much of what else the machine does.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests
from rich.console import Console as Terminal
from rich.table import Table

from labyard.app import create_app
from labyard.context import session
from labyard.models import db
from labyard.models.base import begin_writing
from labyard.settings import read_settings

from .api_lists_data import fill
from .console import load_test_helpers

Size = tuple[int, int]  # deployments, commands

SIZES: tuple[Size, ...] = ((10_000, 100_000), (100_000, 1_000_000))
WANTED = 100.0  # ms: the 95th percentile of every list at the first size
FLAT = 1.5  # by how much the processor's time may grow while the rows grow tenfold
_NOISE = 3.0  # ms of it that the measure cannot tell from nothing
_HALF = "2026-01-15T00:00:00Z"  # about half of the rows are older

# What is asked for, by an admin and by a person who owns a hundredth of everything.
QUESTIONS = (
    ("admin", "deployments"),
    ("admin", f"deployments?created_before={_HALF}"),
    ("admin", "deployments?sort=name"),
    ("admin", "deployments?search=d77"),
    ("admin", "deployments?plan=rare"),
    ("admin", "deployments?project=lab7"),
    ("admin", "deployments?owner=person7"),
    ("admin", "deployments?health=degraded"),
    ("admin", "deployments?state=9"),
    ("admin", "deployments?state=8"),
    ("admin", "deployments?limit=200"),
    ("admin", "commands"),
    ("admin", f"commands?created_before={_HALF}"),
    ("admin", "commands?state=9"),
    ("admin", "commands?state=0"),
    ("admin", "commands?phase=scale"),
    ("admin", "commands?phase=remove"),
    ("admin", "commands?plan=rare"),
    ("admin", "commands?project=lab7"),
    ("admin", "commands?owner=person7"),
    ("admin", "commands?deployment=00000042"),
    ("admin", "commands?limit=200"),
    ("admin", "commands?limit=200&fields=id,state"),
    ("person", "deployments"),
    ("person", "deployments?sort=-updated_at"),
    ("person", "commands"),
    ("admin", "users"),
    ("admin", "audit"),
)


@dataclass(frozen=True)
class Measured:
    """One question at one size, in milliseconds."""

    middle: float
    high: float  # 95th percentile
    work: float  # of the processor, in web and database together


def measure_lists(rounds: int = 40, sizes: Sequence[Size] = SIZES) -> bool:
    """Measure on SQLite and on PostgreSQL, with a table for each; whether all are fast and flat."""
    good = True
    for name, opened in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        found = []
        for size in sizes:
            with opened() as database:
                found.append(_measure(database, size, rounds))
        good = _print_table(name, sizes, found) and good
    return good


@dataclass(frozen=True)
class Database:
    """Where the rows are, and the process that serves them, if it is not the console's own."""

    environment: Mapping[str, str]
    pid: int | None = None


@contextmanager
def sqlite() -> Iterator[Database]:
    """A console's own file."""
    yield Database({})


@contextmanager
def postgresql() -> Iterator[Database]:
    """A server with an empty database."""
    from tests.services.postgres_server import PostgresServer

    server = PostgresServer()
    try:
        server.start()
        assert server.process is not None
        yield Database({"LABYARD_DATABASE_URL": server.url(server.create_database())}, server.process.pid)
    finally:
        server.remove()


def _measure(database: Database, size: Size, rounds: int) -> dict[tuple[str, str], Measured]:
    helpers = load_test_helpers()
    with tempfile.TemporaryDirectory(prefix="labyard-bench-lists-") as folder:
        home = Path(folder)
        url = f"http://127.0.0.1:{helpers.free_port()}"
        console = helpers.RunningConsole(
            url, home, {**helpers.console_environment(home), **database.environment}
        )
        console.labyard("db", "upgrade")
        keys = _fill(console.environment, size)
        console.start("web")
        try:
            helpers.wait_until(lambda: _answers(url), 60, url)
            pids = [console.processes["web"].pid, *([database.pid] if database.pid else [])]
            return {ask: _ask(url, keys[ask[0]], ask[1], rounds, pids) for ask in QUESTIONS}
        finally:
            console.stop("web")


def _fill(environment: Mapping[str, str], size: Size) -> dict[str, str]:
    app = create_app(read_settings(environment))
    with app.app_context():
        begin_writing()
        keys = fill(session(), *size)
        db.session.remove()
        db.engine.dispose()
    return keys


def _ask(url: str, key: str, question: str, rounds: int, pids: Sequence[int]) -> Measured:
    """Ask for the first page and, where there is one, the next: both count."""
    spent: list[float] = []
    with requests.Session() as reader:
        reader.headers["Authorization"] = f"Bearer {key}"
        address = f"{url}/api/v1/{question}"
        reader.get(address, timeout=60).raise_for_status()
        before = processor_seconds(pids)
        for turn in range(rounds):
            start = time.perf_counter()
            answer = reader.get(address, timeout=60)
            spent.append((time.perf_counter() - start) * 1000)
            answer.raise_for_status()
            if turn == 0 and "next" in answer.links:
                address = url + answer.links["next"]["url"]
    work = (processor_seconds(pids) - before) / rounds * 1000
    return Measured(statistics.median(spent), statistics.quantiles(spent, n=20)[18], work)


def processor_seconds(pids: Sequence[int]) -> float:
    """What these processes and all below them have spent so far."""
    spent = 0.0
    for pid in pids:
        root = psutil.Process(pid)
        ended = root.cpu_times()
        spent += ended.children_user + ended.children_system
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                spent += times.user + times.system
    return spent


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=5).ok
    except requests.RequestException:
        return False


def _print_table(
    name: str, sizes: Sequence[Size], found: Sequence[Mapping[tuple[str, str], Measured]]
) -> bool:
    """Print the figures; whether each is below WANTED at the first size and flat from there."""
    title = f"List pages over HTTP on {name}, milliseconds: median, 95th percentile, processor"
    table = Table("as", "list", title=title, title_justify="left", box=None)
    for deployments, commands in sizes:
        table.add_column(f"{deployments:,} / {commands:,}", justify="right")
    table.add_column("growth, times", justify="right")
    good = True
    for role, question in QUESTIONS:
        row = [figures[role, question] for figures in found]
        growth = (row[-1].work + _NOISE) / (row[0].work + _NOISE)
        fine = row[0].high <= WANTED and growth <= FLAT
        good = good and fine
        cells = [f"{m.middle:.1f}  {m.high:.1f}  {m.work:.1f}" for m in row]
        table.add_row(role, question, *cells, f"{growth:.2f}{'' if fine else ' !'}")
    Terminal(width=140).print(table)
    return good
