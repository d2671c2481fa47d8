"""The edge as browsers meet it: nginx in front of a console and of a program."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import websocket
from requests.adapters import HTTPAdapter
from werkzeug.http import parse_cookie

from labyard.models import State
from tests.conftest import wait_until
from tests.services.nginx_server import APPS, DOMAIN
from tests.services.tls_scanner import scan

from .edge_house import TOKEN, Browser, EdgeHouse, edge_house, lead_names_here

ENTERED = "__Host-labyard-app"
ANOTHER = f"https://{'z' * 8}.{APPS}"  # the origin of another deployment


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, module_console_database: dict[str, str]
) -> Iterator[EdgeHouse]:
    """The house, with ada, bob and the admin root."""
    home = tmp_path_factory.mktemp("edge")
    with edge_house(home, module_console_database) as made, pytest.MonkeyPatch.context() as patch:
        lead_names_here(patch)
        made.make_person("ada")
        made.make_person("bob")
        made.make_person("root", is_admin=True)
        yield made


@pytest.fixture(scope="module")
def ada(house: EdgeHouse) -> Browser:
    """A browser in which ada is signed in at the console."""
    browser = house.browser()
    browser.sign_in("ada")
    return browser


@pytest.fixture
def demo(house: EdgeHouse) -> str:
    """A deployment of ada's."""
    return house.deploy("ada")


class FromAnotherAddress(HTTPAdapter):
    """Connects from 127.0.0.2, so that the visitor and the ingress can be told apart."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """See the base."""
        super().init_poolmanager(*arguments, **options, source_address=("127.0.0.2", 0))


def converse(house: EdgeHouse, url: str, **options: Any) -> websocket.WebSocket:
    """An open WebSocket."""
    return websocket.create_connection(
        url.replace("https://", "wss://"), sslopt={"ca_certs": house.nginx.ca}, timeout=20, **options
    )


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
    wait_until(lambda: ada.get(f"{house.origin(demo)}/lab").ok, 15, "the name is looked up again")


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
        lambda: eve.get(f"{house.origin(hers)}/", headers=fetched).status_code == 401, 15, "eve is refused"
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


def test_websocket_when_the_owner_opens_it_then_both_sides_talk(
    house: EdgeHouse, ada: Browser, demo: str
) -> None:
    ada.get(f"{house.origin(demo)}/")
    cookie = ada.cookies_for(f"{house.origin(demo)}/")
    talk = converse(house, f"{house.origin(demo)}/channels", cookie=cookie, origin=house.origin(demo))
    talk.send("In [1]: 6 * 7")
    assert talk.recv() == "In [1]: 6 * 7"
    talk.close()


@pytest.mark.parametrize("who", ["nobody", "a page of somebody else's deployment", "a page of the console"])
def test_websocket_when_opened_by_others_then_is_refused(
    house: EdgeHouse, ada: Browser, demo: str, who: str
) -> None:
    ada.get(f"{house.origin(demo)}/")
    cookie = None if who == "nobody" else ada.cookies_for(f"{house.origin(demo)}/")
    origin = {
        "nobody": house.origin(demo),
        "a page of somebody else's deployment": house.origin("zzzzzzzz"),
        "a page of the console": house.nginx.console_url,
    }[who]
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        converse(house, f"{house.origin(demo)}/channels", cookie=cookie, origin=origin)
    assert caught.value.status_code == (401 if who == "nobody" else 403)


def test_websocket_when_the_console_goes_away_then_stays_open(
    house: EdgeHouse, ada: Browser, demo: str
) -> None:
    ada.get(f"{house.origin(demo)}/")
    cookie = ada.cookies_for(f"{house.origin(demo)}/")
    talk = converse(house, f"{house.origin(demo)}/channels", cookie=cookie)
    house.console.stop("web")
    talk.send("still here")
    assert talk.recv() == "still here"
    away = ada.get(f"{house.origin(demo)}/lab")
    assert (away.status_code, "console does not answer" in away.text) == (503, True)
    assert ada.get(house.nginx.console_url).status_code == 503
    house.console.start("web")
    wait_until(lambda: ada.get(f"{house.origin(demo)}/lab").ok, 60, "the console answers again")
    talk.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": ANOTHER},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    ],
)
def test_change_when_a_page_of_others_makes_it_then_is_refused(
    house: EdgeHouse, ada: Browser, demo: str, headers: dict[str, str]
) -> None:
    ada.get(f"{house.origin(demo)}/")
    answer = ada.post(f"{house.origin(demo)}/api/contents", data="x", headers=headers)
    assert (answer.status_code, "Another site" in answer.text) == (403, True)


def test_frame_when_a_page_of_others_has_one_then_it_stays_empty(
    house: EdgeHouse, ada: Browser, demo: str
) -> None:
    framed = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    assert ada.get(f"{house.origin(demo)}/", headers=framed).status_code == 403


def test_link_when_followed_from_another_site_then_leads_in(
    house: EdgeHouse, ada: Browser, demo: str
) -> None:
    linked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert ada.get(f"{house.origin(demo)}/lab", headers=linked).json()["path"] == "/lab"


def test_body_when_it_is_large_then_it_arrives_whole(house: EdgeHouse, ada: Browser, demo: str) -> None:
    ada.get(f"{house.origin(demo)}/")
    body = b"0123456789abcdef" * (20 * 1024 * 1024 // 16)
    answer = ada.post(f"{house.origin(demo)}/upload", data=body, headers={"Origin": house.origin(demo)})
    assert answer.status_code == 200, answer.text
    assert answer.json()["sha256"] == hashlib.sha256(body).hexdigest()


def test_stream_when_a_part_is_sent_then_it_arrives_before_the_next(
    house: EdgeHouse, ada: Browser, demo: str
) -> None:
    ada.get(f"{house.origin(demo)}/")
    house.program.go_on.clear()
    lines = ada.get(f"{house.origin(demo)}/stream", stream=True).iter_lines(chunk_size=1)
    assert next(lines) == b"first"
    house.program.go_on.set()
    assert next(lines) == b"second"


@pytest.mark.parametrize(
    "path", ["/edge/auth", "/edge/redeem?ticket=x", "/edge/", "/edge/enter/../auth", "/metrics"]
)
def test_inner_address_when_asked_from_outside_then_is_not_there(house: EdgeHouse, path: str) -> None:
    prepared = requests.Request("GET", f"{house.nginx.console_url}{path}").prepare()
    prepared.url = f"{house.nginx.console_url}{path}"
    assert house.browser().send(prepared, verify=house.nginx.ca).status_code == 404


@pytest.mark.parametrize("path", ["/_labyard/auth", "/_labyard/", "/_labyard/enter/x"])
def test_inner_address_when_asked_at_a_deployment_then_is_not_there(
    house: EdgeHouse, ada: Browser, demo: str, path: str
) -> None:
    ada.get(f"{house.origin(demo)}/")
    assert ada.get(f"{house.origin(demo)}{path}").status_code == 404


@pytest.mark.parametrize("path", ["/edge/auth", "/edge/redeem"])
@pytest.mark.parametrize("shown", [None, "", "wrong", "%s "])
def test_console_when_asked_past_the_ingress_then_wants_the_secret(
    house: EdgeHouse, demo: str, path: str, shown: str | None
) -> None:
    headers = {"X-Labyard-Host": demo}
    if shown is not None:
        headers["X-Labyard-Edge"] = f"{house.secret}x" if "%" in shown else shown
    assert requests.get(f"{house.console.url}{path}", headers=headers, timeout=10).status_code == 401


def test_address_when_the_ingress_tells_it_then_is_believed_and_from_nobody_else(house: EdgeHouse) -> None:
    forged = {"X-Forwarded-For": "192.0.2.66", "X-Forwarded-Host": "evil.example"}
    browser = house.browser()
    browser.mount("https://", FromAnotherAddress())
    browser.headers.update(forged)
    browser.sign_in("bob")
    # Past the ingress: a plain request, whose redirect tells which host the console takes itself for.
    direct = requests.get(f"{house.console.url}/", headers=forged, allow_redirects=False, timeout=10)
    assert "evil.example" not in direct.headers["Location"]
    seen = house.console.query("SELECT address FROM audit WHERE username = 'bob'")
    assert "127.0.0.2" in {address for (address,) in seen}
    assert not house.console.query("SELECT id FROM audit WHERE address = '192.0.2.66'")


def test_session_when_the_console_has_https_then_its_cookie_is_for_that_host_alone(house: EdgeHouse) -> None:
    page = house.browser().get(f"{house.nginx.console_url}/sign-in")
    cookie = page.headers["Set-Cookie"]
    assert cookie.startswith("__Host-labyard=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie


def test_logs_when_people_came_and_went_then_hold_no_ticket_no_token_and_no_query(
    house: EdgeHouse, ada: Browser, demo: str
) -> None:
    arrived = ada.get(f"{house.origin(demo)}/lab?token=typed-by-a-person")
    house.names.away.add(f"t-edge-{demo}_notebook")
    wait_until(
        lambda: ada.get(f"{house.origin(demo)}/lab?token=typed-by-a-person").status_code == 502, 15, "502"
    )
    house.names.away.clear()
    ticket = next(parse_qs(urlsplit(s.url).query)["ticket"][0] for s in arrived.history if "ticket=" in s.url)
    passed = parse_cookie(ada.cookies_for(f"{house.origin(demo)}/"))[ENTERED]
    written = house.nginx.written() + house.console.log("web")
    assert f"{demo}.{APPS}" in written
    for secret in (ticket, passed, TOKEN, house.secret, "typed-by-a-person", "ticket=", "knock="):
        assert secret not in written


def test_http_when_asked_then_leads_to_https(house: EdgeHouse, demo: str) -> None:
    for name in (DOMAIN, f"{demo}.{APPS}"):
        answer = requests.get(
            f"http://{name}:{house.nginx.http_port}/lab?a=1", allow_redirects=False, timeout=10
        )
        assert answer.status_code == 301
        assert answer.headers["Location"] == f"https://{name}:{house.nginx.port}/lab?a=1"
    unknown = requests.get(f"http://127.0.0.1:{house.nginx.http_port}/", allow_redirects=False, timeout=10)
    assert unknown.status_code == 404


def test_https_when_answered_then_holds_browsers_to_it_for_a_year(
    house: EdgeHouse, ada: Browser, demo: str
) -> None:
    ada.get(f"{house.origin(demo)}/")
    house.names.away.add(f"t-edge-{house.deploy('ada')}_notebook")
    urls = (
        f"{house.nginx.console_url}/sign-in",
        f"{house.nginx.console_url}/edge/auth",
        f"{house.origin(demo)}/",
        f"{house.origin(demo)}/_labyard/none",
        f"{house.origin('zzzzzzzz')}/",
    )
    for url in urls:
        answer = ada.get(url, allow_redirects=False)
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000", url
        assert "nginx/" not in answer.headers.get("Server", "")


def _shake_hands(house: EdgeHouse, name: str, version: ssl.TLSVersion) -> str | None:
    context = house.nginx.trust()
    context.set_ciphers("ALL:@SECLEVEL=0")  # this side would take anything
    context.minimum_version = context.maximum_version = version
    plain = socket.create_connection(("127.0.0.1", house.nginx.port), timeout=10)
    with plain, context.wrap_socket(plain, server_hostname=name) as secure:
        return secure.version()


def test_tls_when_spoken_then_is_1_2_or_1_3(house: EdgeHouse) -> None:
    assert _shake_hands(house, DOMAIN, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    assert _shake_hands(house, f"abcd1234.{APPS}", ssl.TLSVersion.TLSv1_3) == "TLSv1.3"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_tls_when_it_is_older_then_is_refused(house: EdgeHouse, version: ssl.TLSVersion) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _shake_hands(house, DOMAIN, version)


def test_tls_when_a_scanner_looks_then_finds_nothing(house: EdgeHouse) -> None:
    said = scan(f"127.0.0.1:{house.nginx.port}", DOMAIN, house.nginx.ca)
    assert "OK - Compliant" in said, said
    assert "VULNERABLE" not in said


@pytest.mark.parametrize("name", ["elsewhere.example", "localhost", f"x.y.{DOMAIN}"])
def test_tls_when_the_name_is_not_ours_then_no_certificate_is_shown(house: EdgeHouse, name: str) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized"):
        _shake_hands(house, name, ssl.TLSVersion.TLSv1_3)


def test_sign_in_when_tried_very_fast_then_the_ingress_slows_down_that_address(house: EdgeHouse) -> None:
    browser = house.browser()
    codes = [browser.post(f"{house.nginx.console_url}/sign-in").status_code for _ in range(15)]
    assert set(codes) == {400, 429}  # without the form's token the console does not even look
    assert browser.get(f"{house.nginx.console_url}/sign-in").status_code == 200


def test_nginx_when_it_reads_its_configuration_then_has_nothing_to_say(house: EdgeHouse) -> None:
    house.nginx.check()
