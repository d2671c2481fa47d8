"""The stream of a person's deployments, over a real connection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from tests.api.conftest import Interface
from tests.conftest import PLAN


@contextmanager
def listening(interface: Interface, role: str, **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The messages of the stream: id, event, data."""
    address = f"{interface.url}/api/v1/deployments/events"
    sent = {**interface.headers(role), **headers}
    with requests.get(address, headers=sent, stream=True, timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        yield _messages(answer)


def _messages(answer: requests.Response) -> Iterator[dict[str, Any]]:
    message: dict[str, Any] = {}
    for line in answer.iter_lines(decode_unicode=True):
        if not line and message:
            yield {**message, "data": json.loads(message["data"])}
            message = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            message[name] = value


def issue(interface: Interface, role: str, name: str) -> dict[str, Any]:
    answer = requests.post(
        f"{interface.url}/api/v1/commands",
        json={"plan": PLAN, "phase": "install", "name": name},
        headers=interface.headers(role),
        timeout=30,
    )
    assert answer.status_code == 202, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_stream_shows_what_is_there_what_comes_and_nothing_of_others(
    interface: Interface, unique: str
) -> None:
    first = issue(interface, "user", f"{unique}-first")
    with listening(interface, "user") as messages:
        seen = next(m for m in messages if m["data"]["name"] == f"{unique}-first")
        assert (seen["event"], seen["data"]["id"]) == ("deployment", first["deployment"]["id"])
        issue(interface, "admin", f"{unique}-of-the-admin")
        issue(interface, "user", f"{unique}-second")
        names = []
        for message in messages:
            names.append(message["data"]["name"])
            if names[-1] == f"{unique}-second":
                break
        assert f"{unique}-of-the-admin" not in names


def test_stream_goes_on_from_the_last_message(interface: Interface, unique: str) -> None:
    issue(interface, "user", f"{unique}-a")
    with listening(interface, "user") as messages:
        last = next(m for m in messages if m["data"]["name"] == f"{unique}-a")["id"]
    issue(interface, "user", f"{unique}-b")
    with listening(interface, "user", **{"Last-Event-ID": last}) as messages:
        assert next(m for m in messages if m["data"]["name"] == f"{unique}-b")


def test_stream_is_closed_to_who_is_nobody(interface: Interface) -> None:
    for role in ("nobody", "disabled", "expired"):
        address = f"{interface.url}/api/v1/deployments/events"
        answer = requests.get(address, headers=interface.headers(role), timeout=30)
        assert answer.status_code == 401
