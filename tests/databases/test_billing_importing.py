"""Long files of usage records: read by a process of its own, a part at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from apiflask import APIFlask
from sqlalchemy import func, select

from labyard.billing.importing import ImportCutOff, import_lines
from labyard.billing.ingest import Intake
from labyard.context import session
from labyard.models import UsageRow
from labyard.models.base import begin_writing
from tests.billing_data import hours, usage
from tests.conftest import wait_until

READER = "labyard.billing.reading_process"
LINES = [json.dumps(record) + "\n" for record in hours(95)]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labyard.billing.importing._PART", 10)


def readers(pid: int | None = None) -> list[psutil.Process]:
    """The processes that read for this process, or for another one."""
    parent = pid or os.getpid()
    running = psutil.process_iter(["ppid", "cmdline"])
    return [one for one in running if one.info["ppid"] == parent and READER in (one.info["cmdline"] or [])]


def has_ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def take_lines(lines: Iterator[str] | list[str]) -> Intake:
    return import_lines(session(), begin_writing, lines)


def count() -> int:
    return session().scalar(select(func.count()).select_from(UsageRow)) or 0


def test_file_of_many_parts_is_taken_in_once_and_bad_lines_are_named(console: APIFlask) -> None:
    bad = {13: "{no json\n", 27: json.dumps(usage("bad", unit="core_hour")) + "\n", 41: "\n", 42: LINES[3]}
    lines = list(LINES)
    for place, line in sorted(bad.items()):
        lines.insert(place - 1, line)
    lines.append(json.dumps(hours(1, quantity="5")[0]) + "\n")
    with console.app_context():
        found = take_lines(lines)
        assert (found.taken, found.known, count()) == (95, 1, 95)
        assert [(one.index, one.conflict) for one in found.refused] == [(13, False), (27, False), (100, True)]
        again = take_lines(LINES)
        assert (again.taken, again.known, again.refused) == (0, 95, [])
        assert not readers()


@pytest.mark.parametrize("number", [0, 9, 10, 11, 20])
def test_file_of_any_length_is_taken_in_whole(console: APIFlask, number: int) -> None:
    with console.app_context():
        assert take_lines(LINES[:number]).taken == count() == number


def test_import_when_its_reader_is_killed_then_says_so_and_goes_on_later(console: APIFlask) -> None:
    def lines() -> Iterator[str]:
        for place, line in enumerate(LINES):
            if place == 65:
                (reader,) = readers()
                reader.kill()
            yield line

    with console.app_context():
        with pytest.raises(ImportCutOff, match="Import the file again"):
            take_lines(lines())
        session().rollback()
        there = count()
        assert there < 95
        found = take_lines(LINES)
        assert (found.taken, found.known, count()) == (95 - there, there, 95)


def test_reader_when_the_process_that_writes_is_killed_then_ends(tmp_path: Path) -> None:
    program = (
        "import time\n"
        "from labyard.billing.payers import Payers\n"
        "from labyard.billing.reading_process import open_reader\n"
        "with open_reader(Payers({})):\n"
        "    time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path)
    try:
        (reader,) = wait_until(lambda: readers(process.pid), 60, "the reader has started")
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: has_ended(reader), 60, "the reader has ended")
