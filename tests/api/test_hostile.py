"""What a test client does not show: bodies and lines over a real connection."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from tests.api.conftest import Interface

ROLES = ("nobody", "user", "admin", "disabled", "expired")
TEN_MEGABYTES = 10 * 1024 * 1024


def pieces() -> Iterator[bytes]:
    """A body whose length nobody says."""
    for _ in range(TEN_MEGABYTES // 65536):
        yield b"x" * 65536


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("how", ["with its length", "in pieces"])
def test_body_of_ten_megabytes_is_refused(interface: Interface, role: str, how: str) -> None:
    answer = requests.post(
        f"{interface.url}/api/v1/commands",
        data=b"x" * TEN_MEGABYTES if how == "with its length" else pieces(),
        headers={**interface.headers(role), "Content-Type": "application/json"},
        timeout=60,
    )
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_who_sends_slowly_holds_up_nobody(interface: Interface) -> None:
    """Half a request, of nobody at that, must not keep others from writing."""
    place = urlsplit(interface.url)
    with socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=30) as slow:
        head = f"POST /api/v1/commands HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: 1000\r\n"
        slow.sendall(f"{head}Content-Type: application/json\r\n\r\n{{".encode())
        answer = requests.post(
            f"{interface.url}/api/v1/user/keys",
            json={"name": "while-another-is-slow"},
            headers=interface.headers("user"),
            timeout=10,
        )
        assert answer.status_code == 201
        slow.sendall(b" " * 999)
        assert slow.recv(100).startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "line",
    [
        "GET /api/v1/plans/%ff%fe HTTP/1.1",
        "GET /api/v1/plans/\xff\xfe HTTP/1.1",
        "GET /api/v1/deployments?name=%00 HTTP/1.1",
        "GET /api/v1/deployments?cursor=%ff HTTP/1.1",
        "GET /api/v1/commands/../../../etc/passwd HTTP/1.1",
        "GET /api/v1/commands/%2e%2e%2f%2e%2e HTTP/1.1",
        "POST /api/v1/commands/%00/cancel HTTP/1.1",
        "DELETE /api/v1/users/%f0%9f%92%a9 HTTP/1.1",
        "BREW /api/v1/plans HTTP/1.1",
    ],
)
def test_line_that_cannot_be_is_refused(interface: Interface, role: str, line: str) -> None:
    place = urlsplit(interface.url)
    lines = [line, f"Host: {place.netloc}", "Connection: close", "Content-Length: 0"]
    lines += [f"{name}: {value}" for name, value in interface.headers(role).items()]
    with socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        first = connection.makefile("rb").readline().decode()
    status = int(first.split()[1])
    assert 400 <= status < 500, first
