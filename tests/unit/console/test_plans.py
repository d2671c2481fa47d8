"""A plan of the catalogue brought to what a play wants."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._console.client import (
    Connection,
    ConsoleClient,
)
from ansible_collections.labyard.platform.plugins.module_utils._console.errors import NotPossible
from ansible_collections.labyard.platform.plugins.module_utils._console.plans import decide, ensure_plan
from tests.unit.commandline.answering import Answering, Reply, answering

SOURCE = {"repository": "https://git.example.org/lab.git", "ref": "v1"}
STORED: dict[str, Any] = {
    "name": "echo",
    "title": "Echo",
    "summary": "Says what you say.",
    "own_summary": "",
    "icon": "megaphone",
    "configuration": "lab.services.echo",
    "fixed": {},
    "shapes": {},
    "visible": True,
    "projects": ["lab"],
    "source": SOURCE,
    "available": True,
    "version": 3,
}


def ensure(server: Answering, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    client = ConsoleClient(Connection(server.url, "key", timeout=5), sleep=lambda _: None)
    return ensure_plan(client, {"name": "echo", "state": "present", **options}, check_mode)


def test_plan_when_fields_are_given_then_the_others_stay() -> None:
    current = {"configuration": "a.b.c", "title": "T", "projects": ["x", "y"], "version": 4}
    assert decide({"title": "T", "projects": ["y", "x"]}, "present", current).method is None
    change = decide({"title": "U"}, "present", current)
    after = {"configuration": "a.b.c", "title": "U", "projects": ["x", "y"]}
    assert (change.method, change.after) == ("PUT", after)
    assert decide({}, "absent", current).method == "DELETE"
    assert decide({}, "absent", None).method is None
    with pytest.raises(NotPossible, match="configuration"):
        decide({"title": "U"}, "present", None)


def test_plan_when_its_summary_is_the_configurations_then_it_is_not_stored_as_if_given() -> None:
    change = decide({"title": "Other"}, "present", STORED)
    assert change.before is not None
    assert change.after is not None
    assert (change.before["summary"], change.after["summary"]) == ("", "")
    given = decide({"summary": STORED["summary"]}, "present", STORED)
    assert (given.method, given.after and given.after["summary"]) == ("PUT", STORED["summary"])


@pytest.mark.parametrize(
    ("given", "method"),
    [
        ({"source": {**SOURCE, "path": None}, "projects": ["lab"]}, None),
        ({"source": {**SOURCE, "ref": "v2", "path": None}}, "PUT"),
        ({"source": {}}, "PUT"),
        ({"source": {"repository": None, "ref": None, "path": None}}, "PUT"),
        ({"projects": []}, "PUT"),
        ({"projects": ["lab", "lab"]}, None),
    ],
)
def test_plan_when_source_and_projects_are_given_then_only_a_difference_counts(
    given: dict[str, Any], method: str | None
) -> None:
    change = decide(given, "present", STORED)
    assert change.method == method
    assert change.after is not None
    assert None not in change.after["source"].values()


def test_ensure_when_in_check_mode_then_nothing_is_sent_and_the_difference_is_told() -> None:
    with answering(Reply(200, STORED)) as server:
        result = ensure(server, check_mode=True, projects=["team"], source={**SOURCE, "ref": "v2"})
    assert [asked.method for asked in server.asked] == ["GET"]
    before, after = result["diff"]["before"], result["diff"]["after"]
    assert {key for key in after if after[key] != before[key]} == {"projects", "source"}
    assert (before["source"]["ref"], after["source"]["ref"]) == ("v1", "v2")
    foreseen = {**STORED, "projects": ["team"], "source": {**SOURCE, "ref": "v2"}}
    assert (result["changed"], result["plan"]) == (True, foreseen)


def test_ensure_when_it_differs_then_the_plan_is_replaced_for_its_version() -> None:
    with answering(Reply(200, STORED), Reply(200, {**STORED, "title": "Other"})) as server:
        result = ensure(server, title="Other")
    put = server.asked[-1]
    assert (put.method, put.headers["If-Match"]) == ("PUT", '"3"')
    assert (put.body["title"], put.body["summary"], put.body["source"]) == ("Other", "", SOURCE)
    assert (result["changed"], result["plan"]["title"]) == (True, "Other")
