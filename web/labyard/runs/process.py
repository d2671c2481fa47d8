"""The operating-system process of a run: start it, find it again, end it with all it started."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

_PATIENCE = 13.0  # seconds: the run's own grace of 10 s, and some


@dataclass(frozen=True)
class RunProcess:
    """A process that cannot be mistaken for another: its number and when it started."""

    pid: int
    started: float  # seconds since 1970

    def find(self) -> psutil.Process | None:
        """The living process, or None if it has ended."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started) > 1 or process.status() == psutil.STATUS_ZOMBIE:
                return None
        except psutil.NoSuchProcess:
            return None
        return process


def start_process(folder: Path, environment: dict[str, str]) -> tuple[RunProcess, subprocess.Popen[bytes]]:
    """Start the run described in `folder`, in a session of its own, with nothing inherited."""
    with (folder / "process.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "labyard.runs.playbook_runner", str(folder)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            close_fds=True,
        )
    return RunProcess(child.pid, psutil.Process(child.pid).create_time()), child


def end_process(run: RunProcess) -> None:
    """End the run and every process that descends from it; returns when none of them is left."""
    process = run.find()
    if process is None:
        return
    family = [process, *process.children(recursive=True)]
    process.terminate()
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and run.find() is not None:
        try:
            family.extend(p for p in process.children(recursive=True) if p not in family)
        except psutil.NoSuchProcess:
            break
        psutil.wait_procs([process], timeout=0.2)
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=5)


def end_leftovers(folder: Path) -> int:
    """Kill what a run left behind when its own process was killed; how many processes that were.

    They are known by the path of the run's folder on their command line.
    """
    mark = str(folder)
    left: list[psutil.Process] = []
    for process in psutil.process_iter(["cmdline"]):
        if any(mark in word for word in process.info["cmdline"] or ()):
            left.extend((process, *process.children(recursive=True)))
    for process in left:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(left, timeout=5)
    return len(left)
