"""Usage records from a file of JSON lines, however long: a part at a time, each kept before the next."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import chain, islice

from sqlalchemy.orm import Session

from labyard.clock import Clock, utc_now
from labyard.errors import DomainError
from labyard.models.opening import expect_many_rows

from .accounts import read_payers
from .ingest import Intake, take_reading
from .payers import Payers
from .reading import Reading, read_lines
from .reading_process import ReaderEnded, open_reader

_PART = 10_000  # records that are read at once
# Parts of one transaction. Each index has a page for every account or key of them, which is written once for
# all: with a commit after every 2,000 records SQLite takes more than twice as long for a million.
_TOGETHER = 6

Part = tuple[list[int], list[str]]  # numbers of lines, and the lines


class ImportCutOff(DomainError):
    """An import could not go on."""

    status = 503
    kind = "import-cut-off"
    title = "Cut off"


def import_lines(
    session: Session,
    begin_writing: Callable[[], None],
    lines: Iterable[str],
    clock: Clock = utc_now,
) -> Intake:
    """Take in all `lines`; `index` of what is refused is the line's number, from 1.

    Cut off anywhere and begun again, it finds what is there already, and goes on. Who pays for a project is
    as it was when the import began. Raises ImportCutOff.
    """
    whole = Intake()
    with closing(_read_ahead(_split(lines), read_payers(session))) as readings:
        for place, (numbers, reading) in enumerate(readings):
            if place % _TOGETHER == 0:
                begin_writing()  # which ends the transaction before
                expect_many_rows(session)
            found = take_reading(session, reading, clock)
            whole.taken += found.taken
            whole.known += found.known
            whole.late += found.late
            whole.refused += [replace(refusal, index=numbers[refusal.index]) for refusal in found.refused]
    session.commit()
    return whole


def _split(lines: Iterable[str]) -> Iterator[Part]:
    """Parts of the lines in which something stands."""
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    while part := list(islice(numbered, _PART)):
        yield [number for number, _ in part], [line for _, line in part]


def _read_ahead(parts: Iterator[Part], payers: Payers) -> Generator[tuple[list[int], Reading], None, None]:
    """What is in the parts: where there are several, the next one is read while the database writes one."""
    numbers, lines = next(parts, ([], []))
    second = next(parts, None)
    if second is None:
        yield numbers, read_lines(lines, payers)
        return
    try:
        with open_reader(payers) as reader:
            reader.send(lines)
            for following, lines in chain([second], parts):
                reading = reader.receive()
                reader.send(lines)
                yield numbers, reading
                numbers = following
            yield numbers, reader.receive()
    except ReaderEnded as error:
        raise ImportCutOff(
            "The process that reads the records has ended: it was killed, or there was no memory."
            " Import the file again; what was taken already is known, and the rest follows."
        ) from error
