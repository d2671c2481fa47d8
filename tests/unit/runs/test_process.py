"""The process of a run: found again, ended with all it started. Real processes, no Ansible."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from labyard.runs.process import RunProcess, end_leftovers, end_process
from labyard.runs.start_time import start_time
from labyard.runs.supervise import supervise_run

# A process that starts a child in a session of its own, as Ansible's workers do, and ignores SIGTERM
# if it is told to.
PROGRAM = """
import signal, subprocess, sys, time
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""

# The run, the child it started, and the run as our own child.
Family = tuple[RunProcess, psutil.Process, subprocess.Popen[str]]


class QuietWatcher:
    """A watcher that has nothing to write down."""

    def __init__(self, cancel: bool = False):
        self.cancel = cancel

    def take_events(self, folder: Path) -> None:
        """No events."""

    def beat(self) -> bool:
        return self.cancel


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    parent = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    yield RunProcess(parent.pid, start_time(parent.pid)), child, parent
    for process in (child, parent):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    parent.wait()
    parent.stdout.close()


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_process_with_another_start_time_is_not_ours(family: Family) -> None:
    run, _, _ = family
    assert run.find() is not None
    assert RunProcess(run.pid, run.started - 100).find() is None


def test_ended_run_leaves_no_descendant(family: Family) -> None:
    run, child, _ = family
    end_process(run)
    assert run.find() is None
    assert gone(child)


def test_cancelled_run_is_ended_and_says_so(family: Family, tmp_path: Path) -> None:
    run, child, parent = family
    verdict = supervise_run(run, tmp_path, 60, QuietWatcher(cancel=True), parent.poll)
    assert verdict.reason == "cancelled"
    assert gone(child)


def test_run_that_takes_too_long_is_ended_and_says_so(family: Family, tmp_path: Path) -> None:
    run, child, parent = family
    verdict = supervise_run(run, tmp_path, 0, QuietWatcher(), parent.poll)
    assert verdict.reason == "timeout"
    assert gone(child)


def test_leftovers_are_found_by_the_folder_on_their_command_line(family: Family, tmp_path: Path) -> None:
    run, child, _ = family
    assert end_leftovers(tmp_path) >= 2
    assert run.find() is None
    assert gone(child)
