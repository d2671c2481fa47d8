"""Notebooks of the hub, in the console."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from labyard.errors import InvalidInput
from labyard.models import AuditEntry, db
from labyard.models.accounts import LDAP
from labyard.models.base import begin_writing
from labyard.settings import Settings, read_settings
from tests.services.hub_server import TOKEN, HubServer
from tests.unit.conftest import key_of, make_person


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """A hub at which ada has two notebooks, and others one each."""
    server = HubServer()
    server.run("ada")
    server.run("ada", "second", ready=False, pending="spawn", user_options={})
    for name in ("bob", "eve", "zoe"):
        server.run(name)
    server.run("was-here", ready=False)
    yield server
    server.close()


@pytest.fixture
def settings(
    settings: Settings, hub: HubServer, tmp_path: Path, console_database: dict[str, str]
) -> Settings:
    """A console that knows the hub."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    environment = {"LABYARD_HUB_URL": f"{hub.url}/", "LABYARD_HUB_TOKEN_FILE": str(tmp_path / "token")}
    return read_settings({"LABYARD_HOME": str(settings.home), **environment, **console_database})


def person(username: str, *, source: str = LDAP, is_admin: bool = False) -> dict[str, str]:
    """A person's headers."""
    made = make_person(username, is_admin=is_admin)
    begin_writing()
    made.source = source
    db.session.commit()
    return key_of(made)


def names(client: FlaskClient, headers: dict[str, str]) -> list[tuple[str, str, str]]:
    """What the list holds."""
    answer = client.get("/api/v1/hub/servers", headers=headers)
    assert answer.status_code == 200, answer.text
    return [(item["owner"], item["name"], item["state"]) for item in answer.json["items"]]


def test_list_when_asked_by_a_person_then_their_own(client: FlaskClient, hub: HubServer) -> None:
    assert names(client, person("ada")) == [("ada", "", "running"), ("ada", "second", "starting")]
    assert names(client, person("newcomer")) == []
    item = client.get("/api/v1/hub/servers", headers=person("Bob")).json["items"][0]
    assert item["url"] == f"{hub.url}/hub/user/bob/"
    assert (item["plan"], item["started_at"]) == ("small", "2026-11-21T10:00:00.000Z")


def test_list_when_asked_by_an_admin_then_all_pages(client: FlaskClient) -> None:
    found = names(client, person("root", source="local", is_admin=True))
    assert [owner for owner, _, _ in found] == ["ada", "ada", "bob", "eve", "zoe"]


def test_list_when_a_local_account_has_the_name_then_nothing_is_theirs(
    client: FlaskClient, hub: HubServer
) -> None:
    headers = person("ada", source="local")
    assert names(client, headers) == []
    assert client.delete("/api/v1/hub/servers/ada", headers=headers).status_code == 404
    assert hub.stopped == []


def test_stop_when_it_is_ones_own_then_is_stopped_and_written_down(
    client: FlaskClient, hub: HubServer
) -> None:
    headers = person("bob")
    assert client.delete("/api/v1/hub/servers/bob", headers=headers).status_code == 204
    assert hub.stopped == [("bob", "")]
    entry = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert (entry.username, entry.action) == ("bob", "hub notebook stopped")
    assert entry.detail == {"owner": "bob", "server": ""}


@pytest.mark.parametrize("path", ["ada", "ada/second", "nobody", "..%2f..%2fproxy"])
def test_stop_when_it_is_somebody_elses_then_not_found(
    client: FlaskClient, hub: HubServer, path: str
) -> None:
    assert client.delete(f"/api/v1/hub/servers/{path}", headers=person("bob")).status_code == 404
    assert hub.stopped == []


def test_stop_when_asked_by_an_admin_then_anybodys(client: FlaskClient, hub: HubServer) -> None:
    headers = person("root", source="local", is_admin=True)
    assert client.delete("/api/v1/hub/servers/eve", headers=headers).status_code == 204
    assert client.delete("/api/v1/hub/servers/nobody", headers=headers).status_code == 404
    assert client.delete("/api/v1/hub/servers/ada/second", headers=headers).status_code == 409
    assert hub.stopped == [("eve", "")]


def test_hub_when_away_then_both_interfaces_say_so(client: FlaskClient, hub: HubServer) -> None:
    headers = person("ada")
    hub.close()
    answer = client.get("/api/v1/hub/servers", headers=headers)
    assert answer.status_code == 503
    assert "Notebooks that run go on" in answer.json["detail"]


def test_hub_when_it_does_not_know_the_token_then_an_admin_can_read_what_to_do(
    client: FlaskClient, settings: Settings
) -> None:
    assert settings.hub_token_file is not None
    settings.hub_token_file.write_text("another")
    answer = client.get("/api/v1/hub/servers", headers=person("ada"))
    assert answer.status_code == 503
    assert "same token" in answer.json["detail"]


def test_settings_when_there_is_no_token_then_says_which_variable(tmp_path: Path) -> None:
    settings = read_settings({"LABYARD_HOME": str(tmp_path), "LABYARD_HUB_URL": "https://hub.example.org"})
    with pytest.raises(InvalidInput, match="LABYARD_HUB_TOKEN_FILE"):
        settings.hub_token()
