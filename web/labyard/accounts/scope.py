"""What a person may see: the one place where queries are narrowed to a person."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from labyard.errors import NotFound
from labyard.models import Command, Deployment, User


def deployments_of(person: User) -> Select[Any]:
    """The deployments that `person` may see: their own; an admin's are all."""
    query = select(Deployment)
    return query if person.is_admin else query.where(Deployment.owner_id == person.id)


def commands_of(person: User) -> Select[Any]:
    """The commands of the deployments that `person` may see."""
    query = select(Command).join(Command.deployment)
    return query if person.is_admin else query.where(Deployment.owner_id == person.id)


def get_deployment(session: Session, person: User, deployment_id: str) -> Deployment:
    """The deployment with that id; raises NotFound if there is none that `person` may see."""
    found = session.scalar(deployments_of(person).where(Deployment.id == deployment_id))
    if found is None:
        raise NotFound(f"There is no deployment {deployment_id[:40]} of yours.")
    deployment: Deployment = found
    return deployment


def get_command(session: Session, person: User, command_id: str) -> Command:
    """The command with that id; raises NotFound if there is none that `person` may see."""
    found = session.scalar(commands_of(person).where(Command.id == command_id))
    if found is None:
        raise NotFound(f"There is no command {command_id[:40]} of yours.")
    command: Command = found
    return command
