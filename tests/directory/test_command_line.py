"""What an operator does about people of the directory on a host of the console."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from apiflask import APIFlask

from labyard.context import context, session
from tests.conftest import SCRIPTS, console_environment
from tests.services.slapd_server import SlapdServer

from .conftest import PASSWORD
from .test_sign_in import LOCAL_PASSWORD, enter, make_local, person

MakeApp = Callable[..., APIFlask]
Labyard = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def labyard(tmp_path: Path, console_database: dict[str, str], slapd: SlapdServer) -> Labyard:
    """The command line on the database of the test's console."""

    def run(*arguments: str, **further: str) -> subprocess.CompletedProcess[str]:
        session().commit()
        variables = {**console_database, **slapd.variables(**further)}
        environment = console_environment(context().settings.home, **variables)
        return subprocess.run(
            [str(SCRIPTS / "labyard"), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_sync_says_who_is_gone_and_who_is_back(
    make_app: MakeApp, slapd: SlapdServer, labyard: Labyard
) -> None:
    slapd.add_person("ada", PASSWORD)
    enter(make_app(), "ada", PASSWORD)
    assert labyard("user", "sync").stdout.splitlines() == [
        "unchanged: nobody is back",
        "unchanged: nobody is gone",
    ]
    elsewhere = {"LABYARD_LDAP_FILTER": "(&(objectClass=device)(uid={username}))"}
    assert "changed: gone: ada" in labyard("user", "sync", **elsewhere).stdout
    assert labyard("user", "list").stdout == "ada  disabled directory\n"
    assert "changed: back: ada" in labyard("user", "sync").stdout


def test_sync_when_a_server_is_away_then_names_it_and_what_is_wrong(
    make_app: MakeApp, slapd: SlapdServer, labyard: Labyard
) -> None:
    slapd.add_person("ada", PASSWORD)
    enter(make_app(), "ada", PASSWORD)
    done = labyard("user", "sync", LABYARD_LDAP_URL="ldaps://127.0.0.1:1")
    assert done.returncode != 0
    assert "The directory cannot be asked: 127.0.0.1:1: " in done.stderr
    assert "refused" in done.stderr


def test_account_when_handed_to_the_directory_then_the_old_password_ends(
    make_app: MakeApp, slapd: SlapdServer, labyard: Labyard
) -> None:
    slapd.add_person("ada", PASSWORD)
    app = make_app()
    make_local("ada")
    assert enter(app, "ada", PASSWORD).status_code == 401
    assert labyard("user", "source", "ada", "ldap").returncode == 0
    assert enter(app, "ada", LOCAL_PASSWORD).status_code == 401
    assert enter(app, "ada", PASSWORD).status_code == 303
    assert person("ada").directory_id


def test_name_when_an_operator_gives_it_to_its_new_owner_then_they_get_in(
    make_app: MakeApp, slapd: SlapdServer, labyard: Labyard
) -> None:
    dn = slapd.add_person("ada", PASSWORD)
    app = make_app()
    enter(app, "ada", PASSWORD)
    slapd.delete(dn)
    slapd.add_person("ada", PASSWORD)
    assert enter(app, "ada", PASSWORD).status_code == 403
    labyard("user", "source", "ada", "ldap")
    assert enter(app, "ada", PASSWORD).status_code == 303
