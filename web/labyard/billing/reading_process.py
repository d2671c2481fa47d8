"""A process that reads usage records, so that the one that writes them need not wait for it.

Reading takes about as long as writing, and threads of one process would take turns.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from .payers import Payers
from .reading import Candidate, Reading, Refusal, Texts, read_lines

_SECONDS_TO_END = 10


class ReaderEnded(Exception):
    """The process that reads ended before its time."""


class Reader:
    """The other process, as seen from here."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, what: Payers | list[str]) -> None:
        """Say who pays, and then have lines read, while this process goes on."""
        try:
            self._connection.send(what)
        except OSError as error:
            raise ReaderEnded from error

    def receive(self) -> Reading:
        """What is in the lines that were sent; waits until they are read."""
        try:
            candidates, known, refused = self._connection.recv()
        except (EOFError, OSError) as error:
            raise ReaderEnded from error
        return Reading(
            [Candidate(place, decided, Texts._make(texts)) for place, decided, texts in candidates],
            known,
            refused,
        )


@contextmanager
def open_reader(payers: Payers) -> Iterator[Reader]:
    """A process that reads until the end of the context, or of this process, however that comes."""
    ours, theirs = socket.socketpair()
    with theirs:
        program = [sys.executable, "-m", __name__, str(theirs.fileno())]
        process = subprocess.Popen(program, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
    try:
        with Connection(ours.detach()) as connection:
            reader = Reader(connection)
            reader.send(payers)
            yield reader
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for the process, to which nobody speaks any more."""
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _read_for(connection: Connection) -> None:
    """Read what the other end sends, until it is gone."""
    try:
        payers = connection.recv()
        while True:
            reading = read_lines(connection.recv(), payers)
            connection.send(_pack(reading))
    except (EOFError, OSError):
        return


def _pack(reading: Reading) -> tuple[list[tuple[int, bool, tuple[str, ...]]], int, list[Refusal]]:
    """Of bare tuples, which are sent three times as fast as named ones."""
    bare = [(place, decided, tuple(texts)) for place, decided, texts in reading.candidates]
    return bare, reading.known, reading.refused


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who interrupts means the process that writes
    with Connection(int(sys.argv[1])) as opened:
        _read_for(opened)
