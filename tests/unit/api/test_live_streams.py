"""How many live streams a web process keeps open: each holds a thread, and some are for everybody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from labyard.api.stream import streamed
from labyard.errors import Unavailable
from labyard.settings import Settings
from tests.unit.conftest import issue, key_of, make_person


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Room for two streams."""
    return replace(settings, live_streams=2)


@pytest.fixture
def opened(app: Any) -> Iterator[list[Any]]:
    """Two streams, which is all that there may be."""
    found = [streamed(iter(["event: log\n\n"])) for _ in range(2)]
    yield found
    for response in found:
        response.close()


def test_stream_when_there_is_room_for_no_more_then_says_so(opened: list[Any]) -> None:
    with pytest.raises(Unavailable, match="2 live streams are open here"):
        streamed(iter([]))


def test_stream_when_one_is_closed_then_another_has_its_place(opened: list[Any]) -> None:
    opened.pop().close()
    opened.append(streamed(iter([])))
    with pytest.raises(Unavailable):
        streamed(iter([]))


def test_events_when_there_is_room_for_no_more_then_are_told_when_to_come_again(
    opened: list[Any], client: FlaskClient
) -> None:
    key = key_of(make_person())
    events = f"/api/v1/commands/{issue(client, key).json['id']}/events"
    refused = client.get(events, headers={**key, "Accept": "text/event-stream"})
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
    # pages that get no stream ask for this instead
    assert client.get(events, headers={**key, "Accept": "application/json"}).status_code == 200
