"""What the operator's inventory says of a service, as the preflight of a run reads it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._request.resources import read_needs
from ansible_collections.labyard.platform.plugins.module_utils._request.spec import read_configuration
from labyard.runs.inventory import operator_values
from labyard.settings import Settings, read_settings
from tests.conftest import REPOSITORY

NOTEBOOK = read_configuration(REPOSITORY / "collection" / "roles" / "notebook", "labyard.platform.notebook")
HOSTS = "all: {children: {swarm_managers: {hosts: {one: {}, two: {}}}}}\n"


def settings_with(folder: Path, variables: str, hosts: str = HOSTS) -> Settings:
    (folder / "group_vars").mkdir(exist_ok=True)
    (folder / "hosts.yml").write_text(hosts, "utf-8")
    (folder / "group_vars" / "all.yml").write_text(variables, "utf-8")
    return replace(read_settings(), inventory=folder)


def test_variable_when_the_inventory_sets_it_then_stands_for_the_default(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, "notebook_image_prefix: 192.0.2.1:5000/lab\nother_image_prefix: no\n")
    values = operator_values(NOTEBOOK, settings)
    assert values == {"image_prefix": "192.0.2.1:5000/lab"}
    needs = read_needs(NOTEBOOK, {**values, "image_flavour": "minimal"})
    assert needs is not None
    assert needs.image == "192.0.2.1:5000/lab/notebook-minimal:current"


def test_variable_when_it_is_a_template_then_is_left_to_the_run(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, "notebook_image_prefix: '{{ somewhere }}'\n")
    assert operator_values(NOTEBOOK, settings) == {}


def test_variable_when_it_changes_then_is_read_again(tmp_path: Path) -> None:
    for prefix in ("a", "b"):
        values = operator_values(NOTEBOOK, settings_with(tmp_path, f"notebook_image_prefix: {prefix}\n"))
        assert values == {"image_prefix": prefix}


@pytest.mark.parametrize("hosts", ["all: {hosts: {one: {}}}\n", "all: [\n"])
def test_inventory_when_it_has_no_manager_or_is_broken_then_the_defaults_count(
    tmp_path: Path, hosts: str
) -> None:
    assert operator_values(NOTEBOOK, settings_with(tmp_path, "notebook_image_prefix: a\n", hosts)) == {}
