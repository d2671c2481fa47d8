"""Carrying out what was chosen for orphans and kept volumes: a step at each look, until nothing is left."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from labyard.models import Deployment, Node, Orphan, State

from .orphans import REMOVE
from .swarm import SwarmObject

log = logging.getLogger(__name__)

_ELSEWHERE = (
    "It is not on the worker's node. Delete it on the node where it lies (docker volume rm {name}), then "
    "forget it here."
)
_FIRST = ("service",)  # the others are in use until its tasks have ended


@dataclass(frozen=True)
class Hands:
    """What repairs can do on the swarm."""

    remove: Callable[[SwarmObject], str]  # "" or why not
    has_volume: Callable[[str], bool]  # whether the engine that is asked has it
    alone: bool  # that engine is the only one: a volume that it lacks is gone


@dataclass(frozen=True)
class Wish:
    """An orphan that is to be removed, apart from the database."""

    id: int
    kind: str
    ident: str
    deployment_id: str


def read_wishes(session: Session) -> list[Wish]:
    """What is to be removed; what belongs to a deployment again is let alone, and dropped."""
    chosen = select(Orphan, Deployment.state).outerjoin(Deployment, Deployment.id == Orphan.deployment_id)
    wishes = []
    for orphan, state in session.execute(chosen.where(Orphan.action == REMOVE).order_by(Orphan.id)):
        if state in (None, State.REMOVED):
            wishes.append(Wish(orphan.id, orphan.kind, orphan.ident, orphan.deployment_id))
        else:
            session.delete(orphan)
    return wishes


def carry_out(wish: Wish, objects: Iterable[SwarmObject], hands: Hands) -> str | None:
    """Take the next step on the swarm: None once nothing is left, else why something is. No database."""
    if wish.kind == "volume":
        return _remove_volume(wish, hands)
    mine = [o for o in objects if o.kind != "volume" and _belongs(o, wish)]
    if not mine:
        return None
    step = [o for o in mine if o.kind in _FIRST] or mine
    errors = [error for error in map(hands.remove, step) if error]
    if errors:
        return "; ".join(errors)[:500]
    return "" if len(step) < len(mine) else None


def record_step(session: Session, wish: Wish, left: str | None) -> None:
    """Write down how far the removal has come: the orphan goes when nothing is left of it."""
    orphan = session.get(Orphan, wish.id)
    if orphan is None:
        return
    if left is not None:
        orphan.error = left
        return
    log.info("the orphan %s %s was removed", orphan.kind, orphan.ident)
    session.delete(orphan)
    if wish.kind == "volume":
        _forget_volume(session, wish)


def nodes_of(session: Session) -> int:
    """How many nodes the swarm has, as far as a worker has seen."""
    return session.scalar(select(func.count()).select_from(Node)) or 0


def _belongs(item: SwarmObject, wish: Wish) -> bool:
    if wish.kind == "stack":
        return item.deployment_id == wish.deployment_id and (item.stack or item.name) == wish.ident
    return item.deployment_id == wish.deployment_id and item.name == wish.ident


def _remove_volume(wish: Wish, hands: Hands) -> str | None:
    if not hands.has_volume(wish.ident):
        return None if hands.alone else _ELSEWHERE.format(name=wish.ident)
    return hands.remove(SwarmObject("volume", wish.ident, wish.ident, wish.deployment_id, "")) or None


def _forget_volume(session: Session, wish: Wish) -> None:
    """The deployment's volume is kept no longer."""
    deployment = session.get(Deployment, wish.deployment_id)
    if deployment is not None:
        deployment.volumes = [
            {**volume, "kept": False} if volume.get("name") == wish.ident else volume
            for volume in deployment.volumes
        ]
