"""Usage records taken in: each once, whatever is sent again; one bad record keeps no other one out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import read_moment
from labyard.clock import Clock, utc_now
from labyard.models import BillingAccount, Invoice, UsageRow
from labyard.models.base import share_name
from labyard.models.billing_invoices import INVOICE, VOID

from .accounts import ensure_accounts, read_payers
from .ingest_rows import insert_rows
from .reading import Candidate, Name, Reading, Refusal, contradiction, read_documents

_BATCH = 10_000  # records of one statement
NAME = "labyard.usage"  # while it is shared, records may come whose ids are below those that are there


@dataclass
class Intake:
    """What became of records."""

    taken: int = 0
    known: int = 0  # were there already, with the same content
    late: int = 0  # of those taken: for a period whose invoice is final; the next invoice has them
    refused: list[Refusal] = field(default_factory=list)


def take_records(session: Session, documents: Iterable[Any], clock: Clock = utc_now) -> Intake:
    """Take in `documents` within the session's transaction: mappings of the fields of a usage record.

    A record without `account` is paid by the account of its project or else by its user. What is known
    already changes nothing; what contradicts it, and what is no record, is refused, each with its place.
    """
    return take_reading(session, read_documents(documents, read_payers(session)), clock)


def take_reading(session: Session, reading: Reading, clock: Clock = utc_now) -> Intake:
    """Take in what was read, within the session's transaction."""
    share_name(session, NAME)
    intake = Intake(known=reading.known, refused=list(reading.refused))
    candidates = _refuse_unknown_payers(session, reading.candidates, intake, clock)
    for begin in range(0, len(candidates), _BATCH):
        _take(session, candidates[begin : begin + _BATCH], intake, clock)
    intake.refused.sort(key=lambda refusal: refusal.index)
    return intake


def _refuse_unknown_payers(
    session: Session, candidates: Sequence[Candidate], intake: Intake, clock: Clock
) -> Sequence[Candidate]:
    """Those of the candidates whose accounts are there, or could be made."""
    unknown = ensure_accounts(session, {candidate.texts.account for candidate in candidates}, clock)
    if not unknown:
        return candidates
    for candidate in candidates:
        if candidate.texts.account in unknown:
            text = f"account: there is no account {candidate.texts.account}; make it first"
            intake.refused.append(Refusal(candidate.place, text))
    return [candidate for candidate in candidates if candidate.texts.account not in unknown]


def _take(session: Session, candidates: Sequence[Candidate], intake: Intake, clock: Clock) -> None:
    there = insert_rows(session, candidates, clock())
    taken = [one for one in candidates if one.name not in there] if there else candidates
    intake.taken += len(taken)
    intake.late += _count_late(session, taken)
    if not there:
        return
    others = [candidate for candidate in candidates if candidate.name in there]
    stored = _read_stored(session, others)
    for candidate in others:
        if candidate.is_recorded_as(*stored[candidate.name]):
            intake.known += 1
        else:
            intake.refused.append(contradiction(candidate))


def _read_stored(session: Session, candidates: Sequence[Candidate]) -> dict[Name, tuple[str, str]]:
    """Fingerprint and account of those records of the database, by source and key."""
    by_source: dict[str, list[str]] = {}
    for candidate in candidates:
        by_source.setdefault(candidate.texts.source, []).append(candidate.texts.key)
    found = {}
    for source, keys in by_source.items():
        columns = select(UsageRow.key, UsageRow.fingerprint, UsageRow.account)
        for key, mark, account in session.execute(
            columns.where(UsageRow.source == source, UsageRow.key.in_(keys))
        ):
            found[source, key] = (mark, account)
    return found


def _count_late(session: Session, taken: Sequence[Candidate]) -> int:
    names = {candidate.texts.account for candidate in taken}
    ends = (
        select(BillingAccount.name, func.max(Invoice.period_end))
        .join(Invoice, Invoice.account_id == BillingAccount.id)
        .where(BillingAccount.name.in_(names), Invoice.kind == INVOICE)
        .where(Invoice.number.is_not(None), Invoice.state != VOID)
        .group_by(BillingAccount.name)
    )
    billed = {name: end for name, end in session.execute(ends)}
    return sum(
        texts.account in billed and read_moment(texts.end, "end") <= billed[texts.account]
        for _, _, texts in taken
    )
