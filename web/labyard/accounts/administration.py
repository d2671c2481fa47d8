"""What an admin does with people, and what people do with their own account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session, selectinload

from labyard.clock import Clock, utc_now
from labyard.errors import Conflict, InvalidInput, NotFound
from labyard.models import ApiKey, Membership, Project, User

from .people import check_new_password, create_user, set_password
from .searching import begins_with

_PLAIN = ("email", "mail_on_end", "command_limit", "is_admin", "active")


def select_users(filters: Mapping[str, Any]) -> Select[Any]:
    """Everybody, by `search` (how the name begins), `active`, `is_admin` and `project`."""
    found = select(User).options(selectinload(User.projects))
    if "search" in filters:
        found = found.where(begins_with(User.username, filters["search"]))
    for name in ("active", "is_admin"):
        if name in filters:
            found = found.where(getattr(User, name).is_(filters[name]))
    if "project" in filters:
        found = found.where(User.projects.any(Project.name == filters["project"]))
    return found


def find_person(session: Session, username: str, *, for_change: bool = False) -> User:
    """The person of that name; raises NotFound. `for_change`: nobody else changes them meanwhile."""
    found = select(User).where(User.username == username)
    if for_change:
        found = found.with_for_update(of=User).execution_options(populate_existing=True)
    user = session.scalar(found)
    if user is None:
        raise NotFound(f"There is no user {username[:63]}.")
    person: User = user
    return person


def make_person(session: Session, document: Mapping[str, Any]) -> User:
    """A new person with what `document` says of them; raises InvalidInput or Conflict."""
    user = create_user(session, document["username"], document["password"])
    rest = {name: value for name, value in document.items() if name not in ("username", "password")}
    return change_person(session, user, rest)


def change_person(
    session: Session,
    user: User,
    changes: Mapping[str, Any],
    by: User | None = None,
    clock: Clock = utc_now,
) -> User:
    """Change what is in `changes` of `user`: the fields of UserChange.

    Raises InvalidInput for a project that is not there, Conflict where `by` would lock themselves
    out, or for a new password where the directory knows it. Who is disabled is signed out everywhere at once.
    """
    if by is user and (changes.get("active") is False or changes.get("is_admin") is False):
        raise Conflict("You would lock yourself out. Let another admin do that.")
    if "projects" in changes:
        user.projects = _find_projects(session, changes["projects"])
    for name in _PLAIN:
        if name in changes:
            value = changes[name]
            setattr(user, name, "" if name == "email" and value is None else value)
    if "active" in changes:
        user.absent_since = None  # an admin has decided; the directory does not take it back
    if "password" in changes:
        check_new_password(changes["password"])
        set_password(session, user, changes["password"])
    if changes.get("active") is False:
        end_sessions(session, user, clock)
    session.flush()
    return user


def disable_person(session: Session, user: User, by: User, clock: Clock = utc_now) -> User:
    """Take away all ways in: sign-in, sessions and keys. What they own stays.

    Raises Conflict if `by` is that person.
    """
    change_person(session, user, {"active": False}, by, clock)
    session.execute(
        update(ApiKey)
        .where(ApiKey.user_id == user.id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=clock())
        .execution_options(synchronize_session=False)
    )
    return user


def end_sessions(session: Session, user: User, clock: Clock = utc_now) -> None:
    """Sign `user` out of every browser."""
    user.session_epoch += 1
    session.flush()


def select_keys(user: User) -> Select[Any]:
    """The keys of `user`, revoked ones too."""
    return select(ApiKey).where(ApiKey.user_id == user.id)


def find_key(session: Session, user: User, name: str) -> ApiKey:
    """The key of that name; raises NotFound."""
    key = session.scalar(select_keys(user).where(ApiKey.name == name))
    if key is None:
        raise NotFound(f"{user.username} has no key {name[:63]}.")
    found: ApiKey = key
    return found


def check_expiry(expires_at: datetime | None, clock: Clock = utc_now) -> None:
    """Raises InvalidInput if a key would be dead from the start."""
    if expires_at is not None and expires_at <= clock():
        raise InvalidInput("The key was not made.", {"expires_at": "must be in the future"})


def select_projects(filters: Mapping[str, Any]) -> Select[Any]:
    """All projects, by `search` (how the name begins)."""
    found = select(Project)
    return found.where(begins_with(Project.name, filters["search"])) if "search" in filters else found


def find_project(session: Session, name: str) -> Project:
    """The project of that name; raises NotFound."""
    found = session.scalar(select(Project).where(Project.name == name))
    if found is None:
        raise NotFound(f"There is no project {name[:63]}.")
    project: Project = found
    return project


def make_project(session: Session, name: str, members: Iterable[str]) -> Project:
    """A new project; raises Conflict if the name is taken, InvalidInput for members that are not there."""
    if session.scalar(select(Project.id).where(Project.name == name)) is not None:
        raise Conflict(f"There is a project {name} already.", {"name": "is taken"})
    project = Project(name=name)
    session.add(project)
    session.flush()
    set_members(session, project, members)
    return project


def set_members(session: Session, project: Project, usernames: Iterable[str]) -> None:
    """Let exactly these people be in `project`. Deployments that are in it stay with their owners.

    Raises InvalidInput for names that are not there.
    """
    wanted = set(usernames)
    everybody = select(User).options(selectinload(User.projects))
    people = list(session.scalars(everybody.where(User.username.in_(wanted)))) if wanted else []
    missing = wanted - {person.username for person in people}
    if missing:
        text = f"there is no user {', '.join(sorted(missing)[:10])}"
        raise InvalidInput("The members were not changed.", {"members": text})
    present = everybody.join(Membership, Membership.user_id == User.id)
    for person in list(session.scalars(present.where(Membership.project_id == project.id))):
        if person.username not in wanted:
            person.projects.remove(project)
    for person in people:
        if project not in person.projects:
            person.projects.append(project)
    session.flush()


def members_of(session: Session, projects: Iterable[Project]) -> dict[int, list[str]]:
    """User names in each of `projects`, by the project's number, sorted."""
    found: dict[int, list[str]] = {project.id: [] for project in projects}
    rows = select(Membership.project_id, User.username).join(User, User.id == Membership.user_id)
    for number, username in session.execute(
        rows.where(Membership.project_id.in_(found)).order_by(User.username)
    ):
        found[number].append(username)
    return found


def _find_projects(session: Session, names: Iterable[str]) -> list[Project]:
    wanted = set(names)
    found = list(session.scalars(select(Project).where(Project.name.in_(wanted)))) if wanted else []
    missing = wanted - {project.name for project in found}
    if missing:
        text = f"there is no project {', '.join(sorted(missing)[:10])}"
        raise InvalidInput("The projects were not changed.", {"projects": text})
    return found
