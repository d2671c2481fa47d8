"""Notebooks of the hub, as people see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask.testing import FlaskClient

from labyard.hubs import servers
from labyard.hubs.client import HubClient
from tests.services.hub_server import TOKEN, HubServer


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A hub that the console knows."""
    server = HubServer()
    monkeypatch.setattr(servers, "open_hub", lambda _: HubClient(server.url, TOKEN))
    yield server
    server.close()


@pytest.fixture
def root(make_person: Callable[..., str], sign_in: Callable[[str], FlaskClient]) -> FlaskClient:
    """A browser in which an admin is signed in."""
    return sign_in(make_person("root", is_admin=True))


def test_page_when_there_is_no_hub_then_says_so_and_nothing_leads_there(maria: FlaskClient) -> None:
    assert "There is no hub" in maria.get("/hub").text
    assert 'href="/hub"' not in maria.get("/deployments").text


def test_page_when_notebooks_run_then_an_admin_sees_and_stops_them(
    hub: HubServer, root: FlaskClient, maria: FlaskClient
) -> None:
    hub.run("<ada>")
    page = root.get("/hub").text
    assert "&lt;ada&gt;" in page
    assert "<ada>" not in page
    assert "ada" not in maria.get("/hub").text
    assert root.post("/hub/stop", data={"owner": "<ada>", "name": ""}).status_code == 303
    assert hub.stopped == [("<ada>", "")]


def test_stop_when_it_is_not_ones_own_then_says_so_on_the_page(hub: HubServer, maria: FlaskClient) -> None:
    hub.run("ada")
    assert maria.post("/hub/stop", data={"owner": "ada", "name": ""}).status_code == 303
    assert "You have no such notebook" in maria.get("/hub").text
    assert hub.stopped == []


def test_page_when_the_hub_is_away_then_says_so(hub: HubServer, root: FlaskClient) -> None:
    hub.close()
    assert "The hub does not answer" in root.get("/hub").text
