"""Usage records taken in, rated and invoiced, on SQLite and PostgreSQL, with 1,000 records of each account.

ingest:   a file of JSON lines into an empty database: read, checked, who pays, each once.
invoices: the month's run: every account in a transaction of its own, its records marked, read, rated, its
          invoice numbered and chained.
floor:    one SQL statement, SUM(quantity * price) GROUP BY account, deployment, resource, over the same rows.
proof:    `labyard billing verify`.

Whether it is linear is judged by the processor's time of a record, because the clock tells as much of what
else the machine does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console as Terminal
from rich.table import Table

from .api_lists import Database, postgresql, processor_seconds, sqlite
from .billing_steps import Step, bill, floor, in_a_process, ingest, prove, write_records

SIZES = (10_000, 100_000, 1_000_000)
WANTED_RATE = 20_000  # records a second taken in
WANTED_SECONDS = 60.0  # to rate and invoice the largest size
WANTED_MEMORY = 300.0  # MiB while that is done


@dataclass(frozen=True)
class Measured:
    """All steps at one size."""

    records: int
    ingest: Step
    floor: Step
    bill: Step
    prove: Step


def measure_billing(sizes: Sequence[int] = SIZES) -> bool:
    """Measure on both databases, with a table for each; whether all is as wanted."""
    good = True
    for name, opened in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        found = []
        for size in sizes:
            with tempfile.TemporaryDirectory(prefix="labyard-bench-billing-") as folder, opened() as database:
                found.append(_measure(Path(folder), database, size))
        good = _print_table(name, found) and good
    return good


def _measure(folder: Path, database: Database, size: int) -> Measured:
    environment = {"LABYARD_HOME": str(folder / "home"), **database.environment}
    path = folder / "usage.jsonl"
    write_records(path, size)
    pids = [] if database.pid is None else [database.pid]

    def measure(step: Callable[..., Step], *arguments: Any) -> Step:
        before = processor_seconds(pids)
        found = in_a_process(step, environment, *arguments)
        return replace(found, cpu=found.cpu + processor_seconds(pids) - before)

    return Measured(size, measure(ingest, path), measure(floor), measure(bill), measure(prove))


def _print_table(name: str, found: Sequence[Measured]) -> bool:
    """Print the figures; whether they are as wanted. Of each step: seconds, and those of the processor."""
    table = Table("", title=f"Billing on {name}", title_justify="left", box=None)
    for size in found:
        table.add_column(f"{size.records:,} records", justify="right")
    rows = [
        ("ingest, s (processor)", [_times(m.ingest) for m in found]),
        ("  records a second", [f"{m.records / m.ingest.seconds:,.0f}" for m in found]),
        ("  peak memory, MiB", [f"{m.ingest.memory:.0f}" for m in found]),
        ("invoices, s (processor)", [_times(m.bill) for m in found]),
        ("  made", [f"{m.bill.count:,}" for m in found]),
        ("  records a second", [f"{m.records / m.bill.seconds:,.0f}" for m in found]),
        ("  processor, microseconds a record", [f"{m.bill.cpu / m.records * 1e6:.1f}" for m in found]),
        ("  peak memory, MiB", [f"{m.bill.memory:.0f}" for m in found]),
        ("floor: one SQL sum, s", [f"{m.floor.seconds:.2f}" for m in found]),
        ("  invoices, times the floor", [f"{m.bill.seconds / m.floor.seconds:.1f}" for m in found]),
        ("proof, s (processor)", [_times(m.prove) for m in found]),
        ("  peak memory, MiB", [f"{m.prove.memory:.0f}" for m in found]),
    ]
    for title, cells in rows:
        table.add_row(title, *cells)
    Terminal(width=140).print(table)
    last = found[-1]
    return (
        last.records / last.ingest.seconds >= WANTED_RATE
        and last.bill.seconds <= WANTED_SECONDS
        and last.bill.memory <= WANTED_MEMORY
    )


def _times(step: Step) -> str:
    return f"{step.seconds:.1f} ({step.cpu:.1f})"
