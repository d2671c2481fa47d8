"""Refusing at once what can never run: more than any node has, or more deployments than one may have.

The nodes are those that a worker saw last (every 15 s), whether they are up or not: nothing here
asks the engine, so a command is taken as well while the engine is away.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._request.resources import read_needs
from ansible_collections.labyard.platform.plugins.module_utils._request.spec import Configuration
from labyard.clock import Clock, utc_now
from labyard.errors import InvalidInput
from labyard.models import Deployment, Node, State, User
from labyard.models.base import lock_name

from .capacity import Room, find_obstacle

_TRUSTED_FOR = timedelta(minutes=10)  # what was seen longer ago refuses nothing
NEEDS_ROOM = ("install", "update", "scale", "start")  # phases that start something


def refuse_what_never_fits(
    session: Session,
    configuration: Configuration,
    phase: str,
    params: Mapping[str, Any],
    clock: Clock = utc_now,
) -> None:
    """Raises InvalidInput at the parameter of a resource of which no node of the swarm has enough."""
    needs = read_needs(configuration, params) if phase in NEEDS_ROOM else None
    if needs is None:
        return
    seen = select(Node).where(Node.seen_at > clock() - _TRUSTED_FOR)
    rooms = [
        Room(node.hostname, node.cpus, node.memory, node.generic, node.attributes)
        for node in session.scalars(seen)
    ]
    obstacle = find_obstacle(needs, needs.cpu_limit, rooms)
    if obstacle is None:
        return
    if obstacle.kind == "constraints":
        text = f"no node of the swarm is one with {obstacle.wanted}; an operator mends the plan or the nodes"
    else:
        text = f"no node has {obstacle.wanted}; the largest has {obstacle.largest}"
    raise InvalidInput(
        "The swarm can never give what is asked for.",
        {needs.parameters.get(obstacle.kind) or obstacle.kind: text},
    )


def check_deployment_limit(
    session: Session, person: User, limit: int, *, is_own: bool = True
) -> dict[str, str]:
    """A message under `quota` if `person` has as many deployments as they may have (0: any number).

    `is_own`: whether it is they who read the message, or an admin who asks for them.
    """
    if not limit:
        return {}
    lock_name(session, f"labyard.quota.{person.id}")
    query = select(func.count()).where(Deployment.owner_id == person.id, Deployment.state != State.REMOVED)
    count = session.scalar(query) or 0
    if count < limit:
        return {}
    whose, may = ("you have", "you may have") if is_own else (f"{person.username} has", "a person may have")
    return {"quota": f"{whose} {count} deployments, and {limit} is the most {may}: remove one first"}
