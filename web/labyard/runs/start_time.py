"""When a process started, told without the clock of the day, which people and programs set."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

_FIELD = 22  # of /proc/PID/stat, counted from 1; see proc_pid_stat(5)


def start_time(pid: int) -> float:
    """Seconds from the machine's start to that of the process, in hundredths; the same while it lives.

    psutil tells it as a time of the day, so a clock that is set makes it another one.
    Raises psutil.NoSuchProcess.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError) as error:
        raise psutil.NoSuchProcess(pid) from error
    after_name = stat.rpartition(")")[2].split()  # the name may hold blanks and brackets; it is the 2nd field
    return int(after_name[_FIELD - 3]) / os.sysconf("SC_CLK_TCK")
