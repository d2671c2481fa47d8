"""A console whose people are in a real directory: OpenLDAP of Debian's packages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask

from labyard.accounts.ldap_client import LdapDirectory
from labyard.accounts.sign_in import Door
from labyard.app import create_app
from labyard.models import db
from labyard.settings import read_settings
from labyard.settings_directory import DirectorySettings, read_directory
from tests.services.cheap_passwords import make_passwords_cheap
from tests.services.slapd_server import SlapdServer
from tests.unit.conftest import Visitor

PASSWORD = "a password in the directory"


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)


@pytest.fixture
def make_app(
    console_home: Path, console_database: dict[str, str], slapd: SlapdServer
) -> Iterator[Callable[..., APIFlask]]:
    """A console on that directory, with further settings; the test is inside its context."""
    pushed = []

    def make(**further: str) -> APIFlask:
        variables = {"LABYARD_HOME": str(console_home), **console_database, **slapd.variables(**further)}
        app = create_app(read_settings(variables), TESTING=True, WTF_CSRF_ENABLED=False)
        app.test_client_class = Visitor
        context = app.app_context()
        context.push()
        pushed.append(context)
        return app

    yield make
    for context in reversed(pushed):
        db.session.remove()
        db.engine.dispose()
        context.pop()


def directory_settings(slapd: SlapdServer, **further: str) -> DirectorySettings:
    """Settings of the directory alone."""
    settings = read_directory(slapd.variables(**further))
    assert settings is not None
    return settings


def door_to(slapd: SlapdServer, **further: str) -> Door:
    """The directory and what its groups mean."""
    settings = directory_settings(slapd, **further)
    return Door(LdapDirectory(settings), settings)
