"""Every plugin is documented, and a module's documentation says what its code takes."""

from __future__ import annotations

import functools
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
PLUGINS = REPOSITORY / "collection" / "plugins"
COLLECTION = "ansible_collections.labyard.platform.plugins"
MODULES = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py"))
ACTIONS = sorted(path.stem for path in (PLUGINS / "action").glob("*.py"))
INVENTORIES = sorted(path.stem for path in (PLUGINS / "inventory").glob("*.py"))
CALLBACKS = sorted(path.stem for path in (PLUGINS / "callback").glob("*.py"))

# A module without code documents an action plugin, which does the work.
WORKING_MODULES = [
    name for name in MODULES if "def main(" in (PLUGINS / "modules" / f"{name}.py").read_text("utf-8")
]


@functools.cache
def documents(kind: str, names: tuple[str, ...]) -> dict[str, Any]:
    """What ansible-doc has on the plugins, by short name."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-doc"), "--json", "--type", kind,
         *(f"labyard.platform.{name}" for name in names)],
        cwd=REPOSITORY,
        env={**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return {name.split(".")[-1]: document for name, document in found.items()}


def module_document(name: str) -> dict[str, Any]:
    """What ansible-doc has on a module, with its fragments."""
    found: dict[str, Any] = documents("module", tuple(MODULES))[name]
    return found


class Captured(Exception):
    """Carries what a module hands to AnsibleModule."""


def argument_spec_of(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The argument spec in the code of a module."""
    module = importlib.import_module(f"{COLLECTION}.modules.{name}")
    shells = [
        importlib.import_module(f"{COLLECTION}.module_utils.{p}.module")
        for p in ("_stack", "_console", "_certificates", "_registry", "_billing")
    ]

    def capture(argument_spec: dict[str, Any], **_settings: Any) -> NoReturn:
        raise Captured(argument_spec)

    for shell in shells:
        monkeypatch.setattr(shell, "AnsibleModule", capture)
    with pytest.raises(Captured) as caught:
        module.main()
    spec: dict[str, Any] = caught.value.args[0]
    return spec


def as_documented(option: dict[str, Any]) -> dict[str, Any]:
    """What documentation must say of an option of the code or of the documentation."""
    about = {key: option.get(key) for key in ("default", "elements")}
    about["type"] = option.get("type") or "str"
    about["required"] = bool(option.get("required"))
    about["choices"] = list(option.get("choices") or ())
    about["aliases"] = sorted(option.get("aliases") or ())
    return about


@pytest.mark.parametrize("name", MODULES)
def test_module_when_asked_for_its_documentation_then_nothing_is_left_open(name: str) -> None:
    document = module_document(name)
    about = document["doc"]
    assert about["short_description"]
    assert about["description"]
    assert about["version_added"]
    assert document["examples"].strip()
    assert document["return"] is not None
    assert {"check_mode", "diff_mode"} <= set(about["attributes"])
    assert not [option for option, spec in about["options"].items() if not spec.get("description")]


@pytest.mark.parametrize("name", WORKING_MODULES)
def test_module_when_code_and_documentation_are_compared_then_options_are_the_same(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_code = {k: as_documented(v) for k, v in argument_spec_of(name, monkeypatch).items()}
    documented = {k: as_documented(v) for k, v in module_document(name)["doc"]["options"].items()}
    assert documented == in_code


@pytest.mark.parametrize(("group", "option"), [("docker", "docker_host"), ("console", "api_key")])
def test_action_group_when_read_then_has_every_module_that_talks_to_an_engine_or_a_console(
    group: str, option: str
) -> None:
    runtime = yaml.safe_load((REPOSITORY / "collection" / "meta" / "runtime.yml").read_text("utf-8"))
    with_it = {name for name in MODULES if option in module_document(name)["doc"]["options"]}
    assert set(runtime["action_groups"][group]) == with_it


@pytest.mark.parametrize("name", WORKING_MODULES)
def test_action_group_when_a_module_is_in_it_then_its_documentation_says_so(name: str) -> None:
    runtime = yaml.safe_load((REPOSITORY / "collection" / "meta" / "runtime.yml").read_text("utf-8"))
    is_in_one = any(name in group for group in runtime["action_groups"].values())
    documented = module_document(name)["doc"]["attributes"].get("action_group", {}).get("support")
    assert documented == ("full" if is_in_one else None)


@pytest.mark.parametrize("name", CALLBACKS)
def test_callback_when_asked_for_its_documentation_then_it_has_one(name: str) -> None:
    assert documents("callback", tuple(CALLBACKS))[name]["doc"]["short_description"]


@pytest.mark.parametrize("name", INVENTORIES)
def test_inventory_when_asked_for_its_documentation_then_nothing_is_left_open(name: str) -> None:
    document = documents("inventory", tuple(INVENTORIES))[name]
    assert document["doc"]["short_description"]
    assert document["doc"]["version_added"]
    assert document["examples"].strip()
    assert not [option for option, spec in document["doc"]["options"].items() if not spec.get("description")]


def test_action_when_it_is_there_then_a_module_of_its_name_documents_it() -> None:
    assert set(ACTIONS) <= set(MODULES)


def test_changelog_when_linted_then_its_fragments_are_sound() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "antsibull-changelog"), "lint"],
        cwd=REPOSITORY / "collection",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((REPOSITORY / "collection" / "changelogs" / "fragments").glob("*.yml"))
