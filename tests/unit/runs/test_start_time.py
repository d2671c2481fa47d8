"""When a process started, whatever the clock says."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

from labyard.runs.start_time import start_time

# Its name looks like the end of a name and more fields.
PROGRAM = """
import ctypes, sys
ctypes.CDLL(None).prctl(15, b"a) R 1 2 (b")  # PR_SET_NAME
print(flush=True)
sys.stdin.read()
"""


def test_start_time_is_that_of_the_clock_that_nobody_sets() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = start_time(child.pid)
        assert before - 0.02 <= found <= time.clock_gettime(time.CLOCK_BOOTTIME)
        assert start_time(child.pid) == found


def test_start_time_of_a_process_that_is_not_there() -> None:
    with pytest.raises(psutil.NoSuchProcess):
        start_time(2**22 + 1)
