"""Small programs in place of plays: a run's folder gets what a play would leave, in no time."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from labyard.runs.process import RunProcess
from labyard.runs.start_time import start_time

RESULT = {
    "services": [{"name": "n", "image": "i", "replicas": 1, "running": 1}],
    "endpoints": [],
    "volumes": [],
    "health": "running",
    "message": "It runs.",
}
_PLAY = """
import json, os, pathlib, sys, time
folder, how, steps = pathlib.Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
artifacts = folder / "artifacts" / "run"
artifacts.mkdir(parents=True)
events = [{"counter": i, "event": "playbook_on_task_start", "created": "2026-01-01T00:00:00+00:00",
           "event_data": {"task": step}} for i, step in enumerate(steps, 1)]
events.append({"counter": len(steps) + 1, "event": "playbook_on_stats",
               "created": "2026-01-01T00:00:01+00:00",
               "event_data": {"artifact_data": {"labyard_result": json.loads(sys.argv[4])}}})
if how == "die":
    events.pop()
(artifacts / "events.jsonl").write_text("".join(json.dumps(e) + chr(10) for e in events))
if how == "sleep":
    time.sleep(600)
if how != "die":
    (artifacts / "rc").write_text("0" if how == "succeed" else "2")
    (artifacts / "status").write_text("successful" if how == "succeed" else "failed")
"""


@dataclass
class Plays:
    """Stands in for `start_process`: the n-th run goes as the n-th word of `how` says.

    "succeed", "fail", "die" (cut off) or "sleep"; the last word counts for all further runs.
    """

    how: list[str] = field(default_factory=lambda: ["succeed"])
    steps: list[str] = field(default_factory=list)  # that each run enters
    folders: list[Path] = field(default_factory=list)
    requests: list[dict[str, object]] = field(default_factory=list)
    jobs: list[dict[str, object]] = field(default_factory=list)
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(
        self, folder: Path, _environment: dict[str, str]
    ) -> tuple[RunProcess, subprocess.Popen[bytes] | None]:
        """Start the program for the run in `folder`."""
        how = self.how[min(len(self.folders), len(self.how) - 1)]
        self.folders.append(folder)
        self.requests.append(json.loads((folder / "request.json").read_text(encoding="utf-8")))
        self.jobs.append(json.loads((folder / "job.json").read_text(encoding="utf-8")))
        words = [str(folder), how, json.dumps(self.steps), json.dumps(RESULT)]
        child = subprocess.Popen([sys.executable, "-c", _PLAY, *words], start_new_session=True)
        self.children.append(child)
        return RunProcess(child.pid, start_time(child.pid)), child

    def running(self) -> list[psutil.Process]:
        """What goes on of all of them."""
        marks = [str(folder) for folder in self.folders]
        return [
            p
            for p in psutil.process_iter(["cmdline"])
            if any(mark in word for mark in marks for word in p.info["cmdline"] or ())
            and p.status() != psutil.STATUS_ZOMBIE
        ]

    def end(self) -> None:
        """End what goes on."""
        for child in self.children:
            child.kill()
            child.wait()
