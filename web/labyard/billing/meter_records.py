"""What the console knows of metered records and the swarm does not: names, former shapes, and who pays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.beats import read_beats
from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import UsageError
from ansible_collections.labyard.platform.plugins.module_utils._billing.metering import accrued
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import (
    UsageRecord,
    read_moment,
    read_record,
    show_record,
)
from ansible_collections.labyard.platform.plugins.module_utils._request.shapes import shape_of
from labyard.models import Command, Deployment, Meter, Plan, State

from .accounts import read_payers

_AT_ONCE = 500  # deployments looked up at once
_CHANGES = ("install", "update", "scale")  # phases whose parameters become the deployment's


def complete_records(session: Session, documents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The records with the name of their deployment; who pays is left to whoever takes them in.

    The shape is what the task says that it ran with. Where it says none, it is what the deployment had when
    the record began.
    """
    ids = sorted({str(one.get("deployment", "")) for one in documents})
    silent = {str(one.get("deployment", "")) for one in documents if not one.get("shape")}
    known = _read_deployments(session, ids, silent)
    found = []
    for document in documents:
        record, about = dict(document), known.get(document.get("deployment", ""))
        if about is not None:
            record["deployment_name"] = about.name
            record["shape"] = document.get("shape") or about.shape_at(str(document.get("start", "")))
        if record.get("user"):
            record.pop("account", None)
        found.append(record)
    return found


def pending_records(session: Session) -> list[UsageRecord]:
    """What is held since the last full hour and in no record yet, up to the last look, with who will pay.

    For forecasts and budgets: the same comes as records when the hour is over.
    """
    beats = session.scalar(select(Meter.beats))
    payers = read_payers(session)
    shown = complete_records(session, [show_record(one) for one in accrued(read_beats(beats))])
    found = []
    for document in shown:
        account = document.get("account") or payers.payer(document["project"], document["user"])
        found.append(read_record({**document, "account": account}))
    return found


@dataclass(frozen=True)
class _Known:
    """What the console knows of a deployment: its parameters now, and what commands made of them."""

    name: str
    plan: Plan
    params: Mapping[str, Any]
    changes: Sequence[tuple[datetime, Mapping[str, Any]]]  # what took effect, and from when on; in order

    def shape_at(self, start: str) -> str:
        """The shape at a moment in ISO 8601; at none that can be read, the last one."""
        try:
            moment = read_moment(start, "start")
        except UsageError:  # whoever takes the record in says so
            moment = datetime.max.replace(tzinfo=UTC)
        values = dict(self.params)
        for begun, params in self.changes:
            if begun <= moment:
                values.update(params)
        return shape_of(self.plan.shapes, {**values, **self.plan.fixed})


def _read_deployments(session: Session, ids: Sequence[str], silent: Set[str]) -> dict[str, _Known]:
    """The deployments that there are, by id; those in `silent` with what changed them."""
    found = {}
    for begin in range(0, len(ids), _AT_ONCE):
        some = ids[begin : begin + _AT_ONCE]
        changes = _read_changes(session, [one for one in some if one in silent])
        for deployment in session.scalars(select(Deployment).where(Deployment.id.in_(some))):
            found[deployment.id] = _Known(
                deployment.name, deployment.plan, deployment.params, changes.get(deployment.id, ())
            )
    return found


def _read_changes(
    session: Session, ids: Sequence[str]
) -> dict[str, list[tuple[datetime, Mapping[str, Any]]]]:
    """The parameters of commands that changed deployments, and when they began, in order."""
    query = (
        select(Command.deployment_id, Command.started_at, Command.params)
        .where(Command.deployment_id.in_(ids), Command.phase.in_(_CHANGES))
        .where(Command.state == State.COMPLETED, Command.check_only.is_(False))
        .where(Command.started_at.is_not(None))
        .order_by(Command.started_at, Command.id)
    )
    found: dict[str, list[tuple[datetime, Mapping[str, Any]]]] = {}
    for deployment, begun, params in session.execute(query):
        found.setdefault(deployment, []).append((begun, params))
    return found
