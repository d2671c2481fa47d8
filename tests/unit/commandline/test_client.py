"""Calls of a console: repeated where that is safe, refused in the console's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from labyard.commandline.client import Console, Refused, find_console
from labyard.commandline.exits import TimedOut, exit_code
from labyard.commandline.follow import follow_command
from labyard.errors import DomainError, InvalidInput, Unavailable
from tests.unit.commandline.answering import Reply, answering, problem

LOST = Reply(0)


def test_call_when_the_line_breaks_and_the_console_is_busy_then_it_is_repeated_under_one_key() -> None:
    with answering(LOST, Reply(503, {}, {"Retry-After": "0"}), Reply(202, {"id": "c"})) as server:
        assert Console(server.url, "key").call("POST", "commands", {"phase": "stop"}) == {"id": "c"}
    assert [asked.body for asked in server.asked] == [{"phase": "stop"}] * 3
    assert len({asked.headers["Idempotency-Key"] for asked in server.asked}) == 1
    assert server.asked[0].headers["Authorization"] == "Bearer key"


def test_call_when_repeated_by_a_person_then_it_has_another_key() -> None:
    with answering(Reply(202, {})) as server:
        console = Console(server.url, "key")
        console.call("POST", "commands", {})
        console.call("POST", "commands", {})
    assert len({asked.headers["Idempotency-Key"] for asked in server.asked}) == 2


def test_call_when_refused_then_it_is_not_repeated_and_has_the_words_of_the_console() -> None:
    refusal = problem(422, "Some fields are not right", cpu="must be small")
    with answering(refusal) as server, pytest.raises(Refused, match="Some fields are not right") as caught:
        Console(server.url, "key").call("POST", "commands", {})
    assert caught.value.errors == {"cpu": "must be small"}
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "reply", [Reply(200, text="<html>"), Reply(302, {}, {"Location": "http://elsewhere"})]
)
def test_call_when_no_console_answers_then_that_is_said_and_no_redirect_is_followed(reply: Reply) -> None:
    with answering(reply) as server, pytest.raises(DomainError):
        Console(server.url, "key").call("GET", "user")
    assert len(server.asked) == 1


def test_items_when_there_are_several_pages_then_as_many_rows_as_wanted_are_read() -> None:
    pages = [Reply(200, {"items": [1, 2], "next": "two"}), Reply(200, {"items": [3], "next": None})]
    with answering(*pages) as server:
        assert Console(server.url, "key").items("plans") == {"items": [1, 2, 3], "next": None}
    assert "cursor=two" in server.asked[1].path
    with answering(*pages) as server:
        assert Console(server.url, "key").items("plans", None, 2) == {"items": [1, 2], "next": "two"}
    assert len(server.asked) == 1


def event(kind: str, data: str, ident: str = "") -> str:
    return f"{f'id: {ident}' if ident else ': hi'}\nevent: {kind}\ndata: {data}\n\n"


def test_follow_when_the_line_breaks_then_it_goes_on_after_the_last_event() -> None:
    stream = {"Content-Type": "text/event-stream"}
    first = Reply(200, None, stream, event("command", '{"state": 1}') + event("log", '{"text": "a"}', "7"))
    second = Reply(200, None, stream, event("log", '{"text": "b"}', "8") + event("end", "{}"))
    with answering(first, second) as server:
        seen = list(follow_command(Console(server.url, "key"), "c"))
    assert [document for _, document in seen] == [{"state": 1}, {"text": "a"}, {"text": "b"}]
    assert server.asked[1].headers["Last-Event-ID"] == "7"


def test_follow_when_the_time_is_over_then_timed_out() -> None:
    stream = Reply(200, None, {}, event("command", '{"state": 1}'))
    with answering(stream) as server, pytest.raises(TimedOut):
        list(follow_command(Console(server.url, "key"), "c", timeout=0.0))


def test_follow_when_there_is_no_such_command_then_that_is_said_at_once() -> None:
    refusal = problem(404, "There is no command c of yours.")
    with answering(refusal) as server, pytest.raises(Refused, match="no command c"):
        list(follow_command(Console(server.url, "key"), "c"))
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 2), (422, 2), (401, 4), (403, 4), (404, 5), (409, 6), (412, 6), (429, 3), (500, 3), (503, 3)],
)
def test_exit_code_when_refused_then_it_tells_the_kind(status: int, code: int) -> None:
    assert exit_code(Refused(status, "no")) == code


def test_exit_code_when_nobody_answers_or_not_in_time_then_it_tells_which() -> None:
    assert exit_code(Unavailable("away")) == 3
    assert exit_code(TimedOut("late")) == 7


def test_console_when_no_address_is_known_then_the_error_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="LABYARD_URL and LABYARD_API_KEY"):
        find_console({"LABYARD_HOME": str(tmp_path)})


def test_console_when_it_is_in_the_credentials_file_then_the_environment_goes_before(tmp_path: Path) -> None:
    (tmp_path / "admin.json").write_text('{"url": "http://file", "api_key": "one"}')
    assert find_console({"LABYARD_HOME": str(tmp_path)}) == Console("http://file", "one")
    found = find_console({"LABYARD_HOME": str(tmp_path), "LABYARD_URL": "http://other"})
    assert (found.url, found.key) == ("http://other", "one")
    assert "one" not in repr(found)
