"""The inventory plugin, asked by ansible-inventory, against a real console."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.labyard.platform.plugins.inventory.deployments import EXAMPLES, name_hosts
from tests.conftest import REPOSITORY, RunningConsole
from tests.integration.conftest import CHEAP_PLAN

PLUGIN = "labyard.platform.deployments"


def ansible(program: str, console: RunningConsole, *arguments: str, **variables: str) -> Any:
    """One of Ansible's programs with the console's address and key in the environment."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LABYARD_", "ANSIBLE_"))}
    connection = {"LABYARD_URL": console.url, "LABYARD_API_KEY": console.api_key}
    return subprocess.run(
        [str(Path(sys.executable).parent / program), *arguments],
        env={**kept, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"), **connection, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def inventory(folder: Path, console: RunningConsole, document: dict[str, Any], **variables: str) -> Any:
    """What ansible-inventory makes of a source with `document`."""
    source = folder / "deployments.yml"
    source.write_text(yaml.safe_dump({"plugin": PLUGIN, **document}))
    done = ansible("ansible-inventory", console, "-i", str(source), "--list", **variables)
    assert done.returncode == 0, done.stderr
    assert console.api_key not in done.stdout + done.stderr
    return json.loads(done.stdout, object_hook=_untrusted)


def _untrusted(found: dict[str, Any]) -> Any:
    """The text in what ansible-inventory writes for one that is no template."""
    return found["__ansible_unsafe"] if set(found) == {"__ansible_unsafe"} else found


@pytest.fixture
def pair(cheap_console: RunningConsole, unique: str) -> list[str]:
    """Two deployments, one of them with a text that is a template."""
    payload = "{{ lookup('pipe', 'touch /tmp/labyard-inventory-" + unique + "') }}"
    names = [f"{unique}-1", f"{unique}-2"]
    issued = [
        cheap_console.issue(plan=CHEAP_PLAN, phase="install", name=name, params={"words": payload})
        for name in names
    ]
    for command in issued:
        assert cheap_console.finish(command)["state_name"] == "COMPLETED"
    return names


def test_inventory_when_listed_then_each_deployment_is_a_host_in_its_groups(
    cheap_console: RunningConsole, pair: list[str], unique: str, tmp_path: Path
) -> None:
    example = yaml.safe_load(EXAMPLES)
    found = inventory(tmp_path, cheap_console, {**example, "filters": {"search": unique}})
    assert sorted(found["plan_test_sleeper"]["hosts"]) == pair
    assert sorted(found["health_running"]["hosts"]) == pair
    assert "broken" not in found
    first = found["_meta"]["hostvars"][pair[0]]
    assert (first["labyard_name"], first["labyard_plan"], first["labyard_state"]) == (
        pair[0],
        CHEAP_PLAN,
        "COMPLETED",
    )
    assert (first["ansible_connection"], first["address"]) == ("local", "")


def test_inventory_when_a_parameter_is_a_template_then_it_stays_a_text(
    cheap_console: RunningConsole, pair: list[str], unique: str, tmp_path: Path
) -> None:
    mark = Path(f"/tmp/labyard-inventory-{unique}")
    document = {
        "filters": {"name": pair[0]},
        "compose": {"words": "labyard_params.words", "ansible_connection": "'local'"},
        "keyed_groups": [{"key": "labyard_params.words", "prefix": "words"}],
    }
    inventory(tmp_path, cheap_console, document)
    task = ["-m", "ansible.builtin.debug", "-a", "msg={{ words }}{{ labyard_params.words }}"]
    done = ansible("ansible", cheap_console, "-i", str(tmp_path / "deployments.yml"), "all", *task)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("lookup('pipe'") == 2
    assert not mark.exists()


def test_inventory_when_cached_then_the_console_is_not_asked_again(
    cheap_console: RunningConsole, pair: list[str], unique: str, tmp_path: Path
) -> None:
    document = {
        "filters": {"search": unique},
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(tmp_path / "cache"),
    }
    first = inventory(tmp_path, cheap_console, document)
    again = inventory(tmp_path, cheap_console, document, LABYARD_URL="http://127.0.0.1:1")
    assert sorted(again["_meta"]["hostvars"]) == sorted(first["_meta"]["hostvars"]) == pair


@pytest.mark.parametrize(
    ("document", "variables", "words"),
    [
        ({}, {"LABYARD_URL": "http://127.0.0.1:1"}, "does not answer"),
        ({"filters": {"nmae": "x"}}, {}, "filters: nmae is none of: name"),
        ({"filters": {"state": "BROKEN"}}, {}, "filters.state must be one of"),
        ({}, {"LABYARD_API_KEY": "lyk_wrong"}, "key"),
    ],
)
def test_inventory_when_it_cannot_be_read_then_the_cause_is_said(
    cheap_console: RunningConsole,
    tmp_path: Path,
    document: dict[str, Any],
    variables: dict[str, str],
    words: str,
) -> None:
    source = tmp_path / "deployments.yml"
    source.write_text(yaml.safe_dump({"plugin": PLUGIN, **document}))
    strict = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true", **variables}
    done = ansible("ansible-inventory", cheap_console, "-i", str(source), "--list", **strict)
    assert done.returncode != 0
    assert words in " ".join(done.stderr.split())


def test_hosts_when_several_deployments_have_one_name_then_none_is_lost() -> None:
    rows = [{"id": "a", "name": "x"}, {"id": "b", "name": "x"}, {"id": "c", "name": "y"}]
    assert sorted(name_hosts(rows, "name")) == ["x-a", "x-b", "y"]
    assert sorted(name_hosts(rows, "id")) == ["a", "b", "c"]
