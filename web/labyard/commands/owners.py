"""Whose deployment a command is for: the owner, their project, and the names that are theirs."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from labyard.accounts.people import find_user
from labyard.errors import Conflict, InvalidInput
from labyard.models import Deployment, Project, State, User


def find_owner(session: Session, person: User, username: str | None, phase: str) -> User:
    """The person of that name, for `person` who asks for `phase`; None stands for themselves.

    Raises InvalidInput if there is nobody of that name, or if what is new would be a disabled person's.
    """
    if username is None:
        return person
    owner = find_user(session, username)
    if owner is None:
        text = f"there is no user {username[:63]}"
    elif phase == "install" and not owner.active:
        text = f"{owner.username} is disabled and could not use it"
    else:
        return owner
    raise InvalidInput("The command is for a person who cannot have it.", {"owner": text})


def find_project(person: User, owner: User, name: str | None) -> Project:
    """The project of `owner` of that name, by default the first; raises InvalidInput."""
    for project in owner.projects:
        if name is None or project.name == name:
            return project
    whose = "your" if owner.id == person.id else f"{owner.username}'s"
    known = ", ".join(p.name for p in owner.projects) or "none"
    raise InvalidInput(
        "The deployment needs a project.",
        {"project": f"is not one of {whose} projects; they are: {known}"},
    )


def find_by_name(session: Session, owner: User, project: Project, name: str) -> Deployment | None:
    """The deployment of `owner` in `project` that has the name now, or None."""
    return session.scalar(
        select(Deployment).where(
            Deployment.owner_id == owner.id,
            Deployment.project_id == project.id,
            Deployment.name == name,
            Deployment.state != State.REMOVED,
        )
    )


def name_taken(person: User, found: Deployment) -> Conflict:
    """The refusal of a name that `found` has, in words for `person`."""
    whose = "yours" if found.owner_id == person.id else found.owner.username
    if found.state == State.FAILED:
        text = (
            f"{found.name} is the name of a failed deployment of {whose}: retry that one, or remove it first"
        )
    else:
        text = f"{found.name} is the name of another deployment of {whose}: choose another name"
    return Conflict(f"The name is taken: {text}.", {"name": text})
