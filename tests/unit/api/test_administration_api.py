"""People, keys, projects, the audit trail, webhooks, and several commands at once."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from labyard.accounts.audit import record_action
from labyard.accounts.people import check_password
from labyard.clock import utc_now
from labyard.context import session
from labyard.models import AuditEntry, Command, State, User
from labyard.models.base import begin_writing
from tests.unit.conftest import PASSWORD, end_command, issue, make_person

NEW = {"username": "bob", "password": "a long password"}


def test_person_is_made_changed_and_disabled(client: FlaskClient, admin: dict[str, str]) -> None:
    made = client.post("/api/v1/users", json={**NEW, "command_limit": 2}, headers=admin)
    assert (made.status_code, made.headers["Location"]) == (201, "/api/v1/users/bob")
    assert (made.json["command_limit"], made.json["projects"]) == (2, ["default"])
    assert "password" not in made.text
    change = {"email": "bob@example.org", "is_admin": True, "password": "another long password"}
    changed = client.patch("/api/v1/users/bob", json=change, headers=admin).json
    assert (changed["email"], changed["is_admin"]) == ("bob@example.org", True)
    assert check_password(session(), "bob", "another long password", "").username == "bob"
    gone = client.delete("/api/v1/users/bob", headers=admin)
    assert (gone.status_code, gone.json["active"]) == (200, False)
    entries = {entry.action for entry in session().query(AuditEntry).filter_by(username="root")}
    assert {"user made", "user changed", "user disabled"} <= entries


def test_disabled_person_has_no_way_in_and_may_come_back_without_old_keys(
    client: FlaskClient, admin: dict[str, str], ada: dict[str, str]
) -> None:
    epoch = session().query(User).filter_by(username="ada").one().session_epoch
    client.delete("/api/v1/users/ada", headers=admin)
    assert client.get("/api/v1/user", headers=ada).status_code == 401
    client.patch("/api/v1/users/ada", json={"active": True}, headers=admin)
    assert client.get("/api/v1/user", headers=ada).status_code == 401
    session().expire_all()
    person = session().query(User).filter_by(username="ada").one()
    assert person.session_epoch > epoch
    assert check_password(session(), "ada", PASSWORD, "") is person


@pytest.mark.parametrize("change", [{"active": False}, {"is_admin": False}])
def test_admin_does_not_lock_themselves_out(
    client: FlaskClient, admin: dict[str, str], change: dict[str, Any]
) -> None:
    assert client.patch("/api/v1/users/root", json=change, headers=admin).status_code == 409
    assert client.delete("/api/v1/users/root", headers=admin).status_code == 409
    assert client.get("/api/v1/user", headers=admin).json["is_admin"] is True


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**NEW, "username": "a b"}, "username"),
        ({**NEW, "username": "bob\n"}, "username"),
        ({**NEW, "password": "short"}, "password"),
        ({**NEW, "email": "nobody"}, "email"),
        ({**NEW, "projects": ["nowhere"]}, "projects"),
        ({**NEW, "command_limit": -1}, "command_limit"),
        ({**NEW, "is_admin": 1}, "is_admin"),
        ({**NEW, "colour": "red"}, "colour"),
    ],
)
def test_person_that_cannot_be_is_refused_at_the_field(
    client: FlaskClient, admin: dict[str, str], body: dict[str, Any], field: str
) -> None:
    answer = client.post("/api/v1/users", json=body, headers=admin)
    assert answer.status_code == 422
    assert field in answer.json["errors"]
    assert session().query(User).filter_by(username="bob").count() == 0


def test_people_change_of_themselves_what_is_theirs(client: FlaskClient, ada: dict[str, str]) -> None:
    answer = client.patch("/api/v1/user", json={"mail_on_end": True, "email": "a@example.org"}, headers=ada)
    assert (answer.json["mail_on_end"], answer.json["email"]) == (True, "a@example.org")
    for body in ({"is_admin": True}, {"command_limit": 99}, {"projects": []}, {"active": True}):
        assert client.patch("/api/v1/user", json=body, headers=ada).status_code == 422
    assert client.patch("/api/v1/user", json={"email": None}, headers=ada).json["email"] == ""


def test_key_is_shown_once_used_and_ended(client: FlaskClient, ada: dict[str, str]) -> None:
    made = client.post("/api/v1/user/keys", json={"name": "laptop"}, headers=ada)
    second = {"Authorization": f"Bearer {made.json['key']}"}
    assert client.get("/api/v1/user", headers=second).json["username"] == "ada"
    listed = client.get("/api/v1/user/keys", headers=ada)
    assert [key["name"] for key in listed.json["items"]] == ["laptop", "test"]
    assert made.json["key"] not in listed.text
    assert client.delete("/api/v1/user/keys/laptop", headers=second).status_code == 409
    assert client.delete("/api/v1/user/keys/laptop", headers=ada).status_code == 204
    assert client.get("/api/v1/user", headers=second).status_code == 401
    assert client.delete("/api/v1/user/keys/laptop", headers=ada).status_code == 404


def test_key_expires_in_the_future_or_not_at_all(client: FlaskClient, ada: dict[str, str]) -> None:
    past = (utc_now() - timedelta(hours=1)).isoformat()
    answer = client.post("/api/v1/user/keys", json={"name": "old", "expires_at": past}, headers=ada)
    assert answer.json["errors"] == {"expires_at": "must be in the future"}
    later = (utc_now() + timedelta(hours=1)).isoformat()
    answer = client.post("/api/v1/user/keys", json={"name": "new", "expires_at": later}, headers=ada)
    assert answer.status_code == 201


def test_project_has_the_members_that_were_named_last(
    client: FlaskClient, admin: dict[str, str], ada: dict[str, str]
) -> None:
    made = client.post("/api/v1/projects", json={"name": "lab", "members": ["ada"]}, headers=admin)
    assert (made.status_code, made.json["members"]) == (201, ["ada"])
    assert client.get("/api/v1/user", headers=ada).json["projects"] == ["default", "lab"]
    changed = client.patch("/api/v1/projects/lab", json={"members": ["root"]}, headers=admin)
    assert changed.json["members"] == ["root"]
    assert client.get("/api/v1/user", headers=ada).json["projects"] == ["default"]
    unknown = client.patch("/api/v1/projects/lab", json={"members": ["nobody"]}, headers=admin)
    assert unknown.json["errors"] == {"members": "there is no user nobody"}
    assert client.post("/api/v1/projects", json={"name": "lab"}, headers=admin).status_code == 409
    assert client.get("/api/v1/users?project=lab", headers=admin).json["items"][0]["username"] == "root"


def test_membership_makes_a_new_version_of_the_person(client: FlaskClient, admin: dict[str, str]) -> None:
    make_person("bob")
    before = client.get("/api/v1/users/bob", headers=admin).json["version"]
    client.post("/api/v1/projects", json={"name": "lab", "members": ["bob"]}, headers=admin)
    assert client.get("/api/v1/users/bob", headers=admin).json["version"] == before + 1


def test_audit_trail_is_read_as_json_and_as_csv(client: FlaskClient, admin: dict[str, str]) -> None:
    begin_writing()
    for number in range(3):
        record_action(session(), "=cmd", f"action {number}", "10.0.0.1", note='a "quoted", text')
    session().commit()
    path = "/api/v1/audit?username=%3Dcmd&limit=2&sort=at"
    page = client.get(path, headers=admin)
    assert [entry["action"] for entry in page.json["items"]] == ["action 0", "action 1"]
    table = client.get(path, headers={**admin, "Accept": "text/csv"})
    assert table.content_type == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["action"] for row in rows] == ["action 0", "action 1"]
    assert rows[0]["username"] == "'=cmd"  # no formula for a spreadsheet
    assert table.headers["Link"] == page.headers["Link"]


def test_webhook_shows_its_secret_once(client: FlaskClient, ada: dict[str, str]) -> None:
    made = client.post("/api/v1/webhooks", json={"url": "https://example.org/hook"}, headers=ada)
    assert made.status_code == 201
    assert made.json["secret"].startswith("whsec_")
    for path in ("/api/v1/webhooks", made.headers["Location"]):
        assert made.json["secret"] not in client.get(path, headers=ada).text
    tested = client.post(f"{made.headers['Location']}/test", headers=ada)
    assert tested.status_code == 202
    notices = client.get(f"{made.headers['Location']}/notices", headers=ada).json["items"]
    assert [notice["id"] for notice in notices] == [tested.json["id"]]
    off = client.patch(made.headers["Location"], json={"active": False}, headers=ada)
    assert off.json["active"] is False
    assert client.delete(made.headers["Location"], headers=ada).status_code == 204
    assert client.get(made.headers["Location"], headers=ada).status_code == 404


def test_several_commands_have_a_result_each(client: FlaskClient, ada: dict[str, str]) -> None:
    one = {"plan": "notebook", "phase": "install", "name": "one"}
    wanted = [
        one,
        one,
        {"plan": "notebook", "phase": "install", "name": "two", "params": {"cpu_limit": "much"}},
        {"phase": "stop", "deployment": "aaaaaaaa"},
        {"phase": "explode"},
        {"plan": "notebook", "phase": "install", "name": "three"},
    ]
    answer = client.post("/api/v1/commands/bulk", json={"commands": wanted}, headers=ada)
    assert answer.status_code == 200
    assert [item["status"] for item in answer.json["items"]] == [202, 409, 422, 404, 422, 202]
    for item in answer.json["items"]:
        assert set(item) == {"status", "command" if item["status"] == 202 else "problem"}
    assert answer.json["items"][2]["problem"]["errors"].keys() == {"cpu_limit"}
    assert answer.json["items"][4]["problem"]["errors"].keys() == {"phase"}
    assert session().query(Command).count() == 2


@pytest.mark.parametrize("commands", [[], [{}] * 101, "all", [1]])
def test_list_of_commands_that_is_none_is_refused(
    client: FlaskClient, ada: dict[str, str], commands: Any
) -> None:
    answer = client.post("/api/v1/commands/bulk", json={"commands": commands}, headers=ada)
    assert answer.status_code == 422


def test_failed_command_is_asked_for_again(client: FlaskClient, ada: dict[str, str]) -> None:
    first = issue(client, ada).json
    assert client.post(f"/api/v1/commands/{first['id']}/retry", headers=ada).status_code == 409
    begin_writing()
    command = session().get_one(Command, first["id"])
    end_command(command, State.FAILED)
    command.deployment.state = State.PENDING
    command.deployment.state = State.FAILED
    session().commit()
    again = client.post(f"/api/v1/commands/{first['id']}/retry", headers=ada)
    assert (again.status_code, again.json["retry_of"]) == (202, first["id"])
    assert again.headers["Location"] == f"/api/v1/commands/{again.json['id']}"


def test_command_tells_its_place_in_the_queue(client: FlaskClient, ada: dict[str, str]) -> None:
    first, second = (issue(client, ada, name=name).json["id"] for name in ("one", "two"))
    places = {
        item["id"]: item["queue_position"]
        for item in client.get("/api/v1/commands", headers=ada).json["items"]
    }
    assert places == {first: 1, second: 2}
    one = client.get(f"/api/v1/commands/{second}", headers=ada).json
    assert (one["queue_position"], one["attempts"], one["check"], one["priority"]) == (2, 0, False, 0)


def test_deployment_is_removed_by_its_address(client: FlaskClient, ada: dict[str, str]) -> None:
    first = issue(client, ada).json
    begin_writing()
    command = session().get_one(Command, first["id"])
    end_command(command)
    command.deployment.state = State.PENDING
    command.deployment.state = State.COMPLETED
    session().commit()
    path = f"/api/v1/deployments/{first['deployment']['id']}"
    answer = client.delete(f"{path}?keep_data=false", headers=ada)
    assert (answer.status_code, answer.json["phase"]) == (202, "remove")
    assert answer.json["params"]["keep_data"] is False
    assert answer.headers["Location"] == f"/api/v1/commands/{answer.json['id']}"
    assert client.delete(path, headers=ada).status_code == 409
