"""What passes through the edge: requests, WebSockets, bodies and streams, and what is logged of them."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import websocket
from werkzeug.http import parse_cookie

from tests.conftest import wait_until
from tests.integration.edge_house import ENTERED, TOKEN, Browser, EdgeHouse
from tests.services.nginx_server import APPS

ANOTHER = f"https://{'z' * 8}.{APPS}"  # the origin of another deployment


def converse(house: EdgeHouse, url: str, **options: Any) -> websocket.WebSocket:
    """An open WebSocket."""
    return websocket.create_connection(
        url.replace("https://", "wss://"), sslopt={"ca_certs": house.nginx.ca}, timeout=20, **options
    )


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
