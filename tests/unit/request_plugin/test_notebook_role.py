"""The notebook role's files agree: argument specs, defaults, sidecar, task files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.labyard.platform.plugins.module_utils._request.spec import (
    FIRST_STEP,
    PHASES,
    read_configuration,
)

ROLE = Path(__file__).resolve().parents[3] / "collection" / "roles" / "notebook"
CONFIGURATION = read_configuration(ROLE, "labyard.platform.notebook")


def read(name: str) -> Any:
    return yaml.safe_load((ROLE / name).read_text())


def names_of_tasks(tasks: list[dict[str, Any]]) -> list[str]:
    """The names of all tasks, in order, through blocks and imported files."""
    names: list[str] = []
    for task in tasks:
        if imported := task.get("ansible.builtin.import_tasks"):
            names += names_of_tasks(read(f"tasks/{imported}"))
        elif "block" in task:
            for part in ("block", "rescue", "always"):
                names += names_of_tasks(task.get(part, []))
        else:
            names.append(task["name"])
    return names


def test_role_then_every_phase_has_its_entry_point() -> None:
    assert set(CONFIGURATION.phases) == set(PHASES) == set(read("meta/argument_specs.yml")["argument_specs"])
    assert all((ROLE / "tasks" / f"{phase}.yml").is_file() for phase in PHASES)


def test_defaults_then_those_of_the_specs_and_no_others() -> None:
    told = {
        option: spec["default"]
        for phase in read("meta/argument_specs.yml")["argument_specs"].values()
        for option, spec in phase["options"].items()
        if option.startswith("notebook_")
    }
    assert read("defaults/main.yml") == told


@pytest.mark.parametrize("phase", PHASES)
def test_steps_then_names_of_tasks_in_their_order(phase: str) -> None:
    first, *steps = CONFIGURATION.phases[phase].steps
    assert first == FIRST_STEP
    names = names_of_tasks(read(f"tasks/{phase}.yml"))
    assert steps == sorted(steps, key=names.index)
    assert steps[-1] == names[-1] == "Hand over the result"


@pytest.mark.parametrize("phase", PHASES)
def test_fields_then_their_defaults_pass_their_own_rules(phase: str) -> None:
    from ansible_collections.labyard.platform.plugins.module_utils._request.validate import clean_params

    spec = CONFIGURATION.phases[phase]
    defaults = {f.name: f.default for f in spec.fields}
    assert clean_params(spec, defaults) == defaults


@pytest.mark.parametrize("phase", PHASES)
def test_timeout_then_longer_than_the_wait(phase: str) -> None:
    waits = phase != "check"
    assert (
        not waits or CONFIGURATION.phases[phase].timeout > read("defaults/main.yml")["notebook_wait_timeout"]
    )
