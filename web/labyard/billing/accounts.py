"""Who pays: which account a record belongs to, and who may see an account."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.parties import Party
from labyard.clock import Clock, utc_now
from labyard.errors import Conflict, InvalidInput, NotFound
from labyard.models import AccountPerson, AccountProject, BillingAccount, Project, TariffVersion, User

from .payers import PERSON, PROJECT, Payers

_TEXTS = ("holder", "address", "tax_id", "email")


def read_payers(session: Session) -> Payers:
    """The present payers."""
    rows = (
        select(Project.name, BillingAccount.name)
        .join(AccountProject, AccountProject.project_id == Project.id)
        .join(BillingAccount, BillingAccount.id == AccountProject.account_id)
    )
    return Payers({project: account for project, account in session.execute(rows)})


def ensure_accounts(session: Session, names: Collection[str], clock: Clock = utc_now) -> set[str]:
    """Make those accounts of persons and projects that are missing; the names that stand for nobody.

    Any other account is one that an admin has made before.
    """
    known = set(session.scalars(select(BillingAccount.name).where(BillingAccount.name.in_(names))))
    missing = set(names) - known
    made = sorted(name for name in missing if name.startswith((PERSON, PROJECT)) and name[-1] != ":")
    if made:
        _insert_unless_there(session, made, clock)
    return missing - set(made)


def _insert_unless_there(session: Session, names: list[str], clock: Clock) -> None:
    """Several writers may meet the same new person at once."""
    kinds: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
    row = {"holder": "", "address": "", "tax_id": "", "email": "", "version": 1, "created_at": clock()}
    statement = kinds[session.get_bind().dialect.name](BillingAccount).on_conflict_do_nothing()
    session.execute(statement, [{**row, "name": name} for name in names])
    people = {name.removeprefix(PERSON): name for name in names if name.startswith(PERSON)}
    found = session.execute(
        select(BillingAccount.id, User.id)
        .join(User, BillingAccount.name == PERSON + User.username)
        .where(User.username.in_(people))
        .where(~select(AccountPerson.user_id).where(AccountPerson.account_id == BillingAccount.id).exists())
    ).all()
    if found:
        rows = [{"account_id": account, "user_id": person} for account, person in found]
        session.execute(kinds[session.get_bind().dialect.name](AccountPerson).on_conflict_do_nothing(), rows)


def find_account(session: Session, name: str) -> BillingAccount:
    """The account of that name; raises NotFound."""
    found = session.scalar(select(BillingAccount).where(BillingAccount.name == name))
    if found is None:
        raise NotFound(f"There is no account {name[:80]}.")
    account: BillingAccount = found
    return account


def account_names_of(person: User) -> Select[Any]:
    """The names of the accounts that `person` may see."""
    return (
        select(BillingAccount.name)
        .join(AccountPerson, AccountPerson.account_id == BillingAccount.id)
        .where(AccountPerson.user_id == person.id)
    )


def accounts_of(person: User) -> Select[Any]:
    """The accounts that `person` may see; an admin's are all."""
    query = select(BillingAccount)
    if person.is_admin:
        return query
    mine = select(AccountPerson.account_id).where(AccountPerson.user_id == person.id)
    return query.where(BillingAccount.id.in_(mine))


def get_account(session: Session, person: User, name: str) -> BillingAccount:
    """The account of that name; raises NotFound if there is none that `person` may see."""
    found = session.scalar(accounts_of(person).where(BillingAccount.name == name))
    if found is None:
        raise NotFound(f"There is no account {name[:80]} of yours.")
    account: BillingAccount = found
    return account


def make_account(session: Session, document: Mapping[str, Any]) -> BillingAccount:
    """A new account; raises Conflict if the name is taken, InvalidInput for people and projects that are
    not there."""
    name = document["name"]
    if session.scalar(select(BillingAccount.id).where(BillingAccount.name == name)) is not None:
        raise Conflict(f"There is an account {name} already.", {"name": "is taken"})
    account = BillingAccount(name=name)
    session.add(account)
    session.flush()
    person = session.scalar(select(User).where(PERSON + User.username == name))
    if person is not None:
        account.people.append(person)
    change_account(session, account, document)
    return account


def change_account(session: Session, account: BillingAccount, document: Mapping[str, Any]) -> None:
    """Change what `document` names of: holder, address, tax_id, email, tariff, people, projects.

    Raises InvalidInput for names that are not there, Conflict for a project that another account pays for.
    """
    for name in _TEXTS:
        if name in document:
            setattr(account, name, document[name] or "")
    if "tariff" in document:
        account.tariff = _check_tariff(session, document["tariff"])
    if "people" in document:
        account.people = _find(session, User, User.username, document["people"], "people", "user")
    if "projects" in document:
        wanted = _find(session, Project, Project.name, document["projects"], "projects", "project")
        _check_free(session, account, wanted)
        account.projects = wanted
    session.flush()


def customer_of(account: BillingAccount) -> Party:
    """The account as an invoice copies it; the projects it pays for are its groups."""
    return Party(
        name=account.holder or account.name,
        account=account.name,
        address=account.address,
        tax_id=account.tax_id,
        email=account.email,
        groups=tuple(project.name for project in account.projects),
    )


def _check_tariff(session: Session, name: str | None) -> str | None:
    known = select(TariffVersion.id).where(TariffVersion.name == name).limit(1)
    if name and session.scalar(known) is None:
        raise InvalidInput("The account was not changed.", {"tariff": f"there is no tariff {name}"})
    return name or None


def _check_free(session: Session, account: BillingAccount, projects: Iterable[Project]) -> None:
    numbers = [project.id for project in projects]
    taken = session.execute(
        select(Project.name, BillingAccount.name)
        .join(AccountProject, AccountProject.project_id == Project.id)
        .join(BillingAccount, BillingAccount.id == AccountProject.account_id)
        .where(Project.id.in_(numbers), BillingAccount.id != account.id)
    ).first()
    if taken is not None:
        raise Conflict(
            f"The account {taken[1]} pays for the project {taken[0]}. Take it out there first.",
            {"projects": f"{taken[0]} is paid for by {taken[1]}"},
        )


def _find(session: Session, kind: Any, column: Any, names: Iterable[str], field: str, word: str) -> list[Any]:
    wanted = set(names)
    found = list(session.scalars(select(kind).where(column.in_(wanted)))) if wanted else []
    missing = wanted - {getattr(row, column.key) for row in found}
    if missing:
        text = f"there is no {word} {', '.join(sorted(missing)[:10])}"
        raise InvalidInput("The account was not changed.", {field: text})
    return found
