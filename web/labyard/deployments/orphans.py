"""What stands on one side only: on the swarm without a deployment, or in the database alone.

Only what carries this console's own label is judged: several consoles may share a swarm.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from labyard.accounts.audit import record_action
from labyard.clock import Clock, utc_now
from labyard.commands.submit import CommandRequest, running_command, submit_command
from labyard.errors import Conflict, InvalidInput, NotFound
from labyard.models import Command, Deployment, Health, Orphan, State, User
from labyard.sealing import Sealer

from .swarm import SwarmObject

REMOVE, FORGET, REINSTALL, MARK_REMOVED = "remove", "forget", "reinstall", "mark_removed"
DEPLOYMENT = "deployment"
# What may be chosen for an orphan of each kind.
ACTIONS = {
    "stack": (REMOVE, FORGET),
    "network": (REMOVE, FORGET),
    "port": (REMOVE, FORGET),
    "volume": (REMOVE, FORGET),
    DEPLOYMENT: (REINSTALL, MARK_REMOVED, FORGET),
}
_ALONE = {"network": "network", "config": "port"}  # what has a kind of its own when nothing else is left
_SECOND_LOOK = timedelta(seconds=10)  # no sooner after the first
_CHUNK = 500  # ids in one statement


@dataclass(frozen=True)
class Found:
    """An orphan as one look shows it."""

    kind: str
    ident: str
    deployment_id: str
    detail: str


def find_orphans(
    session: Session,
    objects: Sequence[SwarmObject],
    looked_at: datetime,
    clock: Clock = utc_now,
) -> None:
    """Bring the table of orphans up to what the swarm showed at `looked_at`: one look of two.

    An orphan is listed when a second look finds it still; one that is not found any more goes from
    the table. What an admin chose to remove stays until it is removed: see `repairs`.
    """
    states, kept = _read_deployments(session, {o.deployment_id for o in objects})
    found = {(f.kind, f.ident): f for f in judge_objects(objects, states, kept)}
    found |= {(f.kind, f.ident): f for f in _missing_deployments(session, objects, looked_at)}
    now = clock()
    for orphan in session.scalars(select(Orphan)):
        here = found.pop((orphan.kind, orphan.ident), None)
        if here is not None:
            orphan.detail = here.detail
            orphan.confirmed = orphan.confirmed or now - orphan.found_at >= _SECOND_LOOK
        elif orphan.action != REMOVE:
            session.delete(orphan)
    session.add_all(
        Orphan(kind=f.kind, ident=f.ident, deployment_id=f.deployment_id, detail=f.detail, found_at=now)
        for f in found.values()
    )


def judge_objects(
    objects: Iterable[SwarmObject],
    states: Mapping[str, State],
    kept: Mapping[str, frozenset[str]],
) -> list[Found]:
    """The orphans among `objects`, given the states of their deployments and the volumes kept of each."""
    groups: dict[tuple[str, str], list[SwarmObject]] = defaultdict(list)
    found = []
    for item in objects:
        state = states.get(item.deployment_id)
        if state not in (None, State.REMOVED):
            continue
        if item.kind != "volume":
            groups[item.deployment_id, item.stack or item.name].append(item)
        elif item.name not in kept.get(item.deployment_id, frozenset()):
            found.append(Found("volume", item.name, item.deployment_id, f"It belongs to {_whose(state)}."))
    for (deployment_id, stack), items in groups.items():
        words = f"{_count(items)} of {_whose(states.get(deployment_id))}."
        alone = _ALONE.get(items[0].kind) if len(items) == 1 else None
        found.append(Found(alone or "stack", items[0].name if alone else stack, deployment_id, words))
    return found


def orphans_query() -> Select[Any]:
    """The orphans that are listed, to be sorted and cut by the caller."""
    return select(Orphan).where(Orphan.confirmed.is_(True), Orphan.action != FORGET)


def list_orphans(session: Session) -> list[Orphan]:
    """The orphans that two looks have found, oldest first; not those that are forgotten."""
    return list(session.scalars(orphans_query().order_by(Orphan.found_at, Orphan.id)))


def repair_orphan(
    session: Session,
    person: User,
    orphan_id: int,
    action: str,
    sealer: Sealer,
    *,
    address: str = "",
    clock: Clock = utc_now,
) -> Command | None:
    """Do with an orphan what `person`, an admin, chose: one of ACTIONS for its kind.

    remove: a worker takes it from the swarm within a minute, volumes left; forget: it is listed no
    more and stays; reinstall: the command returned puts the deployment on the swarm again;
    mark_removed: the deployment counts as removed. Raises NotFound, InvalidInput, Conflict.
    """
    orphan = session.scalar(orphans_query().where(Orphan.id == orphan_id))
    if orphan is None:
        raise NotFound(f"There is no orphan {orphan_id}; it may be repaired already.")
    if action not in ACTIONS[orphan.kind]:
        raise InvalidInput(
            "That cannot be done with it.", {"action": f"must be one of: {', '.join(ACTIONS[orphan.kind])}"}
        )
    about = {"kind": orphan.kind, "object": orphan.ident, "deployment": orphan.deployment_id}
    record_action(session, person.username, f"orphan {action}", address, **about)
    if action in (REMOVE, FORGET):
        orphan.action, orphan.error = action, ""
        return None
    deployment = session.get_one(Deployment, orphan.deployment_id)
    command = None
    if action == REINSTALL:
        wanted = CommandRequest("install", deployment=deployment.id)
        command = submit_command(session, person, wanted, sealer, address=address, clock=clock)
    else:
        _mark_removed(session, deployment, clock)
    session.delete(orphan)
    return command


def _mark_removed(session: Session, deployment: Deployment, clock: Clock) -> None:
    if running_command(session, deployment) is not None:
        raise Conflict(f"A command is running for {deployment.name}. Wait until it has ended.")
    deployment.state = State.PENDING  # the model refuses what the table of moves does not allow
    deployment.state = State.REMOVED
    deployment.removed_at = deployment.updated_at = clock()
    deployment.health, deployment.health_detail = Health.MISSING.value, ""
    deployment.message = "An operator marked it as removed: it was no longer on the swarm."
    deployment.endpoints, deployment.services, deployment.sealed_secrets = [], [], ""
    # Data may lie on a node that is away: they are listed as kept until somebody deletes them.
    deployment.volumes = [{**volume, "kept": True} for volume in deployment.volumes]


def _read_deployments(
    session: Session, ids: Iterable[str]
) -> tuple[dict[str, State], dict[str, frozenset[str]]]:
    """States and kept volumes of the deployments with these ids."""
    states: dict[str, State] = {}
    kept: dict[str, frozenset[str]] = {}
    wanted = sorted(ids)
    for start in range(0, len(wanted), _CHUNK):
        query = select(Deployment.id, Deployment.state, Deployment.volumes)
        for row in session.execute(query.where(Deployment.id.in_(wanted[start : start + _CHUNK]))):
            states[row.id] = row.state
            kept[row.id] = frozenset(str(v.get("name")) for v in row.volumes if v.get("kept"))
    return states, kept


def _missing_deployments(
    session: Session, objects: Iterable[SwarmObject], looked_at: datetime
) -> Iterable[Found]:
    """Deployments that should run and of which no service is there. `health` was set from the same look."""
    here = {item.deployment_id for item in objects if item.kind == "service"}
    query = select(Deployment.id, Deployment.name, Deployment.services, Deployment.updated_at).where(
        Deployment.state == State.COMPLETED, Deployment.health == Health.MISSING.value
    )
    for row in session.execute(query):
        if row.services and row.id not in here and row.updated_at < looked_at:
            yield Found(DEPLOYMENT, row.id, row.id, f"None of the services of {row.name} is on the swarm.")


def _count(items: Sequence[SwarmObject]) -> str:
    counts = Counter(item.kind for item in items)
    return ", ".join(f"{n} {kind}{'' if n == 1 else 's'}" for kind, n in sorted(counts.items())).capitalize()


def _whose(state: State | None) -> str:
    return "a deployment that is not in the database" if state is None else "a deployment that was removed"
