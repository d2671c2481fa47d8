"""The process of one run: single-threaded, around ansible-runner, and sure to leave nothing behind.

Started as `python -m labyard.runs.playbook_runner FOLDER`, or forked by the starter (starter_process.py),
which has imported all of this already. It knows no database: its supervisor reads the files it writes.
It takes in orphans of its children, so that Ansible's workers, which put themselves into sessions of
their own, cannot outlive it.
"""

from __future__ import annotations

import ctypes
import json
import os
import shlex
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import ansible_runner
import psutil

from .ident import CALLBACKS, DIRECT_JOB, IDENT, JOB, TAKEN_JOB
from .lifeline import lifeline_broke
from .redact import redact_text
from .start_time import start_time

_GRACE = 10  # seconds between asking and killing
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of <linux/prctl.h>


def carry_out(folder: Path, job_file: str = JOB) -> int:
    """Run the job described in FOLDER/`job_file`; the exit code is that of the play.

    A job that another process has taken is left alone.
    """
    try:
        name = TAKEN_JOB.format(pid=os.getpid(), started=start_time(os.getpid()))
        taken = (folder / job_file).rename(folder / name)
    except FileNotFoundError:
        return 0
    job = json.loads(taken.read_text(encoding="utf-8"))
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
    os.environ["AWX_LIB_DIRECTORY"] = str(CALLBACKS)  # whose callback ansible-runner uses
    stray = folder / "artifacts" / IDENT / "stdout"

    def look_at_lifeline() -> bool:
        """Called every second. True would let ansible-runner end the play, which leaves workers behind."""
        if lifeline_broke(folder):
            os.kill(os.getpid(), signal.SIGTERM)
        return False

    def take_line(event: dict[str, Any]) -> bool:
        """Keep what Ansible prints before or beside its callback: why it did not start, above all.

        An exception in here would end the run without a result; a line is not worth that.
        """
        with suppress(OSError), open(stray, "a", encoding="utf-8", opener=_open_private) as file:
            file.write(redact_text(event.get("stdout") or "", secrets) + "\n")
        return False

    runner = ansible_runner.run(
        private_data_dir=str(folder),
        ident=IDENT,
        playbook=job["playbook"],
        inventory=job["inventory"],
        cmdline=shlex.join(job.get("options", [])) or None,
        extravars={"labyard_request": str(folder / "request.json")},
        event_handler=take_line,
        cancel_callback=look_at_lifeline,  # without one, ansible-runner takes our SIGTERM for itself
        settings={"pexpect_timeout": 1, "suppress_ansible_output": True, "suppress_output_file": True},
        fact_cache_type="memory",
        quiet=True,
        host_cwd=job["cwd"],
    )
    return int(runner.rc or 0)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _become_subreaper() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)


def _stop_children(_signal: int, _frame: Any) -> None:
    """Ask Ansible to end; it ends its workers itself. What is left after the grace is killed.

    To be asked again does not prolong the grace.
    """
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            child.terminate()
    signal.alarm(signal.alarm(_GRACE) or _GRACE)


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
    sys.exit(carry_out(Path(sys.argv[1]), DIRECT_JOB))
