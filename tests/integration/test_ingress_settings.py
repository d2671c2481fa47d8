"""nginx of the ingress reads other settings without ending a connection, or refuses them in words."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest
import websocket

from tests.conftest import wait_until
from tests.services.echo_server import EchoServer
from tests.services.ingress_server import SITE, IngressServer, end_program

from .edge_house import lead_names_here

Converse = Callable[[], websocket.WebSocket]


@pytest.fixture
def program() -> Iterator[EchoServer]:
    server = EchoServer()
    yield server
    server.close()


@pytest.fixture
def ingress(program: EchoServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[IngressServer]:
    lead_names_here(monkeypatch)
    server = IngressServer(f"127.0.0.1:{program.port}", drain=1, old=2)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def converse(ingress: IngressServer) -> Iterator[Converse]:
    """Opens WebSockets to the site."""
    with ExitStack() as opened:

        def open_one() -> websocket.WebSocket:
            address, trust = f"wss://{SITE}:{ingress.port}/", {"ca_certs": ingress.ca}
            return opened.enter_context(
                closing(websocket.create_connection(address, sslopt=trust, timeout=20))
            )

        yield open_one


def is_open(talk: websocket.WebSocket) -> bool:
    """Whether what is sent comes back."""
    try:
        talk.send("still here")
        return talk.recv() == "still here"
    except (OSError, websocket.WebSocketException):
        return False


def test_websocket_when_certificate_and_configuration_change_then_stays_open(
    ingress: IngressServer, converse: Converse
) -> None:
    talk = converse()
    assert ingress.shown() == ingress.made("first")
    ingress.change("second", ingress.text.replace("keepalive_timeout 65s", "keepalive_timeout 60s"))
    assert ingress.shown() == ingress.made("second") != ingress.made("first")
    assert is_open(talk)
    assert is_open(converse())


def test_settings_when_nginx_cannot_read_them_then_the_cause_is_said_and_the_former_serve(
    ingress: IngressServer, converse: Converse
) -> None:
    talk = converse()
    words = ingress.refused("second", ingress.text.replace("server_tokens off", "server_tokens maybe"))
    assert "what served before goes on" in words
    assert words.endswith('goes on: invalid value "maybe" in nginx.conf:37')
    assert ingress.shown() == ingress.made("first")
    assert is_open(talk)


def test_settings_when_only_the_running_nginx_refuses_them_then_the_former_serve_even_after_a_restart(
    ingress: IngressServer,
) -> None:
    # A table of nginx cannot be about something else from one moment to the next.
    text = ingress.text.replace("limit_req_zone $labyard_try", "limit_req_zone $remote_addr")
    for _ in range(2):
        words = ingress.refused("second", text)
        assert 'uses the "$remote_addr" key while previously it used the "$labyard_try" key' in words
        assert ingress.shown() == ingress.made("first")
    ingress.kill()
    ingress.start()
    assert ingress.shown() == ingress.made("first")


def test_settings_when_an_nginx_refuses_that_is_to_be_replaced_then_wait_for_its_successor(
    ingress: IngressServer,
) -> None:
    ingress.stop()
    older = ingress.put_older_nginx()
    ingress.start()
    older.unlink()
    end_program(ingress.bringer)
    text = ingress.text.replace("limit_req_zone $labyard_try", "limit_req_zone $remote_addr")
    ingress.bringer = ingress.bring("second", text)
    answer = ingress.folder / "answers" / "answer.json"
    wait_until(lambda: "previously" in answer.read_text(encoding="utf-8"), 30, "it refuses")
    assert ingress.shown() == ingress.made("first")
    ingress.stop()
    ingress.start()
    ingress.wait_until_taken()
    assert ingress.shown() == ingress.made("second")


def test_nginx_when_it_is_started_later_then_serves_the_newest(ingress: IngressServer) -> None:
    ingress.stop()
    end_program(ingress.bringer)
    ingress.bringer = ingress.bring("second")
    ingress.start()
    assert ingress.shown() == ingress.made("second")


def test_key_when_it_is_brought_then_nobody_else_may_read_it(ingress: IngressServer) -> None:
    ingress.change("second")
    folders = [path for path in (ingress.folder / "settings").iterdir() if not path.is_symlink()]
    assert len(folders) == 1, "former keys are gone"
    assert stat.S_IMODE(folders[0].stat().st_mode) == 0o700
    assert stat.S_IMODE((folders[0] / "ingress.key").stat().st_mode) == 0o400


def test_connections_when_settings_change_often_then_the_oldest_are_cut(
    ingress: IngressServer, converse: Converse
) -> None:
    talks = []
    for number in range(4):
        talks.append(converse())
        ingress.change(f"another{number}")
    assert [is_open(talk) for talk in talks] == [False, False, True, True]


def test_connections_when_nginx_is_told_to_end_then_have_their_time_and_it_ends_well(
    ingress: IngressServer, converse: Converse
) -> None:
    talk = converse()
    ingress.change("second")
    process = ingress.process
    assert process is not None
    os.kill(process.pid, signal.SIGQUIT)
    assert is_open(talk)
    wait_until(lambda: not is_open(talk), 20, "it is cut")
    assert process.wait(20) == 0
    ingress.process = None
