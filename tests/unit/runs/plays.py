"""Folders of runs with small plays on this machine, and what they leave. Real Ansible."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from labyard.artifacts.outcome import RunOutcome, read_outcome
from labyard.runs.ident import IDENT
from labyard.runs.process import RunProcess
from labyard.settings import write_private
from tests.conftest import wait_until

SECRET = "s3cret-that-nobody-may-find"
RESULT = {"services": [], "endpoints": [], "health": "running", "message": "Done."}

HAND_OVER = {
    "name": "Hand over the result",
    "ansible.builtin.set_stats": {"data": {"labyard_result": RESULT}, "aggregate": False},
}


@dataclass(frozen=True)
class PreparedRun:
    """The folder of a run as the worker prepares it."""

    folder: Path

    @property
    def artifacts(self) -> Path:
        """What the run writes."""
        return self.folder / "artifacts" / IDENT

    def outcome(self) -> RunOutcome:
        """What is believed of it."""
        return read_outcome(self.artifacts)

    def text(self) -> str:
        """All that its files say, for looking into after a failure and for secrets."""
        kept = (p for p in self.folder.rglob("*") if p.is_file() and p.name != "request.json")
        return "\n".join(p.read_text(encoding="utf-8", errors="replace") for p in kept)


def prepare_run(place: Path, name: str, tasks: list[dict[str, Any]] | None) -> PreparedRun:
    """A run of `tasks` that ends with a result; None for a playbook that is not there."""
    folder = place / name
    folder.mkdir(mode=0o700)
    playbook = folder / "play.yml"
    if tasks is not None:
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False}
        playbook.write_text(yaml.safe_dump([{**play, "tasks": [*tasks, HAND_OVER]}]), encoding="utf-8")
    write_private(folder / "request.json", json.dumps({"secrets": {"token": SECRET}}))
    job = {"playbook": str(playbook), "inventory": "localhost,", "cwd": str(folder)}
    write_private(folder / "job.json", json.dumps(job))
    return PreparedRun(folder)


def play_environment(place: Path, **more: str) -> dict[str, str]:
    """An environment of plays whose home and settings lie in `place`."""
    config = place / "ansible.cfg"
    if not config.exists():
        config.write_text("[defaults]\ninterpreter_python = auto_silent\n", encoding="utf-8")
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    known = {"PATH": path, "HOME": str(place), "LANG": "C.UTF-8", "ANSIBLE_CONFIG": str(config)}
    return {**known, "PYTHONDONTWRITEBYTECODE": "1", **more}


def wait_for_end(run: RunProcess, seconds: float = 60) -> None:
    """Return when the run's process has ended."""
    wait_until(lambda: run.find() is None, seconds, f"the run {run.pid} ended")


def processes_of(folder: Path) -> list[psutil.Process]:
    """The living processes with the run's folder on their command line."""
    found = psutil.process_iter(["cmdline"])
    return [p for p in found if any(str(folder) in word for word in p.info["cmdline"] or ())]


def command_lines_below(process: psutil.Process) -> list[list[str]]:
    """The command lines of all descendants; those that are ending right now are left out."""
    found = []
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(child.cmdline())
    return found
