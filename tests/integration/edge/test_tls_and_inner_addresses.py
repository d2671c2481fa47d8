"""The edge's own side: TLS, addresses that are nobody's but the ingress', and how fast one may sign in."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.integration.edge_house import Browser, EdgeHouse
from tests.services.nginx_server import APPS, DOMAIN
from tests.services.tls_scanner import scan


class FromAddress(HTTPAdapter):
    """Connects from an address of its own, so that visitors and the ingress can be told apart."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """See the base."""
        super().init_poolmanager(*arguments, **options, source_address=(self._address, 0))


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
    assert requests.get(f"{house.console.url}{path}", headers=headers, timeout=60).status_code == 401


def test_address_when_the_ingress_tells_it_then_is_believed_and_from_nobody_else(house: EdgeHouse) -> None:
    forged = {"X-Forwarded-For": "192.0.2.66", "X-Forwarded-Host": "evil.example"}
    browser = house.browser()
    browser.mount("https://", FromAddress("127.0.0.2"))
    browser.headers.update(forged)
    browser.sign_in("bob")
    # Past the ingress: a plain request, whose redirect tells which host the console takes itself for.
    direct = requests.get(f"{house.console.url}/", headers=forged, allow_redirects=False, timeout=60)
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


def test_http_when_asked_then_leads_to_https(house: EdgeHouse, demo: str) -> None:
    for name in (DOMAIN, f"{demo}.{APPS}"):
        answer = requests.get(
            f"http://{name}:{house.nginx.http_port}/lab?a=1", allow_redirects=False, timeout=10
        )
        assert answer.status_code == 301
        assert answer.headers["Location"] == f"https://{name}:{house.nginx.port}/lab?a=1"
    unknown = requests.get(f"http://127.0.0.1:{house.nginx.http_port}/", allow_redirects=False, timeout=60)
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
    plain = socket.create_connection(("127.0.0.1", house.nginx.port), timeout=60)
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
    browser.mount("https://", FromAddress("127.0.0.3"))
    codes = [browser.post(f"{house.nginx.console_url}/sign-in").status_code for _ in range(15)]
    assert set(codes) == {400, 429}  # without the form's token the console does not even look
    assert browser.get(f"{house.nginx.console_url}/sign-in").status_code == 200


def test_nginx_when_it_reads_its_configuration_then_has_nothing_to_say(house: EdgeHouse) -> None:
    house.nginx.check()
