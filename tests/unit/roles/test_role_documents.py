"""Defaults, argument specs and READMEs of the platform roles say the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from .role_table import ROLES, entry_points, platform_roles, render_table, table_in_readme

PLATFORM = [
    ROLES / name
    for name in (
        "backup",
        "certificates",
        "console",
        "database",
        "directory",
        "docker_engine",
        "image",
        "ingress",
        "jupyterhub",
        "monitoring",
        "preflight",
        "queue",
        "registry",
        "restore",
        "storage",
        "swarm",
    )
]


def test_platform_roles_when_listed_then_all_have_a_table() -> None:
    assert set(PLATFORM) <= set(platform_roles())


@pytest.mark.parametrize("role", PLATFORM, ids=lambda path: path.name)
def test_argument_specs_when_compared_with_defaults_then_are_equal(role: Path) -> None:
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text("utf-8"))
    options = entry_points(role)["main"]["options"]
    assert {name: option.get("default") for name, option in options.items()} == defaults


@pytest.mark.parametrize("role", PLATFORM, ids=lambda path: path.name)
def test_entry_points_when_listed_then_each_has_a_task_file(role: Path) -> None:
    for name in entry_points(role):
        assert (role / "tasks" / f"{name}.yml").is_file()


@pytest.mark.parametrize("role", PLATFORM, ids=lambda path: path.name)
def test_readme_when_compared_with_argument_specs_then_its_table_is_theirs(role: Path) -> None:
    assert table_in_readme(role) == render_table(role)


@pytest.mark.parametrize("role", PLATFORM, ids=lambda path: path.name)
def test_default_when_read_then_a_comment_stands_above_it(role: Path) -> None:
    lines = (role / "defaults" / "main.yml").read_text("utf-8").split("\n")
    for block in "\n".join(lines).split("\n\n"):
        assert block.removeprefix("---\n").startswith("#"), f"no comment above: {block}"
