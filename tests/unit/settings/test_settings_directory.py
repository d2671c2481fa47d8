"""Settings of a directory: what is taken, and what is refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from labyard.errors import InvalidInput
from labyard.settings_directory import DirectorySettings, Place, read_directory

URL = "ldaps://ldap.example.org"
BASE = "ou=people,dc=example,dc=org"


def read(**variables: str) -> DirectorySettings:
    given = {"URL": URL, "BASE": BASE, **variables}
    settings = read_directory({f"LABYARD_LDAP_{name}": text for name, text in given.items()})
    assert settings is not None
    return settings


def test_nothing_said_is_no_directory() -> None:
    assert read_directory({"LABYARD_LDAP_BASE": BASE}) is None


def test_servers_keep_their_order_and_get_the_usual_ports() -> None:
    urls = "ldaps://one.example.org ldap+starttls://two.example.org,ldaps://[2001:db8::1]:1636"
    assert read(URL=urls).places == (
        Place("one.example.org", 636, starttls=False),
        Place("two.example.org", 389, starttls=True),
        Place("2001:db8::1", 1636, starttls=False),
    )


@pytest.mark.parametrize(
    "url",
    [
        "ldap://ldap.example.org",
        "LDAP://ldap.example.org",
        "ldapi:///run/ldapi",
        "ldap.example.org",
        "ldaps://",
        "ldaps://ldap.example.org:port",
        "ldaps://ldap.example.org:70000",
        "ldaps://user@ldap.example.org",
        "ldaps://ldap.example.org/dc=example",
    ],
)
def test_address_without_tls_or_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="LABYARD_LDAP_URL"):
        read(URL=url)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("BASE", ""),
        ("FILTER", "(uid=ada)"),
        ("FILTER", "uid={username}"),
        ("FILTER", "((uid={username})"),
        ("GROUP_FILTER", "(cn=x)"),
        ("PROJECTS", "physics"),
        ("PROJECTS", "=quarks"),
        ("TIMEOUT", "0"),
        ("TIMEOUT", "soon"),
        ("SYNC_MINUTES", "-1"),
    ],
)
def test_setting_that_cannot_be_right_is_refused_with_its_name(variable: str, text: str) -> None:
    with pytest.raises(InvalidInput, match=f"LABYARD_LDAP_{variable}"):
        read(**{variable: text})


def test_names_of_groups_may_hold_spaces_and_equal_signs() -> None:
    settings = read(
        ADMIN_GROUPS="Domain Admins, operators,",
        PROJECTS="guests of physics=quarks, a=b=proofs",
    )
    assert settings.admin_groups == ("Domain Admins", "operators")
    assert settings.projects == (("guests of physics", "quarks"), ("a=b", "proofs"))


def test_authority_of_the_directory_is_that_of_everything_else_unless_it_has_its_own(tmp_path: Path) -> None:
    variables = {
        "LABYARD_LDAP_URL": URL,
        "LABYARD_LDAP_BASE": BASE,
        "LABYARD_CA_BUNDLE": str(tmp_path / "all"),
    }
    settings = read_directory(variables)
    assert settings is not None
    assert settings.ca_file == tmp_path / "all"
    settings = read_directory({**variables, "LABYARD_LDAP_CA_FILE": str(tmp_path / "own")})
    assert settings is not None
    assert settings.ca_file == tmp_path / "own"
