"""The operating-system process of a run: start it, find it again, end it with all it started."""

from __future__ import annotations

import logging
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from .ident import ARTIFACTS_VARIABLE, DIRECT_JOB, JOB, LOG, TAKEN_JOB
from .start_time import start_time
from .starter import Starter, StarterGone

log = logging.getLogger(__name__)

_starter: Starter | None = None  # of this process
_PATIENCE = 13.0  # seconds: the run's own grace of 10 s, and some


@dataclass(frozen=True)
class RunProcess:
    """A process that cannot be mistaken for another: its number and when it started."""

    pid: int
    started: float  # as start_time tells it

    def find(self) -> psutil.Process | None:
        """The living process, or None if it has ended."""
        try:
            process = psutil.Process(self.pid)
            if start_time(self.pid) != self.started or process.status() == psutil.STATUS_ZOMBIE:
                return None
        except psutil.NoSuchProcess:
            return None
        return process

    def wait(self, seconds: float) -> None:
        """Return when the process has ended, or after `seconds`."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            poll.poll(seconds * 1000)
        finally:
            os.close(descriptor)


def warm_up(environment: dict[str, str]) -> None:
    """Let a starter be ready for the runs of this process; plays get the settings of `environment`."""
    global _starter
    if _starter is None:
        _starter = Starter(environment)


def start_process(
    folder: Path, environment: dict[str, str]
) -> tuple[RunProcess, subprocess.Popen[bytes] | None]:
    """Start the run described in `folder`, in a session of its own, with nothing inherited.

    The second is its process as a child of ours, to be reaped; None if the starter started it.
    """
    # Where the disk is full, the worker is to know it, and not a process that has nowhere to say it.
    (folder / LOG).touch(0o600)
    if _starter is not None:
        try:
            return RunProcess(*_starter.start(folder, environment)), None
        except StarterGone as gone:
            log.warning("the starter of runs is gone, it is replaced: %s", gone)
            _starter.warm_up()
    return _start_directly(folder, environment)


def withdraw_job(folder: Path) -> None:
    """Let nothing take the job in `folder` any more; what has taken it is in `started_in`."""
    for name in (JOB, DIRECT_JOB):
        (folder / name).unlink(missing_ok=True)


def started_in(folder: Path) -> RunProcess | None:
    """The process that has taken the job in `folder`, ended or not; None if none has."""
    for path in folder.glob(TAKEN_JOB.format(pid="*", started="*")):
        _, pid, started = path.stem.split("-")
        return RunProcess(int(pid), float(started))
    return None


def _start_directly(
    folder: Path, environment: dict[str, str]
) -> tuple[RunProcess, subprocess.Popen[bytes] | None]:
    try:
        (folder / JOB).rename(folder / DIRECT_JOB)  # from here on a late starter finds no job
    except FileNotFoundError:
        started = started_in(folder)
        if started is None:
            raise
        return started, None
    with (folder / LOG).open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "labyard.runs.playbook_runner", str(folder)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            close_fds=True,
        )
    return RunProcess(child.pid, start_time(child.pid)), child


def end_process(run: RunProcess) -> None:
    """End the run and every process that descends from it; returns when none of them is left."""
    process = run.find()
    if process is None:
        return
    try:
        family = [process, *process.children(recursive=True)]
        process.terminate()
    except psutil.NoSuchProcess:  # it has ended by itself meanwhile
        return
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

    They are known by the path of the run's folder on their command line; what a play started, in a
    session of its own too, by the path of the artifacts in its environment.
    """
    mark = str(folder)
    left: list[psutil.Process] = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        words = process.info["cmdline"] or ()
        artifacts = (process.info["environ"] or {}).get(ARTIFACTS_VARIABLE, "")
        if any(mark in word for word in words) or artifacts.startswith(mark):
            left.append(process)
            with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                left.extend(process.children(recursive=True))
    for process in left:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(left, timeout=5)
    return len(left)
