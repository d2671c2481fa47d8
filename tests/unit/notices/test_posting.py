"""Signed messages over real HTTP and TLS."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook as Verifier

from labyard.addresses import read_networks
from labyard.notices.posting import NotSent, Poster
from labyard.notices.webhooks import make_secret
from tests.integration.tls_engine import write_certificates

from .receiver import receiving

BODY = {"type": "command.completed", "data": {"name": "Übung"}}
HERE = read_networks(["127.0.0.0/8"])


def test_message_is_signed_as_the_specification_says() -> None:
    secret = make_secret()
    with receiving() as receiver:
        assert Poster(HERE).post(receiver.url(), secret, "notice1", BODY, datetime.now(UTC)) == 204
    (path, headers, body) = receiver.got[0]
    assert (path, json.loads(body)) == ("/hook?a=1", BODY)
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    assert headers["content-type"] == "application/json"
    assert Verifier(secret).verify(body, headers) == BODY
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == "notice1"


def test_private_address_is_refused_before_anything_is_sent() -> None:
    with receiving() as receiver, pytest.raises(NotSent, match="inside of this network"):
        Poster().post(receiver.url("localhost"), make_secret(), "n", BODY, datetime.now(UTC))
    assert receiver.got == []


def test_name_is_resolved_once_and_that_address_is_used() -> None:
    asked = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    with receiving() as receiver:
        poster = Poster(HERE, resolver=resolver)
        poster.post(receiver.url("hooks.test"), make_secret(), "n", BODY, datetime.now(UTC))
    assert asked == [("hooks.test", receiver.port)]
    assert receiver.got[0][1]["host"] == f"hooks.test:{receiver.port}"


def test_redirect_is_not_followed() -> None:
    with receiving() as receiver:
        receiver.statuses, receiver.location = [302], receiver.url(path="/elsewhere")
        with pytest.raises(NotSent, match="answered with 302; redirects are not followed") as refused:
            Poster(HERE).post(receiver.url(), make_secret(), "n", BODY, datetime.now(UTC))
    assert refused.value.status == 302
    assert len(receiver.got) == 1


def test_error_of_the_receiver_is_told_with_its_status() -> None:
    with receiving() as receiver:
        receiver.statuses = [503]
        with pytest.raises(NotSent, match=r"answered with 503\.") as refused:
            Poster(HERE).post(receiver.url(), make_secret(), "n", BODY, datetime.now(UTC))
    assert refused.value.status == 503


def test_certificate_of_the_host_is_asked_for(tmp_path: Path) -> None:
    write_certificates(tmp_path)

    def here(*_: object) -> list[str]:
        return ["127.0.0.1"]

    with receiving(tmp_path) as receiver:
        trusting = Poster(HERE, tmp_path / "ca.pem", resolver=here)
        assert (
            trusting.post(receiver.url("engine.test", "https"), make_secret(), "n", BODY, datetime.now(UTC))
            == 204
        )
        with pytest.raises(NotSent, match="certificate is not trusted"):
            trusting.post(receiver.url("other.test", "https"), make_secret(), "n", BODY, datetime.now(UTC))
        with pytest.raises(NotSent, match="certificate is not trusted"):
            Poster(HERE, resolver=here).post(
                receiver.url("engine.test", "https"), make_secret(), "n", BODY, datetime.now(UTC)
            )
    assert len(receiver.got) == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_receiver_that_takes_the_call_and_says_nothing_is_left(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(NotSent, match=r"longer than 0\.3 s"):
            Poster(HERE, deadline=0.3).post(
                f"{scheme}://127.0.0.1:{port}/", make_secret(), "n", BODY, datetime.now(UTC)
            )


def test_receiver_that_drips_its_answer_is_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def drip() -> None:
            link, _ = server.accept()
            with link:
                link.sendall(b"HTTP/1.1 200 OK\r\n")
                while not stop.wait(0.05):
                    try:
                        link.sendall(b"X-Drop: 1\r\n")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        try:
            with pytest.raises(NotSent, match=r"longer than 0\.5 s"):
                Poster(HERE, deadline=0.5).post(
                    f"http://127.0.0.1:{server.getsockname()[1]}/",
                    make_secret(),
                    "n",
                    BODY,
                    datetime.now(UTC),
                )
        finally:
            stop.set()
            thread.join(10)


def test_nobody_listening_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NotSent, match=r"127\.0\.0\.1 did not answer: Connection refused"):
        Poster(HERE).post(f"http://127.0.0.1:{port}/", make_secret(), "n", BODY, datetime.now(UTC))
