"""Every role has the same shape, and what is said in two places is said alike."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ansible_collections.labyard.platform.plugins.module_utils._request.request import (
    merge_params,
    read_plans,
)
from ansible_collections.labyard.platform.plugins.module_utils._request.spec import (
    FIRST_STEP,
    PHASES,
    Configuration,
    read_configuration,
)
from labyard.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parent for path in (REPOSITORY / "collection" / "roles").glob("*/tasks"))
SERVICE_ROLES = [role for role in ROLES if (role / "meta" / "service.yml").exists()]
PLAN_FILES = sorted((REPOSITORY / "inventories").glob("*/plans.yml"))

# Options that the play hands to every service role; no role has defaults for them.
FRAME = {
    "labyard_deployment",
    "labyard_given",
    "labyard_secret_files",
    "labyard_steps_done",
    "labyard_edge_mode",
}

each_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
each_service = pytest.mark.parametrize("role", SERVICE_ROLES, ids=lambda role: role.name)


class AnsibleLoader(yaml.SafeLoader):
    """YAML as Ansible reads it; what a tag such as `!unsafe` says is left out."""


AnsibleLoader.add_multi_constructor("!", lambda loader, _tag, node: loader.construct_scalar(node))


@functools.cache
def load(path: Path) -> Any:
    """The YAML document in `path`; None if it is empty."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=AnsibleLoader)  # noqa: S506 - a SafeLoader


def entry_points(role: Path) -> dict[str, Any]:
    """The argument specs of `role`, by entry point."""
    specs: dict[str, Any] = load(role / "meta" / "argument_specs.yml")["argument_specs"]
    return specs


def configuration_of(role: Path) -> Configuration:
    """The service configuration that `role` is."""
    return read_configuration(role, f"labyard.platform.{role.name}")


def task_names(role: Path, task_file: str) -> Iterator[str]:
    """The names of all tasks in `task_file`, in order, through blocks and the files it brings in."""
    yield from _names(role, load(role / "tasks" / task_file))


def _names(role: Path, tasks: list[dict[str, Any]]) -> Iterator[str]:
    for task in tasks:
        yield task.get("name", "")
        for part in ("block", "rescue", "always"):
            yield from _names(role, task.get(part) or [])
        for action in ("ansible.builtin.import_tasks", "ansible.builtin.include_tasks"):
            if action in task:
                yield from task_names(
                    role, task[action] if isinstance(task[action], str) else task[action]["file"]
                )


@each_role
def test_role_when_looked_at_then_it_has_the_parts_of_every_role(role: Path) -> None:
    parts = ("README.md", "defaults/main.yml", "meta/main.yml", "meta/argument_specs.yml")
    assert not [part for part in parts if not (role / part).is_file()]
    about = load(role / "meta" / "main.yml")["galaxy_info"]
    assert about["license"] == "GPL-3.0-or-later"
    assert about["description"]
    assert (role / "README.md").read_text(encoding="utf-8").startswith("# ")


@each_role
def test_role_when_an_entry_point_is_specified_then_its_task_file_is_there(role: Path) -> None:
    missing = [name for name in entry_points(role) if not (role / "tasks" / f"{name}.yml").is_file()]
    assert not missing


@each_role
def test_role_when_an_option_is_specified_then_it_is_explained(role: Path) -> None:
    mute = [
        f"{name}.{option}"
        for name, entry in entry_points(role).items()
        for option, spec in (entry.get("options") or {}).items()
        if not spec.get("description") or not spec.get("type")
    ]
    assert not mute
    assert not [name for name, entry in entry_points(role).items() if not entry.get("short_description")]


@each_role
def test_role_when_specs_and_defaults_are_compared_then_they_are_the_same(role: Path) -> None:
    defaults = load(role / "defaults" / "main.yml") or {}
    specified: dict[str, Any] = {}
    for name, entry in entry_points(role).items():
        for option, spec in (entry.get("options") or {}).items():
            if option in FRAME or spec.get("required"):
                continue
            assert "default" in spec, f"{name}: {option} is neither required nor has it a default"
            assert specified.setdefault(option, spec["default"]) == spec["default"], f"{name}: {option}"
    assert specified == defaults


@each_role
def test_role_when_its_variables_are_read_then_their_names_say_whose_they_are(role: Path) -> None:
    foreign = [
        name for name in load(role / "defaults" / "main.yml") or {} if not name.startswith(f"{role.name}_")
    ]
    variables = role / "vars" / "main.yml"
    inner = load(variables) or {} if variables.exists() else {}
    foreign += [name for name in inner if not name.startswith(f"__{role.name}_")]
    assert not foreign


@each_service
def test_service_when_its_phases_are_read_then_each_has_spec_sidecar_and_task_file(role: Path) -> None:
    configuration = configuration_of(role)
    assert {"install", "check", "remove"} <= set(configuration.phases) <= set(PHASES)
    assert set(load(role / "meta" / "service.yml")["phases"]) == set(configuration.phases)
    assert set(entry_points(role)) == set(configuration.phases)


@each_service
def test_service_when_a_phase_has_steps_then_each_is_a_task_of_it_in_that_order(role: Path) -> None:
    for name, phase in configuration_of(role).phases.items():
        assert phase.steps[0] == FIRST_STEP
        assert len(set(phase.steps)) == len(phase.steps)
        tasks = list(task_names(role, f"{name}.yml"))
        found = [step for step in tasks if step in phase.steps]
        assert tuple(dict.fromkeys(found)) == phase.steps[1:], f"phase {name}"


@each_service
def test_service_when_it_ends_then_its_last_step_hands_over_the_result(role: Path) -> None:
    for name, phase in configuration_of(role).phases.items():
        assert phase.steps[-1] == "Hand over the result", f"phase {name}"


def test_play_when_it_starts_then_its_first_task_is_the_first_step() -> None:
    (play,) = load(REPOSITORY / "playbooks" / "service.yml")
    assert play["tasks"][0]["name"] == FIRST_STEP


@each_service
def test_service_when_an_option_is_a_persons_then_it_stands_in_one_group_and_is_titled(role: Path) -> None:
    sidecar = load(role / "meta" / "service.yml")
    shown = [name for group in sidecar["groups"] for name in group["fields"]]
    assert len(shown) == len(set(shown))
    assert set(sidecar["fields"]) == set(shown), "a field that nobody sees has no need of words"
    assert not [name for name in shown if not sidecar["fields"][name].get("title")]


@each_service
def test_service_when_an_option_is_in_no_group_then_no_request_may_name_it(role: Path) -> None:
    for phase in configuration_of(role).phases.values():
        persons = {field.name for field in phase.fields}
        assert not persons & {field.name for field in phase.operator_fields}
        assert all(field.group for field in phase.fields)


@each_service
def test_service_when_something_can_be_lost_then_the_phase_says_so(role: Path) -> None:
    for name in {"stop", "remove"} & set(configuration_of(role).phases):
        phase = configuration_of(role).phases[name]
        assert phase.loses, f"phase {name} does not say what is lost"
        assert phase.keeps, f"phase {name} does not say what is kept"


@pytest.mark.parametrize("path", PLAN_FILES, ids=lambda path: path.parent.name)
def test_plans_when_read_then_their_fixed_values_and_shapes_fit_the_service(path: Path) -> None:
    for plan in read_plans(path).values():
        configuration = configuration_of(
            REPOSITORY / "collection" / "roles" / plan.configuration.split(".")[-1]
        )
        for shape in plan.shapes.values():
            merge_params(configuration, plan, "install", shape)
        merge_params(configuration, plan, "install", {})


def test_console_when_it_reads_a_setting_then_its_role_can_set_it() -> None:
    files = sorted((REPOSITORY / "web" / "labyard").glob("settings*.py"))
    code = "".join(path.read_text(encoding="utf-8") for path in files)
    read = set(re.findall(r'"(LABYARD_[A-Z_]+|ANSIBLE_CONFIG|DOCKER_HOST)"', code))
    role = REPOSITORY / "collection" / "roles" / "console"
    assert set(load(role / "vars" / "main.yml")["__console_settings"]) == read
    defaults = load(role / "defaults" / "main.yml")
    numbers = ("command_limit", "deployment_limit", "keep_runs_days", "keep_runs", "live_streams")
    assert [defaults[f"console_{name}"] for name in numbers] == [getattr(Settings, name) for name in numbers]


def test_result_schema_when_read_then_it_is_a_json_schema() -> None:
    path = REPOSITORY / "collection/plugins/module_utils/_request/labyard_result.schema.json"
    jsonschema.Draft202012Validator.check_schema(yaml.safe_load(path.read_text(encoding="utf-8")))
