"""Reading requests and plans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._request.request import (
    PlanSpec,
    RequestError,
    derive_id,
    merge_params,
    parse_plan,
    parse_request,
    read_plans,
    read_request,
)
from ansible_collections.labyard.platform.plugins.module_utils._request.spec import (
    Configuration,
    Field,
    PhaseSpec,
)

PLAN = PlanSpec("notebook", "labyard.platform.notebook")
PLANS = {"notebook": PLAN}


def make_document(**changes: Any) -> dict[str, Any]:
    return {"plan": "notebook", "phase": "install", "name": "demo", "params": {}, **changes}


def make_configuration() -> Configuration:
    size = Field("size", "demo_size", "int", "Size", group="Size", minimum=1, maximum=9)
    hidden = Field("secret_mode", "demo_secret_mode", "str", "Mode")
    phase = PhaseSpec("install", "Launch", 60, (), (size,), (hidden,))
    return Configuration("a.b.demo", "demo", "Demo", "box", "", (), {"install": phase})


def faults(document: Any) -> dict[str, str]:
    with pytest.raises(RequestError) as caught:
        parse_request(document, PLANS)
    return caught.value.errors


def test_request_without_deployment_gets_an_id_that_stays_the_same() -> None:
    first, second = (parse_request(make_document(), PLANS).subject for _ in range(2))
    assert first == second
    assert first.stack == f"notebook-{derive_id('operator', 'default', 'demo')}"
    assert len(first.id) == 8


def test_request_of_the_console_keeps_its_deployment() -> None:
    given = {"id": "k3f9x2ab", "project": "lab", "owner": "ada"}
    subject = parse_request(make_document(deployment=given), PLANS).subject
    assert subject.labels == {
        "labyard.deployment": "k3f9x2ab",
        "labyard.plan": "notebook",
        "labyard.project": "lab",
        "labyard.owner": "ada",
    }


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"plan": "other"}, "plan"),
        ({"plan": {"name": "X", "configuration": "a.b.c"}}, "plan.name"),
        ({"plan": {"name": "x", "configuration": "../../etc"}}, "plan.configuration"),
        ({"phase": "explode"}, "phase"),
        ({"phase": "../install"}, "phase"),
        ({"name": "{{ lookup('pipe', 'id') }}"}, "name"),
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "a" * 64}, "name"),
        ({"name": "-x"}, "name"),
        ({"params": []}, "params"),
        ({"ansible_ssh_common_args": "-o x"}, "ansible_ssh_common_args"),
        ({"deployment": {"id": "UPPER123"}}, "deployment.id"),
        ({"deployment": {"owner": "{{ x }}"}}, "deployment.owner"),
        ({"deployment": {"__ansible_unsafe": "x"}}, "deployment.__ansible_unsafe"),
        ({"secrets": {"token": "short"}}, "secrets"),
        ({"secrets": "x"}, "secrets"),
    ],
)
def test_fault_is_reported_at_its_place(changes: dict[str, Any], place: str) -> None:
    assert place in faults(make_document(**changes))


@pytest.mark.parametrize("document", [None, [], "text", 5])
def test_request_that_is_no_mapping_is_refused(document: Any) -> None:
    assert "request" in faults(document)


def test_request_file_that_is_no_json_is_refused_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(RequestError, match="is not JSON"):
        read_request(path, PLANS)


def test_request_file_that_is_missing_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be read"):
        read_request(tmp_path / "no.json", PLANS)


def test_fixed_value_wins_and_may_not_be_contradicted() -> None:
    plan = PlanSpec("demo", "a.b.demo", fixed={"size": 3, "secret_mode": "on"})
    assert merge_params(make_configuration(), plan, "install", {}) == {"size": 3, "secret_mode": "on"}
    assert merge_params(make_configuration(), plan, "install", {"size": 3})["size"] == 3
    with pytest.raises(RequestError) as caught:
        merge_params(make_configuration(), plan, "install", {"size": 4})
    assert caught.value.errors == {"size": "is fixed by the plan to 3"}


def test_operators_option_is_unknown_to_a_person() -> None:
    with pytest.raises(RequestError) as caught:
        merge_params(make_configuration(), PlanSpec("demo", "a.b.demo"), "install", {"secret_mode": "x"})
    assert "secret_mode" in caught.value.errors


def test_wrong_fixed_value_is_reported_as_the_plans_own() -> None:
    plan = PlanSpec("demo", "a.b.demo", fixed={"size": 99})
    with pytest.raises(RequestError) as caught:
        merge_params(make_configuration(), plan, "install", {})
    assert caught.value.errors == {"plan.fixed.size": "must be between 1 and 9"}


def test_plan_with_an_unknown_key_is_refused() -> None:
    with pytest.raises(RequestError) as caught:
        parse_plan({"name": "x", "configuration": "a.b.c", "colour": "red"})
    assert list(caught.value.errors) == ["plan.colour"]


def test_plan_named_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plans.yml"
    path.write_text(
        "- {name: a, configuration: a.b.c}\n- {name: a, configuration: a.b.c}\n", encoding="utf-8"
    )
    with pytest.raises(RequestError, match="stands twice"):
        read_plans(path)
