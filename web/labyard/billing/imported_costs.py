"""Cost reports of others, line by line: each line once, however often its file is imported.

Beside the lines stand their sums by day, which pages and budgets read. Invoices are made of usage records
alone: what a supplier bills us is not what our tariff asks for.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.cost_lines import (
    CostLine,
    read_cost_lines,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.cost_mapping import CostMapping
from ansible_collections.labyard.platform.plugins.module_utils._billing.money import round_fraction
from labyard.clock import Clock, utc_now
from labyard.models import Deployment, ImportedCost, Project, User
from labyard.models.base import lock_name
from labyard.models.decimals import DIGITS, PLACES, plain_text

from .accounts import read_payers
from .imported_days import add_to_days
from .ingest import Intake
from .payers import Payers
from .reading import Refusal

#: What a report may be called by.
SOURCE = "[!-~]([ -~]{0,62}[!-~])?"
_BATCH = 1000
_TEXTS = ("line_id", "datalab_id", "resource_id", "user", "project", "product", "usage_type", "tags")
_FURTHER = ("resource_id", "usage_type", "tags")
_ROOM = Decimal(10) ** (DIGITS - PLACES - 2)  # sums have two digits more
Row = dict[str, Any]


def import_report(
    session: Session,
    begin_writing: Callable[[], None],
    source: str,
    lines: Iterable[bytes],
    mapping: CostMapping,
    clock: Clock = utc_now,
) -> Intake:
    """Take in the lines of the report of `source`, a part at a time, each kept before the next.

    `index` of what is refused is the line's number, from 1. A line is known by its id or, where the report
    has none, by its content and how often that came before in the report. Raises ImportCostsError if the
    header lacks a column.
    """
    report = _Report(session, source, read_payers(session), clock)
    found = read_cost_lines(lines, mapping, report.refuse)
    while part := list(islice(found, _BATCH)):
        begin_writing()
        report.take(part)
        session.commit()
    return report.end()


def take_report(
    session: Session, source: str, lines: Iterable[bytes], mapping: CostMapping, clock: Clock = utc_now
) -> Intake:
    """The same within the session's transaction, for what is not large."""
    report = _Report(session, source, read_payers(session), clock)
    found = read_cost_lines(lines, mapping, report.refuse)
    while part := list(islice(found, _BATCH)):
        report.take(part)
    return report.end()


@dataclass
class _Report:
    """A report while it is taken in."""

    session: Session
    source: str
    payers: Payers
    clock: Clock
    intake: Intake = field(default_factory=Intake)
    seen: Counter[str] = field(default_factory=Counter)  # lines without an id, by what they say

    def refuse(self, number: int, why: str) -> None:
        """Set a line aside."""
        self.intake.refused.append(Refusal(number, why))

    def end(self) -> Intake:
        """What became of all lines."""
        self.intake.refused.sort(key=lambda refusal: refusal.index)
        return self.intake

    def take(self, part: Sequence[CostLine]) -> None:
        """Write those lines that are new, and count them in the sums of their days."""
        # One import at a time: what is new is found out here and now.
        lock_name(self.session, "labyard.imported_costs")
        owners = _owners(self.session, {line.datalab_id for line in part if line.datalab_id})
        rows: dict[str, tuple[int, Row]] = {}
        for line in part:
            if abs(line.cost) >= _ROOM:
                self.refuse(line.number, f"cost: {line.cost} is too much")
                continue
            row = _row(self.source, _with_owner(line, owners), line, self.payers, self.seen)
            first = rows.setdefault(row["key"], (line.number, row))
            if first[1] is not row:
                _settle(self.intake, line.number, row, first[1]["fingerprint"])
        self._write(list(rows.values()))

    def _write(self, rows: Sequence[tuple[int, Row]]) -> None:
        keys = [row["key"] for _, row in rows]
        query = select(ImportedCost.key, ImportedCost.fingerprint).where(ImportedCost.source == self.source)
        before = {key: mark for key, mark in self.session.execute(query.where(ImportedCost.key.in_(keys)))}
        new = [{**row, "received_at": self.clock()} for _, row in rows if row["key"] not in before]
        if new:
            self.session.execute(insert(ImportedCost), new)
            add_to_days(self.session, new)
        self.intake.taken += len(new)
        for number, row in rows:
            if row["key"] in before:
                _settle(self.intake, number, row, before[row["key"]])


def _owners(session: Session, deployments: Iterable[str]) -> dict[str, tuple[str, str]]:
    """User and project of deployments of ours, by id."""
    rows = (
        select(Deployment.id, User.username, Project.name)
        .join(User, User.id == Deployment.owner_id)
        .join(Project, Project.id == Deployment.project_id)
        .where(Deployment.id.in_(set(deployments)))
    )
    return {ident: (user, project) for ident, user, project in session.execute(rows)}


def _with_owner(line: CostLine, owners: dict[str, tuple[str, str]]) -> CostLine:
    """The line; if it is of a deployment of ours and does not say whose, with whose that is."""
    user, project = owners.get(line.datalab_id, ("", ""))
    return replace(line, user=line.user or user, project=line.project or project)


def _row(source: str, line: CostLine, said: CostLine, payers: Payers, seen: Counter[str]) -> Row:
    """A row of `line`; what it is known by is what the report has `said`."""
    texts = {name: getattr(said, name) for name in _TEXTS}
    usage = "" if said.usage is None else plain_text(said.usage)
    content = [said.day.isoformat(), plain_text(said.cost), said.currency, usage, texts]
    mark = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
    key = f"id:{hashlib.sha256(said.line_id.encode()).hexdigest()[:32]}" if said.line_id else ""
    if not key:
        seen[mark] += 1
        key = f"{mark}:{seen[mark]}"
    details = {name: texts[name][:500] for name in _FURTHER if texts[name]}
    return {
        "source": source,
        "key": key,
        "account": payers.payer(line.project, line.user)[:80],
        "day": line.day,
        "description": line.product[:200],
        "deployment": line.datalab_id[:64],
        "project": line.project[:64],
        "user": line.user[:64],
        "amount": round_fraction(Fraction(line.cost), PLACES),
        "currency": line.currency,
        "details": {**details, **({"usage": usage} if usage else {})},
        "fingerprint": mark,
    }


def _settle(intake: Intake, number: int, row: dict[str, Any], mark: str) -> None:
    if row["fingerprint"] == mark:
        intake.known += 1
    else:
        text = "line_id: came before with other content; a line that was imported never changes"
        intake.refused.append(Refusal(number, text, conflict=True))
