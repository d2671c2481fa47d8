"""Reading compose sources."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.labyard.platform.plugins.module_utils._stack.compose import load_stack
from ansible_collections.labyard.platform.plugins.module_utils._stack.convert import Naming
from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import ComposeError
from ansible_collections.labyard.platform.plugins.module_utils._stack.load import (
    parse_env_file,
    parse_yaml,
    project_directory,
    read_sources,
)
from ansible_collections.labyard.platform.plugins.module_utils._stack.normalise import SERVICE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 22:22", {"a": "22:22"}),
        ("a: 2024-01-01", {"a": "2024-01-01"}),
        ("a: no", {"a": "no"}),
        ("a: true", {"a": True}),
        ("a: 0440", {"a": 288}),
        ("a: 0x10", {"a": 16}),
        ("a: 1.5", {"a": 1.5}),
        ("a: 08", {"a": 8}),
        ("a:", {"a": None}),
        ("x: &b {k: 1}\na: {<<: *b, l: 2}", {"x": {"k": 1}, "a": {"k": 1, "l": 2}}),
        ("", {}),
        ("# nothing", {}),
    ],
)
def test_parse_yaml_as_docker_reads_it(text: str, expected: dict[str, object]) -> None:
    assert parse_yaml(text, "f") == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "not valid YAML"),
        ("- a", "is a mapping"),
        ("just text", "is a mapping"),
        ("a: 1\na: 2", "stands twice, in lines 1 and 2"),
        ("services:\n  web:\n    image: a\n    image: b", "services.web.image: this key stands twice"),
        ("a: &a [*a]", "refers to itself"),
        ("a: !!python/object:os.system x", "not valid YAML"),
        ("a: *nothing", "not valid YAML"),
        ("a: 1\n---\nb: 2", "not valid YAML"),
        ("{[1, 2]: 3}", "not valid YAML"),
    ],
)
def test_parse_yaml_when_wrong_then_error_names_the_file(text: str, words: str) -> None:
    with pytest.raises(ComposeError, match=r"^compose\.yml: ") as caught:
        parse_yaml(text, "compose.yml")
    assert words in str(caught.value)


def test_read_sources_when_file_is_missing_then_error_names_it() -> None:
    with pytest.raises(ComposeError, match=r"/nowhere/c\.yml: the file cannot be read"):
        read_sources(["/nowhere/c.yml"])


def test_project_directory_is_that_of_the_first_file(tmp_path: Path) -> None:
    assert project_directory([str(tmp_path / "a.yml"), "/etc/b.yml"]) == str(tmp_path)
    assert project_directory([{}, "/etc/b.yml"]) == str(Path.cwd())
    assert project_directory(["/etc/b.yml"], str(tmp_path)) == str(tmp_path)


def test_parse_env_file_takes_lone_names_from_the_environment() -> None:
    text = "# note\nA=1\n\n  B=two words # kept\nTAKEN\nABSENT\nE=\n"
    assert parse_env_file(text, {"TAKEN": "yes"}, "f") == {
        "A": "1",
        "B": "two words # kept",
        "TAKEN": "yes",
        "E": "",
    }


def test_parse_env_file_when_line_has_no_name_then_error() -> None:
    with pytest.raises(ComposeError, match="line 2"):
        parse_env_file("A=1\n=2", {}, "f")


def test_load_stack_with_files_then_paths_start_from_the_first(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\x00\xff")
    (tmp_path / "app.env").write_text("FROM_FILE=1\nBOTH=file\n")
    (tmp_path / "compose.yml").write_text(
        "services:\n  web:\n    image: a\n    env_file: app.env\n    environment: [BOTH=here]\n"
        "    volumes: ['./data:/data']\n    secrets: [key]\nsecrets:\n  key: {file: ./key}\n"
    )
    stack, _ = load_stack([str(tmp_path / "compose.yml")], Naming("s"), variables={})
    container = stack.services["s_web"]["TaskTemplate"]["ContainerSpec"]
    assert container["Env"] == ["BOTH=here", "FROM_FILE=1"]
    assert container["Mounts"] == [{"Type": "bind", "Source": str(tmp_path / "data"), "Target": "/data"}]
    assert stack.secrets["s_key"].data == b"\x00\xff"
    assert "data" not in repr(stack.secrets["s_key"])


def test_load_stack_without_interpolation_then_dollars_stay_and_nothing_leaks() -> None:
    source = {"services": {"web": {"image": "a", "environment": {"A": "$HOME ${X", "PATH": "", "N": None}}}}
    stack, _ = load_stack([source], Naming("s"), variables=None)
    assert stack.services["s_web"]["TaskTemplate"]["ContainerSpec"]["Env"] == ["A=$HOME ${X", "N", "PATH="]


def test_load_stack_with_interpolation_then_empty_values_come_from_the_deployer() -> None:
    source = {"services": {"web": {"image": "a:${TAG}", "environment": {"A": "", "B": None, "C": None}}}}
    stack, _ = load_stack([source], Naming("s"), variables={"TAG": "2", "A": "1", "B": "2"})
    container = stack.services["s_web"]["TaskTemplate"]["ContainerSpec"]
    assert container["Image"] == "a:2"
    assert container["Env"] == ["A=1", "B=2", "C"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
SERVICE_KEYS = st.sampled_from(
    [*SERVICE.keys, "build", "extends", "x-more", "nonsense"],
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "services": st.dictionaries(
            st.text(max_size=4), st.dictionaries(SERVICE_KEYS, JSON, max_size=4), max_size=2
        )
    },
    optional={
        section: JSON
        for section in ("networks", "volumes", "secrets", "configs", "version", "include", "other")
    },
)


@settings(max_examples=300, deadline=None)
@given(DOCUMENTS)
def test_load_stack_of_any_document_then_a_stack_or_its_own_error(source: dict[str, object]) -> None:
    with contextlib.suppress(ComposeError):
        load_stack([source], Naming("s"), variables={})


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="abc:-[]{}&*!#|>\n \"'<?%@0123.,", max_size=60))
def test_parse_yaml_of_any_text_then_a_mapping_or_its_own_error(text: str) -> None:
    with contextlib.suppress(ComposeError):
        assert isinstance(parse_yaml(text, "f"), dict)
