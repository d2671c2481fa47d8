"""The process of one run: single-threaded, around ansible-runner, and sure to leave nothing behind.

Started as `python -m labyard.runs.playbook_runner FOLDER`. It knows no database: its supervisor
reads the files it writes. It takes in orphans of its children, so that Ansible's workers, which
put themselves into sessions of their own, cannot outlive it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import ansible_runner
import psutil

from .ident import IDENT
from .redact import redact_event

_GRACE = 10  # seconds between asking and killing
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of <linux/prctl.h>


def main() -> int:
    """Run the job described in FOLDER/job.json; the exit code is that of the play."""
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    _become_subreaper()
    signal.signal(signal.SIGTERM, _stop_children)
    signal.signal(signal.SIGALRM, _kill_children)
    try:
        code = _play(folder, job)
    finally:
        signal.alarm(0)
        _kill_descendants()
    return code


def _play(folder: Path, job: dict[str, Any]) -> int:
    secrets = tuple(json.loads((folder / "request.json").read_text(encoding="utf-8"))["secrets"].values())

    def take_event(event: dict[str, Any]) -> bool:
        redact_event(event, secrets)  # in place: files and stdout are written from it
        return True

    runner = ansible_runner.run(
        private_data_dir=str(folder),
        ident=IDENT,
        playbook=job["playbook"],
        inventory=job["inventory"],
        extravars={"labyard_request": str(folder / "request.json")},
        event_handler=take_event,
        settings={"pexpect_timeout": 1, "suppress_ansible_output": True},
        quiet=True,
        host_cwd=job["cwd"],
    )
    return int(runner.rc or 0)


def _become_subreaper() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)


def _stop_children(_signal: int, _frame: Any) -> None:
    """Ask Ansible to end; it ends its workers itself. What is left after the grace is killed."""
    for child in psutil.Process().children():
        child.terminate()
    signal.alarm(_GRACE)


def _kill_children(_signal: int, _frame: Any) -> None:
    _kill_descendants()


def _kill_descendants() -> None:
    """Kill all that descends from this process, until none is left."""
    while left := psutil.Process().children(recursive=True):
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(left, timeout=2)


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
