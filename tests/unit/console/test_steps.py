"""Which phase comes next, from what a deployment is to what a play wants."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._console.errors import NotPossible
from ansible_collections.labyard.platform.plugins.module_utils._console.params import (
    HIDDEN,
    differing,
    hide_secrets,
)
from ansible_collections.labyard.platform.plugins.module_utils._console.steps import (
    Schemas,
    Step,
    Wanted,
    body_of,
    derive_key,
    describe_wanted,
    next_step,
)

SCHEMAS: Schemas = {
    "install": {
        "cpu": {"type": "number", "default": 1.0},
        "name": {"type": "string", "default": ""},
        "where": {"type": "string", "default": "here"},
        "tags": {"type": "array", "items": {"type": "string"}, "default": []},
        "on": {"type": "boolean", "default": False},
        "count": {"type": "integer"},
    },
    "update": {"name": {"type": "string"}, "tags": {"type": "array"}, "on": {"type": "boolean"}},
    "scale": {"cpu": {"type": "number"}, "count": {"type": "integer"}},
}


def live(**changes: Any) -> dict[str, Any]:
    """A deployment that runs."""
    return {
        "id": "abcdefgh",
        "plan": "notebook",
        "project": "default",
        "state": 5,
        "health": "running",
        "services": [{"name": "web"}],
        "params": {"cpu": 1.0, "name": "n", "where": "here", "tags": ["a"], "on": False, "count": 2},
        **changes,
    }


def wanted(state: str = "present", **options: Any) -> Wanted:
    return Wanted(**{"state": state, "name": "demo", "plan": "notebook", "project": "default", **options})


@pytest.mark.parametrize(
    ("want", "present", "phase"),
    [
        (wanted(), None, "install"),
        (wanted("started"), None, "install"),
        (wanted("absent"), None, None),
        (wanted(), live(), None),
        (wanted(plan=None), live(), None),
        (wanted(), live(health="stopped"), None),
        (wanted("started"), live(), None),
        (wanted("started"), live(health="stopped"), "start"),
        (wanted("started"), live(health="degraded"), "start"),
        (wanted("started"), live(health="missing"), "install"),
        (wanted("stopped"), live(), "stop"),
        (wanted("stopped"), live(health="degraded"), "stop"),
        (wanted("stopped"), live(health="stopped"), None),
        (wanted("stopped"), live(health="missing"), None),
        (wanted("absent"), live(), "remove"),
        (wanted(), live(state=9), "update"),
        (wanted(), live(state=9, services=[]), "install"),
        (wanted(params={"name": "m"}), live(), "update"),
        (wanted(params={"cpu": 2}), live(), "scale"),
        (wanted(params={"cpu": "1.0", "count": "2", "on": "no", "tags": "a"}), live(), None),
        (wanted(params={"where": "here"}), live(params={}), None),
    ],
)
def test_next_step_when_something_is_to_be_done_then_the_right_phase(
    want: Wanted, present: dict[str, Any] | None, phase: str | None
) -> None:
    step = next_step(want, present, SCHEMAS)
    assert (step.phase if step else None) == phase


def test_next_step_when_two_phases_are_needed_then_the_larger_first_with_only_what_differs() -> None:
    want = wanted(params={"name": "m", "on": True, "cpu": 2, "count": 2})
    assert next_step(want, live(), SCHEMAS) == Step("update", {"name": "m", "on": True}, "abcdefgh")
    then = live(params={**live()["params"], "name": "m", "on": True})
    assert next_step(want, then, SCHEMAS) == Step("scale", {"cpu": 2}, "abcdefgh")


@pytest.mark.parametrize(
    ("want", "present", "words"),
    [
        (wanted(plan=None), None, "say in plan"),
        (wanted(params={"nmae": 1}), None, "has no parameter nmae"),
        (wanted(plan="other"), live(), "of the plan notebook"),
        (wanted(params={"where": "there", "name": "m"}), live(), "where cannot be changed"),
    ],
)
def test_next_step_when_no_phase_leads_there_then_the_cause_is_said(
    want: Wanted, present: dict[str, Any] | None, words: str
) -> None:
    with pytest.raises(NotPossible, match=words):
        next_step(want, present, SCHEMAS)


def test_preview_when_several_steps_are_needed_then_all_are_told_in_order() -> None:
    steps, after = describe_wanted(wanted("stopped", params={"name": "m", "cpu": 2}), live(), SCHEMAS)
    assert [step.phase for step in steps] == ["update", "scale", "stop"]
    assert (after["health"], after["params"]["name"], after["params"]["cpu"]) == ("stopped", "m", 2)
    steps, after = describe_wanted(wanted("absent", keep_data=False), live(), SCHEMAS)
    assert (steps, after) == ([Step("remove", {"keep_data": False}, "abcdefgh")], {"state": "absent"})


def test_body_when_it_is_for_somebody_else_then_a_new_one_names_its_owner() -> None:
    install, stop = Step("install", {"cpu": 1}), Step("stop", {}, "abcdefgh")
    new = {"phase": "install", "params": {"cpu": 1}, "plan": "notebook", "name": "demo", "project": "default"}
    assert body_of(install, wanted()) == new
    assert body_of(install, wanted(owner="bob")) == {**new, "owner": "bob"}
    assert "owner" not in body_of(stop, wanted(owner="bob"))


def test_differing_when_a_mapping_differs_then_it_is_taken_whole() -> None:
    found = differing({"env": {"A": 1, "B": "x"}}, {"env": {"A": "1"}}, {})
    assert found == {"env": {"A": 1, "B": "x"}}
    assert differing({"env": {"A": 1}}, {"env": {"A": "1"}}, {}) == {}


def test_hide_secrets_when_a_name_sounds_like_one_then_its_value_is_not_shown() -> None:
    shown = hide_secrets(
        {"env": {"DB_PASSWORD": "x", "API_KEY": "y", "LANG": "C", "token": ""}, "l": [{"secret": 1}]}
    )
    assert shown == {
        "env": {"DB_PASSWORD": HIDDEN, "API_KEY": HIDDEN, "LANG": "C", "token": ""},
        "l": [{"secret": HIDDEN}],
    }


def test_key_when_the_request_is_the_same_then_it_is_the_same_and_else_another() -> None:
    assert derive_key("ada", {"a": 1, "b": 2}, 3) == derive_key("ada", {"b": 2, "a": 1}, 3)
    others = {derive_key("ada", {"a": 1}, 3), derive_key("ada", {"a": 1}, 4), derive_key("bob", {"a": 1}, 3)}
    assert len(others) == 3
