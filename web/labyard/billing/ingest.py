"""Usage records taken in: each once, whatever is sent again; one bad record keeps no other one out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError, UsageError
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import (
    UsageRecord,
    fingerprint,
    read_record,
)
from labyard.clock import Clock, utc_now
from labyard.models import BillingAccount, Invoice, UsageRow
from labyard.models.base import share_name
from labyard.models.billing_invoices import INVOICE, VOID

from .accounts import Payers, ensure_accounts, read_payers
from .ingest_rows import insert_rows

_BATCH = 10_000  # records of one statement
NAME = "labyard.usage"  # while it is shared, records may come whose ids are below those that are there


@dataclass(frozen=True)
class Refusal:
    """A record that was not taken: its place in what was sent, from 0, and why."""

    index: int
    error: str
    conflict: bool = False  # the key is known, with other content


@dataclass(frozen=True)
class Unreadable:
    """Stands for a record that could not even be read, and says why."""

    reason: str


@dataclass
class Intake:
    """What became of records."""

    taken: int = 0
    known: int = 0  # were there already, with the same content
    late: int = 0  # of those taken: for a period whose invoice is final; the next invoice has them
    refused: list[Refusal] = field(default_factory=list)


@dataclass(slots=True)
class _Candidate:
    index: int
    record: UsageRecord
    decided: bool  # who pays was not said, but found out here
    mark: str  # its fingerprint

    @property
    def name(self) -> tuple[str, str]:
        return self.record.source, self.record.key


@dataclass
class Reading:
    """Documents that were read and checked, before anything is asked of the database."""

    found: dict[tuple[str, str], _Candidate] = field(default_factory=dict)  # by source and key
    known: int = 0  # that came before among these documents, with the same content
    refused: list[Refusal] = field(default_factory=list)


def take_records(session: Session, documents: Iterable[Any], clock: Clock = utc_now) -> Intake:
    """Take in `documents` within the session's transaction: mappings of the fields of a usage record.

    A record without `account` is paid by the account of its project or else by its user. What is known
    already changes nothing; what contradicts it, and what is no record, is refused, each with its place.
    """
    return take_reading(session, read_documents(documents, read_payers(session)), clock)


def read_documents(documents: Iterable[Any], payers: Payers) -> Reading:
    """What `take_reading` takes in; asks nothing of the database, so it may be done beside work there."""
    reading = Reading()
    for index, document in enumerate(documents):
        try:
            candidate = _read(index, document, payers)
        except BillingError as error:
            reading.refused.append(Refusal(index, str(error)))
            continue
        first = reading.found.setdefault(candidate.name, candidate)
        if first is not candidate:
            _settle(reading, candidate, first.mark, first.record.account)
    return reading


def take_reading(session: Session, reading: Reading, clock: Clock = utc_now) -> Intake:
    """Take in what was read, within the session's transaction."""
    share_name(session, NAME)
    intake = Intake(known=reading.known, refused=list(reading.refused))
    found = dict(reading.found)
    _refuse_unknown_payers(session, found, intake, clock)
    # In one order, so that writers with the same records wait for each other and not in a ring.
    candidates = [found[name] for name in sorted(found)]
    for begin in range(0, len(candidates), _BATCH):
        _take(session, candidates[begin : begin + _BATCH], intake, clock)
    intake.refused.sort(key=lambda refusal: refusal.index)
    return intake


def _read(index: int, document: Any, payers: Payers) -> _Candidate:
    if isinstance(document, Unreadable):
        raise UsageError(document.reason)
    if not isinstance(document, Mapping):
        raise UsageError("a mapping of names and values is needed")
    decided = not document.get("account")
    if decided:
        account = payers.payer(document.get("project"), document.get("user"))
        if not account:
            raise UsageError("account: is missing, and no user is named who could pay")
        document = {**document, "account": account}
    record = read_record(document)
    return _Candidate(index, record, decided, fingerprint(record))


def _refuse_unknown_payers(
    session: Session, found: dict[tuple[str, str], _Candidate], intake: Intake, clock: Clock
) -> None:
    unknown = ensure_accounts(session, {c.record.account for c in found.values()}, clock)
    if not unknown:
        return
    for name, candidate in list(found.items()):
        if candidate.record.account in unknown:
            text = f"account: there is no account {candidate.record.account}; make it first"
            intake.refused.append(Refusal(candidate.index, text))
            del found[name]


def _take(session: Session, candidates: Sequence[_Candidate], intake: Intake, clock: Clock) -> None:
    rows = [(candidate.record, candidate.mark) for candidate in candidates]
    new = insert_rows(session, rows, clock())
    taken = candidates if new is None else [c for c in candidates if c.name in new]
    intake.taken += len(taken)
    intake.late += _count_late(session, taken)
    if new is None:
        return
    others = [candidate for candidate in candidates if candidate.name not in new]
    stored = _stored(session, others)
    for candidate in others:
        mark, account = stored[candidate.name]
        _settle(intake, candidate, mark, account)


def _stored(session: Session, candidates: Sequence[_Candidate]) -> dict[tuple[str, str], tuple[str, str]]:
    """Fingerprint and account of those records of the database, by source and key."""
    by_source: dict[str, list[str]] = {}
    for candidate in candidates:
        by_source.setdefault(candidate.record.source, []).append(candidate.record.key)
    found = {}
    for source, keys in by_source.items():
        columns = select(UsageRow.key, UsageRow.fingerprint, UsageRow.account)
        for key, mark, account in session.execute(
            columns.where(UsageRow.source == source, UsageRow.key.in_(keys))
        ):
            found[source, key] = (mark, account)
    return found


def _settle(intake: Intake | Reading, candidate: _Candidate, mark: str, account: str) -> None:
    """The key is there already, with the fingerprint `mark`, paid by `account`: is it the same record?"""
    same = candidate.mark == mark
    if not same and candidate.decided:  # who pays may have changed since
        same = fingerprint(replace(candidate.record, account=account)) == mark
    if same:
        intake.known += 1
        return
    source, key = candidate.name
    text = (
        f"key: {source} has sent {key} before, with other content; a record never changes."
        " Send what is new under a key of its own"
    )
    intake.refused.append(Refusal(candidate.index, text, conflict=True))


def _count_late(session: Session, taken: Sequence[_Candidate]) -> int:
    names = {candidate.record.account for candidate in taken}
    ends = (
        select(BillingAccount.name, func.max(Invoice.period_end))
        .join(Invoice, Invoice.account_id == BillingAccount.id)
        .where(BillingAccount.name.in_(names), Invoice.kind == INVOICE)
        .where(Invoice.number.is_not(None), Invoice.state != VOID)
        .group_by(BillingAccount.name)
    )
    billed = {name: end for name, end in session.execute(ends)}
    if not billed:
        return 0
    return sum(c.record.account in billed and c.record.end <= billed[c.record.account] for c in taken)
