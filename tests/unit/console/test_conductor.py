"""A deployment brought to what is wanted, with a console whose answers are laid out."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._console.client import (
    Connection,
    ConsoleClient,
)
from ansible_collections.labyard.platform.plugins.module_utils._console.deployments import Conductor
from ansible_collections.labyard.platform.plugins.module_utils._console.errors import (
    CommandFailed,
    NotPossible,
    TimedOut,
)
from ansible_collections.labyard.platform.plugins.module_utils._console.steps import Wanted
from tests.unit.commandline.answering import Answering, Reply, answering, problem

USER = Reply(200, {"username": "ada", "projects": ["default"]})
PLAN = Reply(200, {"phases": [{"name": "start"}, {"name": "stop"}]})


def found(**changes: Any) -> Reply:
    """The list of deployments with the one that is looked for."""
    deployment = {
        "id": "abcdefgh",
        "name": "demo",
        "plan": "notebook",
        "project": "default",
        "version": 3,
        "state": 5,
        "health": "running",
        "health_detail": "",
        "services": [{}],
        "params": {},
        **changes,
    }
    return Reply(200, {"items": [deployment], "next": None})


def command(state: int = 5, **changes: Any) -> Reply:
    return Reply(
        202, {"id": "c", "phase": "stop", "state": state, "message": "because", "deployment": {}, **changes}
    )


NONE = Reply(200, {"items": [], "next": None})


def conduct(server: Answering, state: str = "stopped", owner: str | None = None, **options: Any) -> Conductor:
    client = ConsoleClient(Connection(server.url, "key", timeout=5), sleep=lambda _: None)
    ticks = iter(range(10_000))
    return Conductor(
        client,
        Wanted(state, "demo", "notebook", owner=owner),
        clock=lambda: float(next(ticks)),
        sleep=lambda _: None,
        **options,
    )


def test_ensure_when_it_is_asked_for_then_the_version_and_a_key_from_content_go_along() -> None:
    keys = []
    for _ in range(2):
        replies = (USER, found(), PLAN, NONE, NONE, command(), command(), found(health="stopped", version=5))
        with answering(*replies) as server:
            result = conduct(server).ensure()
        (post,) = [asked for asked in server.asked if asked.method == "POST"]
        assert post.body == {"phase": "stop", "params": {}, "deployment": "abcdefgh"}
        assert post.headers["If-Match"] == '"3"'
        keys.append(post.headers["Idempotency-Key"])
        assert (result["changed"], result["phases"], result["deployment"]["health"]) == (
            True,
            ["stop"],
            "stopped",
        )
    assert keys[0] == keys[1]


def install_for(owner: str | None) -> tuple[list[str], dict[str, Any], str]:
    """What the console is asked for a new deployment of `owner`: paths, the document, its key."""
    theirs = [Reply(200, {"username": owner, "projects": ["lab"]})] if owner not in (None, "ada") else []
    phases = Reply(200, {"phases": [{"name": "stop"}]})
    with answering(USER, *theirs, NONE, phases, command(), command(), found()) as server:
        assert conduct(server, "present", owner=owner).ensure()["phases"] == ["install"]
    (post,) = [asked for asked in server.asked if asked.method == "POST"]
    return [asked.path for asked in server.asked], post.body, post.headers["Idempotency-Key"]


def test_ensure_when_it_is_for_somebody_else_then_it_is_looked_for_and_made_among_theirs() -> None:
    paths, body, key = install_for("bob")
    assert paths[1] == "/api/v1/users/bob"
    assert "owner=bob&project=lab" in paths[2]
    assert (body["owner"], body["project"]) == ("bob", "lab")
    assert key not in (install_for(None)[2], install_for("eve")[2])


def test_ensure_when_the_owner_is_the_keys_own_then_nothing_of_an_admin_is_asked_for() -> None:
    assert install_for("ada") == install_for(None)
    assert "owner" not in install_for("ada")[1]


def test_ensure_when_it_was_changed_meanwhile_then_it_looks_again_and_decides_anew() -> None:
    stopped = found(health="stopped", version=4)
    replies = (USER, found(), PLAN, NONE, NONE, problem(412, "Changed meanwhile"), stopped)
    with answering(*replies) as server:
        result = conduct(server).ensure()
    assert (result["changed"], result["phases"]) == (False, [])


def test_ensure_when_a_command_begins_before_ours_then_it_is_waited_for() -> None:
    running = Reply(200, {"items": [{"id": "other"}], "next": None})
    refused = problem(409, "another command is running")
    waited = (found(version=4), running, NONE, command(), NONE, NONE)  # looked at, waited for, none left
    replies = (USER, found(), PLAN, NONE, NONE, refused, *waited, found(health="stopped", version=5))
    with answering(*replies) as server:
        result = conduct(server).ensure()
    assert [asked.path for asked in server.asked].count("/api/v1/commands/other") == 1
    assert result["changed"] is False


def test_ensure_when_refused_for_another_reason_then_the_refusal_is_said() -> None:
    replies = (USER, found(), PLAN, NONE, NONE, problem(409, "Not possible now"), found(), NONE)
    with answering(*replies) as server, pytest.raises(Exception, match="Not possible now"):
        conduct(server).ensure()


def test_ensure_when_the_command_fails_then_so_does_it_with_what_was_reached() -> None:
    replies = (USER, found(), PLAN, NONE, NONE, command(1), command(9), found(state=9, version=5))
    with answering(*replies) as server, pytest.raises(CommandFailed, match="because") as caught:
        conduct(server).ensure()
    assert caught.value.result["changed"] is True
    assert caught.value.result["deployment"]["state"] == 9


def test_ensure_when_the_time_is_over_then_timed_out_and_the_command_is_named() -> None:
    seen = [command(1)] * 6  # the clock of these tests goes on by a second whenever it is looked at
    replies = (USER, found(), PLAN, NONE, NONE, *seen, found(state=1))
    with answering(*replies) as server, pytest.raises(TimedOut, match="goes on") as caught:
        conduct(server, timeout=5).ensure()
    assert caught.value.result["phases"] == ["stop"]


def test_ensure_when_the_phase_does_not_lead_there_then_it_is_not_asked_for_for_ever() -> None:
    degraded = found(health="degraded", health_detail="one of two runs", version=5)
    replies = (USER, found(), PLAN, NONE, NONE, command(1), command(), degraded)
    with (
        answering(*replies) as server,
        pytest.raises(NotPossible, match="one of two runs"),
    ):
        conduct(server).ensure()
