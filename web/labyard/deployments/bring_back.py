"""Putting on the swarm again what ran when it was last seen: after a restore nothing of it is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from labyard.clock import Clock, utc_now
from labyard.commands.submit import CommandRequest, submit_command
from labyard.errors import DomainError
from labyard.models import Command, Deployment, Health, Node, State, User
from labyard.sealing import Sealer


@dataclass(frozen=True)
class BroughtBack:
    """The commands that were asked for, and in words why there is none for others."""

    commands: tuple[str, ...]
    refused: tuple[str, ...]


def looked_since(session: Session, moment: datetime) -> bool:
    """Whether a worker has looked at the swarm since then, so that what is missing is known."""
    seen = session.scalar(select(func.max(Node.seen_at)))
    return seen is not None and seen > moment


def missing_deployments(session: Session) -> Sequence[Deployment]:
    """Those of which nothing is on the swarm and which ran when they were seen last, oldest first.

    What had been stopped is not among them: it is listed as an orphan, and nobody waits for it.
    """
    found = session.scalars(
        select(Deployment)
        .where(Deployment.state.in_((State.COMPLETED, State.FAILED)))
        .where(Deployment.health == Health.MISSING.value)
        .order_by(Deployment.created_at, Deployment.id)
    )
    return [d for d in found if any(service.get("replicas") for service in d.services)]


def bring_back(session: Session, person: User, sealer: Sealer, clock: Clock = utc_now) -> BroughtBack:
    """Ask for the install of all missing deployments, in the name of `person`, an admin.

    The ids of the commands go to the queue after the commit.
    """
    commands, refused = [], []
    for deployment in missing_deployments(session):
        try:
            with session.begin_nested():
                wanted = CommandRequest("install", deployment=deployment.id)
                commands.append(submit_command(session, person, wanted, sealer, clock=clock).id)
        except DomainError as error:
            refused.append(f"{deployment.name} of {deployment.owner.username}: {error.detail}")
    return BroughtBack(tuple(commands), tuple(refused))


def ended(session: Session, commands: Sequence[str]) -> tuple[list[Command], int]:
    """Those of the commands that FAILED, and how many have not ended yet."""
    found = session.scalars(select(Command).where(Command.id.in_(commands))).all()
    failed = [command for command in found if command.state == State.FAILED]
    return failed, sum(not command.state.final for command in found)
