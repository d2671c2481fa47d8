"""Commands that an admin asks for on somebody else's behalf."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from labyard.context import session
from labyard.models import AuditEntry, Deployment, User
from labyard.models.base import begin_writing
from tests.unit.conftest import Key, issue


def test_install_for_somebody_is_theirs_and_the_trail_says_who_asked(
    client: FlaskClient, ada: Key, admin: Key
) -> None:
    made = issue(client, admin, owner="ada")
    assert (made.status_code, made.json["issuer"]) == (202, "root")
    place = f"/api/v1/deployments/{made.json['deployment']['id']}"
    assert client.get(place, headers=ada).json["owner"] == "ada"
    entry = session().scalars(select(AuditEntry).where(AuditEntry.action == "command install")).one()
    assert (entry.username, entry.detail["owner"]) == ("root", "ada")


def test_install_without_an_owner_is_ones_own_and_the_trail_names_none(client: FlaskClient, ada: Key) -> None:
    made = issue(client, ada, owner=None)
    assert made.status_code == 202
    entry = session().scalars(select(AuditEntry).where(AuditEntry.action == "command install")).one()
    assert (entry.username, "owner" in entry.detail) == ("ada", False)


@pytest.mark.parametrize("owner", ["ada", "root", "nobody"])
def test_owner_from_a_person_who_is_no_admin_is_forbidden_at_the_field(
    client: FlaskClient, ada: Key, admin: Key, owner: str
) -> None:
    answer = issue(client, ada, owner=owner)
    assert (answer.status_code, set(answer.json["errors"])) == (403, {"owner"})
    assert answer.content_type == "application/problem+json"
    assert session().query(Deployment).count() == 0


@pytest.mark.parametrize("owner", ["nobody", "no body", "", 5])
def test_owner_who_is_not_there_is_reported_at_the_field(client: FlaskClient, admin: Key, owner: Any) -> None:
    answer = issue(client, admin, owner=owner)
    assert (answer.status_code, set(answer.json["errors"])) == (422, {"owner"})


def test_owner_who_is_disabled_gets_nothing_new(client: FlaskClient, ada: Key, admin: Key) -> None:
    begin_writing()
    session().scalars(select(User).where(User.username == "ada")).one().active = False
    session().commit()
    answer = issue(client, admin, owner="ada")
    assert (answer.status_code, "is disabled" in answer.json["errors"]["owner"]) == (422, True)


def test_owners_project_and_names_count_and_not_the_admins(client: FlaskClient, ada: Key, admin: Key) -> None:
    assert issue(client, admin).status_code == 202
    assert issue(client, admin, owner="ada").status_code == 202
    taken = issue(client, admin, owner="ada")
    assert (taken.status_code, "deployment of ada" in taken.json["errors"]["name"]) == (409, True)
    elsewhere = issue(client, admin, owner="ada", name="other", project="elsewhere")
    assert elsewhere.json["errors"]["project"].startswith("is not one of ada's projects")


def test_other_phase_finds_the_owners_deployment_and_its_version(
    client: FlaskClient, ada: Key, admin: Key
) -> None:
    made = issue(client, admin, owner="ada").json["deployment"]
    stale = issue(client, {**admin, "If-Match": '"99"'}, owner="ada", phase="remove")
    assert stale.status_code == 412
    busy = issue(client, admin, owner="ada", phase="stop")
    assert (busy.status_code, "is running for demo" in busy.json["detail"]) == (409, True)
    nobodys = issue(client, admin, phase="stop")
    assert nobodys.status_code == 404
    other = {"plan": None, "name": None, "deployment": made["id"], "phase": "stop"}
    wrong = issue(client, admin, owner="root", **other)
    assert (wrong.status_code, wrong.json["errors"]) == (422, {"owner": "the deployment demo is ada's"})


def test_bulk_takes_an_owner_for_each(client: FlaskClient, ada: Key, admin: Key) -> None:
    install = {"plan": "notebook", "phase": "install", "name": "demo"}
    body = {"commands": [{**install, "owner": "ada"}, {**install, "owner": "nobody"}, install]}
    items = client.post("/api/v1/commands/bulk", json=body, headers=admin).json["items"]
    assert [item["status"] for item in items] == [202, 422, 202]
