"""The list of deployments: what a person searches and filters for, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from labyard.accounts.scope import deployments_of
from labyard.models import Deployment, Health, Plan, State, User

PAGE_SIZE = 25


@dataclass(frozen=True)
class Filters:
    """What was asked for; an empty field filters nothing."""

    q: str = ""  # part of the name
    state: str = ""  # name of a State
    health: str = ""
    plan: str = ""
    owner: str = ""  # user name; for admins
    removed: bool = False  # show removed ones too

    @property
    def any(self) -> bool:
        """Whether anything was asked for."""
        return self != Filters()

    def query(self, page: int = 1) -> dict[str, Any]:
        """The filters as arguments of an address, those that are set."""
        given = {name: value for name, value in asdict(self).items() if value}
        return {**given, **({"page": page} if page > 1 else {})} | ({"removed": 1} if self.removed else {})


@dataclass(frozen=True)
class Page:
    """One page of the list."""

    rows: list[Deployment]
    number: int  # from 1
    pages: int
    total: int  # rows on all pages


def read_filters(args: Mapping[str, str], person: User) -> Filters:
    """The filters in an address; values that do not exist filter nothing."""
    state, health = args.get("state", "").upper(), args.get("health", "").lower()
    filters = Filters(
        q=args.get("q", "").strip()[:63],
        state=state if state in State.__members__ else "",
        health=health if health in set(Health) else "",
        plan=args.get("plan", "")[:30],
        removed=args.get("removed", "") in ("1", "on", "true"),
    )
    return replace(filters, owner=args.get("owner", "")[:64]) if person.is_admin else filters


def read_page(session: Session, person: User, filters: Filters, wanted: str) -> Page:
    """The page `wanted` (a number from 1) of what `person` may see; a wrong number gives the nearest."""
    found = _filtered(person, filters)
    total = session.scalar(select(func.count()).select_from(found.subquery())) or 0
    pages = max(1, -(-total // PAGE_SIZE))
    number = min(max(1, int(wanted) if wanted.isdecimal() and len(wanted) < 9 else 1), pages)
    ordered = found.order_by(Deployment.created_at.desc(), Deployment.id)
    rows = session.scalars(ordered.limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE))
    return Page(list(rows), number, pages, total)


def plans_in_use(session: Session, person: User) -> list[Plan]:
    """The plans of which `person` may see deployments, by title."""
    ids = deployments_of(person).with_only_columns(Deployment.plan_id)
    return list(session.scalars(select(Plan).where(Plan.id.in_(ids)).order_by(Plan.title)))


def owners(session: Session, person: User) -> list[str]:
    """User names of the owners of what `person` may see."""
    ids = deployments_of(person).with_only_columns(Deployment.owner_id)
    return list(session.scalars(select(User.username).where(User.id.in_(ids)).order_by(User.username)))


def _filtered(person: User, filters: Filters) -> Select[Any]:
    found = deployments_of(person)
    if filters.state:
        found = found.where(Deployment.state == State[filters.state])
    elif not filters.removed:
        found = found.where(Deployment.state != State.REMOVED)
    if filters.q:
        found = found.where(Deployment.name.icontains(filters.q, autoescape=True))
    if filters.health:
        found = found.where(Deployment.health == filters.health)
    if filters.plan:
        found = found.where(Deployment.plan.has(Plan.name == filters.plan))
    if filters.owner:
        found = found.where(Deployment.owner.has(User.username == filters.owner))
    return found
