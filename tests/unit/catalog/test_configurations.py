"""Configurations of installed collections: found, read again, and never a reason for the others to fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from labyard.catalog.configurations import (
    ConfigurationUnavailable,
    fetched_configuration,
    get_configuration,
    known_configurations,
)
from labyard.catalog.roles import installed_roles

from .roles import SIDECAR, SPECS, role_files

NAME = "site.services.echo"


@pytest.fixture
def collections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on Ansible's collection paths."""
    (tmp_path / "ansible_collections").mkdir()
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(tmp_path))
    return tmp_path / "ansible_collections"


def install(collections: Path, name: str = NAME, **files: str) -> Path:
    namespace, collection, role = name.split(".")
    folder = collections / namespace / collection / "roles" / role
    for path, text in role_files(**files).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def test_role_of_any_installed_collection_is_a_configuration(collections: Path) -> None:
    install(collections)
    assert get_configuration(NAME).title == "Echo"
    assert {NAME, "labyard.platform.notebook"} <= set(known_configurations())


def test_role_without_a_sidecar_is_none(collections: Path) -> None:
    (install(collections) / "meta" / "service.yml").unlink()
    assert NAME not in set(installed_roles())
    with pytest.raises(ConfigurationUnavailable, match="is not installed"):
        get_configuration(NAME)


def test_first_collection_on_the_paths_counts_as_with_ansible(
    collections: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = tmp_path / "second" / "ansible_collections"
    install(second, sidecar=SIDECAR.replace("Echo", "Second"))
    install(second, "site.services.other")
    install(collections, sidecar=SIDECAR.replace("Echo", "First"))
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", f"{collections.parent}:{second.parent}")
    assert get_configuration(NAME).title == "First"
    assert "site.services.other" not in known_configurations()


def test_changed_role_is_read_again_and_a_removed_one_is_gone(collections: Path) -> None:
    folder = install(collections)
    assert get_configuration(NAME).title == "Echo"
    install(collections, sidecar=SIDECAR.replace("Echo", "Louder"))
    assert get_configuration(NAME).title == "Louder"
    (folder / "meta" / "service.yml").unlink()
    with pytest.raises(ConfigurationUnavailable):
        get_configuration(NAME)


BOMB = """
argument_specs:
  install:
    options:
      echo_text:
        type: list
        default: *x
  remove: {}
"""
LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join(f'*{a}' for _ in range(9))}]\n" for a, b in zip("abcdefg", "bcdefgx", strict=True)
)


@pytest.mark.parametrize(
    ("specs", "sidecar", "words"),
    [
        ("{", SIDECAR, "argument_specs.yml: is not YAML"),
        ("[]", SIDECAR, "argument_specs.yml: must be a mapping"),
        ("argument_specs: [1]", SIDECAR, "service.yml"),
        ("argument_specs: {install: null, remove: null}", SIDECAR, "service.yml"),
        ("argument_specs: {remove: {}}", SIDECAR, "no entry point"),
        (SPECS.replace("type: str", "type: path"), SIDECAR, "type 'path'"),
        (SPECS, "", "service.yml: must be a mapping"),
        (SPECS, "title: x\nphases: [install]", "service.yml"),
        (SPECS, "title: x\nphases: {fly: {}}", "phases.fly"),
        (SPECS, "title: x\nphases: {remove: {}}", "no phase install"),
        (SPECS, "title: x\nphases: {install: {timeout: soon}}", "service.yml"),
        (SPECS, SIDECAR.replace("title: Echo", ""), "title is missing"),
        (SPECS, SIDECAR + "fields: {text: {pattern: '('}}", "no regular expression"),
        (SPECS, SIDECAR + "fields: {text: {min: low}}", "must be a number"),
        (SPECS, SIDECAR + "fields: {none: {min: 1}}", "option of no phase"),
        (SPECS.replace("default: hello", "default: 2020-01-01"), SIDECAR, "must be texts"),
        (LAUGHS + BOMB, SIDECAR, "too large"),
        ("a: &a [*a]", SIDECAR, "service.yml|argument_specs"),
        ("[" * 5000, SIDECAR, "is not YAML"),
        ("\0", SIDECAR, "is not YAML"),
        ("x: " + "y" * 300_000, SIDECAR, "longer than"),
    ],
)
def test_broken_role_is_unavailable_with_the_reason(specs: str, sidecar: str, words: str) -> None:
    with pytest.raises(ConfigurationUnavailable, match=words):
        fetched_configuration(NAME, specs, sidecar)


def test_broken_installed_role_keeps_no_other_from_working(collections: Path) -> None:
    install(collections, specs="{")
    install(collections, "site.other.echo")
    with pytest.raises(ConfigurationUnavailable, match="is not YAML"):
        get_configuration(NAME)
    known = known_configurations()
    assert "site.other.echo" in known
    assert NAME not in known


def test_role_that_is_not_utf8_or_unreadable_is_unavailable(collections: Path) -> None:
    folder = install(collections)
    (folder / "meta" / "argument_specs.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationUnavailable, match="is not UTF-8"):
        get_configuration(NAME)
    (folder / "meta" / "argument_specs.yml").unlink()
    with pytest.raises(ConfigurationUnavailable, match="cannot be read"):
        get_configuration(NAME)
