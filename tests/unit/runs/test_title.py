"""A forked process shows a command line of its own."""

from __future__ import annotations

import subprocess
import sys

import psutil

from labyard.runs.title import ROOM

PROGRAM = """
import os, sys
from labyard.runs.title import show_as
before = os.environ["HOME"]
show_as(["a program", "with words"] if len(sys.argv) < 3 else ["x" * 5000])
assert os.environ["HOME"] == before
print(flush=True)
sys.stdin.readline()
"""


def shown(*arguments: str) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment of a process that was started with `arguments`."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        about = psutil.Process(process.pid)
        return [word for word in about.cmdline() if word], about.environ()


def test_words_stand_in_place_of_the_command_line_and_nowhere_else() -> None:
    words, environment = shown(ROOM)
    assert words == ["a program", "with words"]
    assert "HOME" in environment


def test_words_that_are_too_long_are_cut_off() -> None:
    words, environment = shown(ROOM, "more")
    assert set("".join(words)) == {"x"}
    assert len(ROOM) < len("".join(words)) < 5000
    assert "HOME" in environment


def test_process_without_room_keeps_its_command_line() -> None:
    assert shown()[0][0] == sys.executable
