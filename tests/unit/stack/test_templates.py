"""Text that the swarm would take for a template, made safe."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.labyard.platform.plugins.module_utils._stack.compose import load_stack
from ansible_collections.labyard.platform.plugins.module_utils._stack.convert import Naming
from ansible_collections.labyard.platform.plugins.module_utils._stack.templates import (
    escape_templates,
    unescape_templates,
)

NODE = "{{.Node.ID}}"
SAFE = '{{ "{{" }}.Node.ID}}'
SOURCE = {
    "services": {
        "web": {
            "image": f"app:{NODE}",
            "command": ["echo", NODE],
            "hostname": NODE,
            "environment": {"A": f"x=y{NODE}", NODE: "name", "C": None},
            "volumes": [f"data:/d{NODE}", {"type": "bind", "source": f"/{NODE}", "target": "/b"}],
            "labels": {"a": NODE},
        }
    },
    "volumes": {"data": {"labels": {"a": NODE}, "driver": "local", "driver_opts": {"o": NODE}}},
}


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain } }} {", "plain } }} {"),
        ("{{", '{{ "{{" }}'),
        ("{{{", '{{ "{{" }}{'),
        ("{{{{", '{{ "{{" }}{{ "{{" }}'),
        (NODE, SAFE),
    ],
)
def test_escape_templates(text: str, safe: str) -> None:
    assert escape_templates(text) == safe


@given(st.text(alphabet='{}" .a', max_size=30))
def test_escape_templates_then_unescaped_the_same(text: str) -> None:
    assert unescape_templates(escape_templates(text)) == text


@pytest.mark.parametrize(("templates", "there"), [("swarm", NODE), ("literal", SAFE)])
def test_load_stack_then_escaped_where_a_swarm_expands_and_nowhere_else(templates: str, there: str) -> None:
    stack, _ = load_stack([SOURCE], Naming("s"), variables=None, templates=templates)
    container = stack.services["s_web"]["TaskTemplate"]["ContainerSpec"]
    assert container["Env"] == [f"A=x=y{there}", "C", f"{NODE}=name"]
    assert container["Hostname"] == there
    data, bind = container["Mounts"]
    assert (data["Target"], bind["Source"]) == (f"/d{there}", f"/{there}")
    assert data["VolumeOptions"]["Labels"] == {"a": there, "com.docker.stack.namespace": "s"}
    assert data["VolumeOptions"]["DriverConfig"] == {"Name": "local", "Options": {"o": there}}
    assert container["Args"] == ["echo", NODE]
    assert container["Image"] == f"app:{NODE}"
    assert container["Labels"]["a"] == NODE
