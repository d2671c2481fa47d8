"""Looking who is still in the directory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from apiflask import APIFlask

from labyard.accounts.administration import change_person
from labyard.accounts.directory import DirectoryAway
from labyard.accounts.keys import create_key, find_key_owner
from labyard.accounts.ldap_sync import SyncOutcome, sync_people
from labyard.accounts.people import create_user, find_user
from labyard.context import session
from labyard.errors import Conflict, Unauthorized
from labyard.models import AuditEntry, User
from labyard.models.base import begin_writing
from labyard.worker import look_at_people
from tests.services.slapd_server import LOCKED_FOR_GOOD, SlapdServer

from .conftest import PASSWORD, door_to
from .test_sign_in import AT_HOME, enter

MakeApp = Callable[..., APIFlask]
LIVING = f"(&(uid={{username}})(!(pwdAccountLockedTime={LOCKED_FOR_GOOD})))"


def person(username: str) -> User:
    session().rollback()
    found = find_user(session(), username)
    assert found is not None
    return found


def sync(slapd: SlapdServer, *, force: bool = False, **further: str) -> SyncOutcome:
    begin_writing()
    return sync_people(session(), begin_writing, door_to(slapd, **further), force=force)


def populate(app: APIFlask, slapd: SlapdServer, *usernames: str) -> list[str]:
    """People who have signed in once; gives their entries' names."""
    names = [slapd.add_person(username, PASSWORD) for username in usernames]
    for username in usernames:
        assert enter(app, username, PASSWORD).status_code == 303
    return names


def test_person_when_gone_from_the_directory_then_session_and_keys_end_until_they_are_back(
    make_app: MakeApp, slapd: SlapdServer
) -> None:
    app = make_app(LABYARD_LDAP_FILTER=LIVING)
    (dn,) = populate(app, slapd, "ada")
    client = app.test_client()
    enter(app, "ada", PASSWORD, client)
    assert client.get("/", environ_base=AT_HOME).status_code == 200
    begin_writing()
    key = create_key(session(), person("ada"), "laptop")
    session().commit()
    slapd.change(dn, {"pwdAccountLockedTime": [LOCKED_FOR_GOOD]})
    look_at_people()
    assert (person("ada").active, person("ada").absent_since is None) == (False, False)
    assert client.get("/", environ_base=AT_HOME).status_code == 302
    with pytest.raises(Unauthorized):
        find_key_owner(session(), key)
    assert enter(app, "ada", PASSWORD).status_code == 401
    assert sync(slapd, LABYARD_LDAP_FILTER=LIVING) == SyncOutcome()

    slapd.change(dn, {"pwdAccountLockedTime": []})
    assert sync(slapd, LABYARD_LDAP_FILTER=LIVING) == SyncOutcome(back=("ada",))
    assert find_key_owner(session(), key).username == "ada"
    assert client.get("/", environ_base=AT_HOME).status_code == 302  # the old session stays ended
    assert enter(app, "ada", PASSWORD).status_code == 303


def test_sync_takes_over_what_has_changed_and_leaves_local_accounts_alone(
    make_app: MakeApp, slapd: SlapdServer
) -> None:
    app = make_app()
    (dn,) = populate(app, slapd, "ada")
    begin_writing()
    create_user(session(), "admin", "a long password", is_admin=True)
    session().commit()
    slapd.change(dn, {"mail": ["ada@example.org"]})
    slapd.add_group("physics", dn)
    assert sync(slapd, LABYARD_LDAP_PROJECTS="physics=quarks") == SyncOutcome()
    assert person("ada").email == "ada@example.org"
    assert [project.name for project in person("ada").projects] == ["default", "quarks"]
    assert person("admin").active
    version = person("ada").version
    sync(slapd, LABYARD_LDAP_PROJECTS="physics=quarks")
    assert person("ada").version == version


def test_person_whose_groups_let_them_in_no_more_is_gone(make_app: MakeApp, slapd: SlapdServer) -> None:
    populate(make_app(), slapd, "ada")
    assert sync(slapd, LABYARD_LDAP_ALLOWED_GROUPS="staff") == SyncOutcome(gone=("ada",))


def test_entry_when_it_is_another_one_of_that_name_then_the_person_is_gone(
    make_app: MakeApp, slapd: SlapdServer
) -> None:
    (dn,) = populate(make_app(), slapd, "ada")
    slapd.delete(dn)
    slapd.add_person("ada", PASSWORD)
    assert sync(slapd) == SyncOutcome(gone=("ada",))


def test_directory_when_away_then_nobody_is_disabled(make_app: MakeApp, slapd: SlapdServer) -> None:
    populate(make_app(), slapd, "ada")
    slapd.kill()
    with pytest.raises(DirectoryAway):
        sync(slapd)
    assert person("ada").active


def test_directory_when_it_knows_hardly_anybody_any_more_then_that_is_taken_for_a_fault(
    make_app: MakeApp, slapd: SlapdServer
) -> None:
    populate(make_app(), slapd, "ada", "bob", "cleo", "dora", "emil")
    nobody = {"LABYARD_LDAP_FILTER": "(&(objectClass=device)(uid={username}))"}
    with pytest.raises(Conflict, match=r"5 of 5 people .* nobody was disabled"):
        sync(slapd, **nobody)
    assert person("ada").active
    assert len(sync(slapd, force=True, **nobody).gone) == 5


def test_person_when_disabled_by_an_admin_then_the_directory_does_not_bring_them_back(
    make_app: MakeApp, slapd: SlapdServer
) -> None:
    (dn,) = populate(make_app(), slapd, "ada")
    slapd.delete(dn)
    assert sync(slapd).gone == ("ada",)
    begin_writing()
    change_person(session(), person("ada"), {"active": False})
    ada = person_in_transaction("ada")
    ada.directory_id = None
    session().commit()
    slapd.add_person("ada", PASSWORD)
    assert sync(slapd) == SyncOutcome()
    assert not person("ada").active


def person_in_transaction(username: str) -> User:
    found = find_user(session(), username)
    assert found is not None
    return found


def test_what_the_sync_does_to_people_is_in_the_audit_trail(make_app: MakeApp, slapd: SlapdServer) -> None:
    (dn,) = populate(make_app(), slapd, "ada")
    slapd.delete(dn)
    sync(slapd)
    last = session().query(AuditEntry).order_by(AuditEntry.id.desc()).first()
    assert last is not None
    assert (last.username, last.action, last.detail) == (
        "ada",
        "user disabled",
        {"user": "ada", "source": "ldap"},
    )
