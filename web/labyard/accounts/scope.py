"""What a person may see: the one place where queries are narrowed to a person."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, literal_column, select
from sqlalchemy.orm import Session

from labyard.errors import NotFound
from labyard.models import Command, Deployment, State, User

# The number stands in the statement, as it does in the indexes of deployments that are not removed:
# SQLite takes such an index only for a query that says the same.
NOT_REMOVED = Deployment.state != literal_column(str(int(State.REMOVED)))


def deployments_of(person: User) -> Select[Any]:
    """The deployments that `person` may see: their own; an admin's are all."""
    query = select(Deployment)
    return query if person.is_admin else query.where(Deployment.owner_id == person.id)


def commands_of(person: User) -> Select[Any]:
    """The commands of the deployments that `person` may see."""
    query = select(Command)
    return query if person.is_admin else query.where(Command.owner_id == person.id)


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
