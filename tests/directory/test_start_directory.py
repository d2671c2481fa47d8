"""What the image `directory` does with people and groups from variables before its server starts."""

from __future__ import annotations

import base64
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import REPOSITORY

BASE = "dc=example,dc=org"
ADA = f"uid=ada,ou=people,{BASE}"


@pytest.fixture(scope="module")
def program() -> ModuleType:
    """The program of the image; on this host Debian's tools are the same."""
    path = REPOSITORY / "collection/roles/image/files/directory/start_directory.py"
    spec = importlib.util.spec_from_file_location("start_directory", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["start_directory"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def places(program: ModuleType, tmp_path: Path) -> Any:
    """Folders of the test; the server itself is not started."""
    for name in ("data", "run"):
        (tmp_path / name).mkdir()
    return program.Places(data=tmp_path / "data", run=tmp_path / "run")


@pytest.fixture
def start(program: ModuleType, places: Any) -> Callable[..., list[str]]:
    """One start with these people and groups; gives what it says."""

    def run(people: list[dict[str, Any]], groups: list[dict[str, Any]] | None = None) -> list[str]:
        settings = program.Settings(BASE, "Example", people, groups or [], "console's", "")
        text = program.configuration(settings, places).replace("TLS", "# TLS")
        places.configuration.write_text(text, encoding="utf-8")
        return list(program.converge(settings, places))

    return run


def entries(program: ModuleType, places: Any) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = program.read_entries(places)
    return found


def test_first_start_makes_the_tree_with_hashed_passwords(
    program: ModuleType, places: Any, start: Callable[..., list[str]]
) -> None:
    people = [{"name": "ada", "full_name": "Ada Lovelace", "mail": "ada@example.org", "password": "first"}]
    said = start(people, [{"name": "physics", "members": ["ada"]}])
    assert len(said) == 8
    found = entries(program, places)
    assert found[ADA]["sn"] == ["Lovelace"]
    assert found[ADA]["userPassword"][0].startswith("{ARGON2}$argon2")
    assert found[f"cn=physics,ou=groups,{BASE}"]["member"] == [ADA]
    assert "first" not in str(found)


def test_start_when_a_backup_lies_there_then_its_people_are_there_and_it_is_gone(
    program: ModuleType, places: Any, start: Callable[..., list[str]]
) -> None:
    start([{"name": "ada", "password": "first"}])
    saved = program._tool("slapcat", places, "-o", "ldif_wrap=no")
    before = entries(program, places)
    for path in places.data.iterdir():
        path.unlink()
    # what a start that was cut off left behind is none of anybody's
    (places.data / "data.mdb").write_text("half of it")
    places.backup.write_text(saved)
    assert list(program.ensure_restored(places)) == ["the entries of a backup are taken over"]
    assert entries(program, places) == before
    assert not places.backup.exists()
    assert list(program.ensure_restored(places)) == []
    # a password is theirs: what variables say of it counts only when a person is made
    start([{"name": "ada", "password": "another"}])
    assert entries(program, places)[ADA]["userPassword"] == before[ADA]["userPassword"]


def test_second_start_changes_nothing(start: Callable[..., list[str]]) -> None:
    people = [{"name": "ada", "password": "first"}, {"name": "bob", "state": "disabled"}]
    groups = [{"name": "physics", "members": ["ada", "bob"]}, {"name": "empty", "members": []}]
    start(people, groups)
    assert start(people, groups) == []
    assert start(list(reversed(people)), groups) == []


def test_password_that_was_changed_is_kept_and_so_is_whoever_is_not_named(
    program: ModuleType, places: Any, start: Callable[..., list[str]]
) -> None:
    start([{"name": "ada", "password": "first"}, {"name": "bob"}])
    # as the server keeps it after a change: with a byte too many behind the end of the text
    changed = program.hashed("changed by ada").encode() + b"\0\xc5"
    value = base64.b64encode(changed).decode()
    modification = f"dn: {ADA}\nchangetype: modify\nreplace: userPassword\nuserPassword:: {value}\n"
    command = ["/usr/sbin/slapmodify", "-f", str(places.configuration)]
    subprocess.run(command, input=modification, text=True, check=True, capture_output=True)
    said = start([{"name": "ada", "password": "first", "mail": "new@example.org"}])
    assert said == [f"{ADA} is changed: mail"]
    found = entries(program, places)
    assert found[ADA]["userPassword"] == [changed.decode("utf-8", "backslashreplace")]
    assert found[ADA]["mail"] == ["new@example.org"]
    assert f"uid=bob,ou=people,{BASE}" in found


def test_person_when_disabled_enabled_and_absent_then_the_entry_follows(
    program: ModuleType, places: Any, start: Callable[..., list[str]]
) -> None:
    start([{"name": "ada"}])
    assert start([{"name": "ada", "state": "disabled"}]) == [f"{ADA} is changed: pwdAccountLockedTime"]
    assert entries(program, places)[ADA]["pwdAccountLockedTime"] == [program.LOCKED_FOR_GOOD]
    assert start([{"name": "ada", "state": "present"}]) == [f"{ADA} is changed: pwdAccountLockedTime"]
    assert "pwdAccountLockedTime" not in entries(program, places)[ADA]
    assert start([{"name": "ada", "state": "absent"}]) == [f"{ADA} is removed"]
    assert ADA not in entries(program, places)


def test_group_when_its_members_change_then_follows_and_goes_with_the_last_one(
    program: ModuleType, places: Any, start: Callable[..., list[str]]
) -> None:
    people = [{"name": "ada"}, {"name": "bob"}]
    group = f"cn=physics,ou=groups,{BASE}"
    start(people, [{"name": "physics", "members": ["ada"]}])
    assert start(people, [{"name": "physics", "members": ["bob"]}]) == [f"{group} is changed: member"]
    assert start(people, [{"name": "physics", "members": []}]) == [f"{group} is removed"]
    assert group not in entries(program, places)


def test_text_of_people_is_only_a_text(
    program: ModuleType, places: Any, start: Callable[..., list[str]]
) -> None:
    hostile = "Ada\ndn: cn=x\nchangetype: delete\nuserPassword: ü  "
    people = [{"name": "ada", "full_name": hostile}]
    start(people)
    assert entries(program, places)[ADA]["cn"] == [" ".join(hostile.split())]
    assert start(people) == []
    assert "cn=x" not in entries(program, places)
