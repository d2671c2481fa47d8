"""The modules' way to a console: repeated where that is safe, refused in the console's words."""

from __future__ import annotations

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._console.client import (
    PAUSES,
    Connection,
    ConsoleClient,
)
from ansible_collections.labyard.platform.plugins.module_utils._console.errors import (
    Changed,
    Conflict,
    NotFound,
    Refused,
    Unreachable,
)
from tests.conftest import free_port
from tests.unit.commandline.answering import Reply, answering, problem

KEY = "lyk_secret"


def client_of(url: str, slept: list[float]) -> ConsoleClient:
    return ConsoleClient(Connection(url, KEY, timeout=5), sleep=slept.append)


def test_call_when_the_line_breaks_and_the_console_is_busy_then_it_is_repeated_under_one_key() -> None:
    slept: list[float] = []
    busy, still = problem(503, "away", {"Retry-After": "7"}), problem(409, "at work", {"Retry-After": "1"})
    with answering(Reply(0), busy, still, Reply(502, text="<html>"), Reply(202, {"id": "c"})) as server:
        answer = client_of(server.url, slept).call("POST", "commands", {"a": 1}, match='"3"')
    assert (answer.status, answer.document) == (202, {"id": "c"})
    assert slept == [PAUSES[0], 7, 1, PAUSES[3]]
    assert [asked.body for asked in server.asked] == [{"a": 1}] * 5
    assert len({asked.headers["Idempotency-Key"] for asked in server.asked}) == 1
    assert {asked.headers["If-Match"] for asked in server.asked} == {'"3"'}


def test_call_when_nobody_answers_then_it_gives_up_and_names_the_address() -> None:
    slept: list[float] = []
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable, match=f"{url} does not answer") as caught:
        client_of(url, slept).get("user")
    assert slept == list(PAUSES)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFound), (409, Conflict), (412, Changed), (422, Refused), (401, Refused)]
)
def test_call_when_refused_then_the_kind_and_the_words_and_no_second_try(
    status: int, kind: type[Refused]
) -> None:
    slept: list[float] = []
    with answering(problem(status, "Not so", size="too large")) as server, pytest.raises(kind) as caught:
        client_of(server.url, slept).get("user")
    assert str(caught.value) == "Not so (size: too large)"
    assert (slept, len(server.asked)) == ([], 1)


@pytest.mark.parametrize(
    "reply", [Reply(200, text="<html>"), Reply(302, {}, {"Location": "http://127.0.0.1:1"}), Reply(404, [])]
)
def test_call_when_it_is_no_console_then_that_is_said_and_the_key_goes_nowhere_else(reply: Reply) -> None:
    with answering(reply) as server, pytest.raises(Unreachable, match="not as a Labyard console"):
        client_of(server.url, []).get("user")
    assert len(server.asked) == 1


def test_pages_when_there_are_several_then_all_items_are_read() -> None:
    pages = [
        Reply(200, {"items": [{"n": 1}], "next": "a b"}),
        Reply(200, {"items": [{"n": 2}], "next": None}),
    ]
    with answering(*pages) as server:
        found = client_of(server.url, []).pages("deployments", {"removed": True, "plan": None})
    assert found == [{"n": 1}, {"n": 2}]
    assert server.asked[0].path == "/api/v1/deployments?limit=200&removed=true"
    assert server.asked[1].path.endswith("&cursor=a+b")
