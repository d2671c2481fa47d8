"""Who may pass to a deployment, where they are led, and what those read who may not."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import pytest
from werkzeug.http import parse_cookie

from labyard.models import State
from tests.conftest import wait_until
from tests.integration.edge_house import ENTERED, TOKEN, Browser, EdgeHouse
from tests.services.nginx_server import APPS


def test_owner_when_coming_to_a_deployment_then_signs_in_once_and_is_where_they_wanted_to_be(
    house: EdgeHouse, demo: str
) -> None:
    browser = house.browser()
    asked = f"{house.origin(demo)}/lab/tree/my%20notes.ipynb?reset=1&a=%C3%A4"
    form = browser.get(asked)
    assert urlsplit(form.url).path == "/sign-in"
    arrived = browser.submit(form, username="ada", password="correct horse battery")
    assert arrived.url == asked
    assert arrived.json()["path"] == "/lab/tree/my%20notes.ipynb?reset=1&a=%C3%A4"
    assert browser.get(f"{house.origin(demo)}/next", allow_redirects=False).status_code == 200


def test_owner_when_let_in_then_the_program_gets_its_token_and_none_of_our_secrets(
    house: EdgeHouse, ada: Browser, demo: str
) -> None:
    ada.get(f"{house.origin(demo)}/")
    ada.cookies.set("_xsrf", "2|abc", domain=f"{demo}.{APPS}", path="/")
    seen = ada.get(
        f"{house.origin(demo)}/api",
        headers={"Authorization": "Bearer mine", "X-Labyard-Edge": "x", "X-Forwarded-For": "192.0.2.1"},
    ).json()["headers"]
    assert seen["authorization"] == f"Bearer {TOKEN}"
    assert parse_cookie(seen["cookie"]).to_dict() == {"_xsrf": "2|abc"}
    assert seen["host"] == f"{demo}.{house.nginx.apps_domain}"
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("127.0.0.1", "https")
    assert not [name for name in seen if name.startswith("x-labyard")]


def test_owner_when_opening_from_the_console_then_no_secret_stands_in_an_address(
    house: EdgeHouse, ada: Browser, demo: str
) -> None:
    arrived = ada.get(f"{house.nginx.console_url}/deployments/{demo}/open")
    assert arrived.url == f"{house.origin(demo)}/lab"
    assert TOKEN not in "".join(step.headers["Location"] for step in arrived.history)


def _what_is_read(page: str) -> str:
    """The words of a page, without the request's id and the forms' tokens, which carry the time."""
    return re.sub(r"<[^>]*>", "", page).split("Request ")[0]


def test_somebody_else_when_coming_then_is_refused_in_the_words_for_what_is_not_there(
    house: EdgeHouse, demo: str
) -> None:
    browser = house.browser()
    browser.sign_in("bob")
    refused = browser.get(f"{house.origin(demo)}/lab")
    assert refused.status_code == 403
    assert "that you may open" in refused.text
    nowhere = browser.get(f"{house.origin('zzzzzzzz')}/lab")
    assert nowhere.status_code == 403
    assert _what_is_read(nowhere.text.replace("zzzzzzzz", demo)) == _what_is_read(refused.text)


def test_somebody_else_when_bringing_the_owners_pass_of_another_deployment_then_is_refused(
    house: EdgeHouse, ada: Browser, demo: str
) -> None:
    ada.get(f"{house.origin(demo)}/")
    stolen = parse_cookie(ada.cookies_for(f"{house.origin(demo)}/"))[ENTERED]
    other = house.deploy("bob")
    answer = house.browser().get(
        f"{house.origin(other)}/", headers={"Cookie": f"{ENTERED}={stolen}", "Sec-Fetch-Mode": "cors"}
    )
    assert answer.status_code == 401


def test_admin_when_coming_then_is_asked_first_and_that_is_written_down(house: EdgeHouse, demo: str) -> None:
    browser = house.browser()
    browser.sign_in("root")
    page = browser.get(f"{house.origin(demo)}/lab")
    assert page.status_code == 200
    assert "Enter" in page.text
    assert f"form-action 'self' {house.origin(demo)}" in page.headers["Content-Security-Policy"]
    assert browser.submit(page).json()["path"] == "/lab"
    written = house.console.query("SELECT username, detail FROM audit WHERE action = 'deployment entered'")
    (detail,) = [d for name, d in written if name == "root"]
    detail = detail if isinstance(detail, dict) else json.loads(detail)
    assert (detail["deployment"], detail["owner"]) == (demo, "ada")


def test_deployment_when_it_is_stopped_then_people_see_how_to_start_it_and_programs_503(
    house: EdgeHouse, ada: Browser, demo: str
) -> None:
    house.change(demo, health="stopped", endpoints=[])
    page = ada.get(f"{house.origin(demo)}/lab")
    assert page.status_code == 503
    assert f"/deployments/{demo}" in page.text
    house.change(demo, health="running", endpoints=_endpoints(house, demo))
    assert ada.get(f"{house.origin(demo)}/lab").status_code == 200
    house.change(demo, health="stopped", endpoints=[])
    fetched = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    wait_until(
        lambda: ada.get(f"{house.origin(demo)}/api", headers=fetched).status_code == 503,
        15,
        "refused with 503",
    )


def _endpoints(house: EdgeHouse, deployment: str) -> list[dict[str, str]]:
    upstream = f"t-edge-{deployment}_notebook:{house.program.port}"
    url = f"{house.origin(deployment)}/lab"
    return [{"name": "JupyterLab", "url": url, "access": "token", "upstream": upstream}]


def test_deployment_when_it_is_removed_then_there_is_nothing(house: EdgeHouse, ada: Browser) -> None:
    gone = house.deploy("ada")
    house.change(gone, state=State.PENDING)
    house.change(gone, state=State.REMOVED, endpoints=[])
    page = ada.get(f"{house.origin(gone)}/lab")
    assert (page.status_code, "is removed" in page.text) == (404, True)


def test_deployment_when_its_role_names_a_place_of_others_then_nobody_is_led_there(
    house: EdgeHouse, ada: Browser, demo: str
) -> None:
    other = house.deploy("bob")
    house.change(demo, endpoints=_endpoints(house, other))
    page = ada.get(f"{house.origin(demo)}/lab")
    assert (page.status_code, "none of its own" in page.text) == (404, True)


def test_deployment_when_it_does_not_answer_then_the_page_says_where_to_look(
    house: EdgeHouse, ada: Browser, demo: str
) -> None:
    house.names.away.add(f"t-edge-{demo}_notebook")
    page = ada.get(f"{house.origin(demo)}/lab")
    assert page.status_code == 502
    assert f"{house.nginx.console_url}/deployments/{demo}" in page.text
    house.names.away.clear()
    wait_until(lambda: ada.get(f"{house.origin(demo)}/lab").ok, 60, "the name is looked up again")


def test_deployment_when_it_refuses_by_itself_then_its_own_words_pass(
    house: EdgeHouse, ada: Browser, demo: str
) -> None:
    refused = ada.get(f"{house.origin(demo)}/own-403")
    assert (refused.status_code, refused.json()["path"]) == (403, "/own-403")


def test_account_when_it_is_closed_then_its_passes_end_within_seconds(house: EdgeHouse) -> None:
    house.make_person("eve")
    eve, hers = house.browser(), house.deploy("eve")
    eve.sign_in("eve")
    assert eve.get(f"{house.origin(hers)}/").status_code == 200
    house.console.query("UPDATE users SET session_epoch = session_epoch + 1 WHERE username = 'eve'")
    fetched = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    wait_until(
        lambda: eve.get(f"{house.origin(hers)}/", headers=fetched).status_code == 401, 60, "eve is refused"
    )


def test_ticket_when_used_then_serves_nobody_again(house: EdgeHouse, ada: Browser, demo: str) -> None:
    arrived = ada.get(f"{house.origin(demo)}/lab")
    ticket = next(s.url for s in arrived.history if "/_labyard/enter" in s.url)
    assert ada.get(ticket).status_code == 403  # it took back what the ticket was bound to
    stranger = house.browser()
    assert stranger.get(ticket).status_code == 403
    stranger.get(f"{house.origin(demo)}/lab", allow_redirects=False)  # gets a knock of its own
    assert stranger.get(ticket).status_code == 403
    assert ENTERED not in stranger.cookies_for(ticket)


def test_ticket_when_used_at_another_deployment_then_is_refused(
    house: EdgeHouse, ada: Browser, demo: str
) -> None:
    first = ada.get(f"{house.origin(demo)}/lab", allow_redirects=False)
    handed = ada.get(first.headers["Location"], allow_redirects=False).headers["Location"]
    other = house.deploy("ada")
    knock = ada.cookies_for(handed)
    moved = handed.replace(f"//{demo}.", f"//{other}.")
    assert house.browser().get(moved, headers={"Cookie": knock}).status_code == 403


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example/", "https://evil.example/", "lab"])
def test_enter_when_the_path_leads_elsewhere_then_is_refused(
    house: EdgeHouse, ada: Browser, demo: str, path: str
) -> None:
    answer = ada.get(f"{house.nginx.console_url}/edge/enter", params={"deployment": demo, "path": path})
    assert answer.status_code == 422
