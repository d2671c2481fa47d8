"""Usage records from a file of JSON lines, however long: a part at a time, each kept before the next."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from labyard.clock import Clock, utc_now
from labyard.models.opening import expect_many_rows

from .accounts import Payers, read_payers
from .ingest import Intake, Reading, Unreadable, read_documents, take_reading

_PART = 10_000  # records that are read at once
# Parts of one transaction. Each index has a page for every account or key of them, which is written once for
# all: with a commit after every 2,000 records SQLite takes more than twice as long for a million.
_TOGETHER = 3


def import_lines(
    session: Session,
    begin_writing: Callable[[], None],
    lines: Iterable[str],
    clock: Clock = utc_now,
) -> Intake:
    """Take in all `lines`; `index` of what is refused is the line's number, from 1.

    Cut off anywhere and begun again, it finds what is there already, and goes on. Who pays for a project is
    as it was when the import began.
    """
    whole = Intake()
    payers = read_payers(session)
    numbered = ((n, line) for n, line in enumerate(lines, start=1) if line.strip())
    # While the database writes a part, the next one is read.
    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(_read_part, numbered, payers)
        for place in itertools.count():
            part = following.result()
            if part is None:
                break
            numbers, reading = part
            following = reader.submit(_read_part, numbered, payers)
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


def _read_part(numbered: Iterator[tuple[int, str]], payers: Payers) -> tuple[list[int], Reading] | None:
    """Numbers of the next lines, and what is in them; None: there are none any more."""
    numbers: list[int] = []

    def documents() -> Iterator[Any]:
        for number, line in islice(numbered, _PART):
            numbers.append(number)
            yield _parse(line)

    reading = read_documents(documents(), payers)
    return (numbers, reading) if numbers else None


def _parse(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        return Unreadable(f"is no JSON: {error}")
