"""The command line by which people and the console find a forked process.

A process that was forked and never executed a program has the command line of the one it was forked
off. The words stand in memory that Linux gave it for that, so other words can be written there, as long
as there is room: the first process is started with an argument that is `ROOM`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

ROOM = "." * 2000  # bytes; longer command lines are cut off

# Of /proc/self/stat, counted from the one after the program's name; see proc(5): arg_start, arg_end.
_START, _END = 45, 46


def show_as(words: Sequence[str]) -> None:
    """Show `words` as the command line of this process."""
    fields = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(") ")[2].split()
    start, length = int(fields[_START]), int(fields[_END]) - int(fields[_START])
    if start and length > len(ROOM):
        text = "\0".join(words).encode(errors="surrogateescape")[: length - 1]
        ctypes.memmove(start, text.ljust(length, b"\0"), length)
