"""Search then bind, against a real server: who is let in, and what is never believed."""

from __future__ import annotations

import socket
from pathlib import Path

import ldap3
import pytest
from ldap3.utils.dn import escape_rdn

from labyard.accounts.directory import DirectoryAway, DirectoryPerson
from labyard.accounts.ldap_client import LdapDirectory, close
from tests.integration.tls_engine import write_certificates
from tests.services.slapd_server import ADMIN, BASE, LOCKED_FOR_GOOD, PEOPLE, SlapdServer

from .conftest import PASSWORD, directory_settings


def directory(slapd: SlapdServer, **further: str) -> LdapDirectory:
    return LdapDirectory(directory_settings(slapd, **further))


def test_right_password_gives_the_person_with_mail_groups_and_a_lasting_id(slapd: SlapdServer) -> None:
    dn = slapd.add_person("ada", PASSWORD, mail="ada@example.org")
    slapd.add_group("Physics", dn)
    slapd.add_group("others", ADMIN)
    answer = directory(slapd).check("ada", PASSWORD)
    assert answer.person is not None
    entry_id = answer.person.entry_id
    assert len(entry_id) == 36
    assert answer.person == DirectoryPerson("ada", "ada@example.org", entry_id, frozenset({"physics"}))


def test_starttls_when_named_then_is_used_before_any_password(slapd: SlapdServer) -> None:
    """The server refuses passwords without TLS, right or wrong."""
    slapd.add_person("ada", PASSWORD)
    url = f"ldap+starttls://127.0.0.1:{slapd.plain_port}"
    assert directory(slapd, LABYARD_LDAP_URL=url).check("ada", PASSWORD).person is not None


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("ada", "wrong"),
        ("ada", ""),
        ("ada", "\0"),
        ("ada", "\u00ad"),  # soft hyphen: "prepared" as RFC 4013 has it, it is the empty password
        ("ada", PASSWORD + "\0"),
        ("ada", PASSWORD.upper()),
        ("nobody", PASSWORD),
        ("", PASSWORD),
    ],
)
def test_wrong_name_or_password_gives_nobody(slapd: SlapdServer, username: str, password: str) -> None:
    slapd.add_person("ada", PASSWORD)
    assert directory(slapd).check(username, password).person is None


@pytest.mark.parametrize(
    "username",
    [
        "*",
        "a*",
        "ada)(uid=*",
        "ada)(|(uid=*",
        "*)(uid=*))(|(uid=*",
        "ada)(!(uid=bob)",
        r"\2a",
        r"\61da",
        "ada\0",
        "uid=ada",
        f"ada,{PEOPLE}",
        "{dn}",
        "{username}",
        "((((",
        "ä" * 64,
    ],
)
def test_name_when_it_is_a_filter_or_a_dn_then_is_a_name_that_nobody_has(
    slapd: SlapdServer, username: str
) -> None:
    slapd.add_person("ada", PASSWORD)
    answer = directory(slapd).check(username, PASSWORD)
    assert (answer.username, answer.person) == (username, None)
    assert directory(slapd).find_people([username]) == {}


@pytest.mark.parametrize("username", ["o'hara", "a*b(c)", "back\\slash", "{dn}", "jürgen", "a,b=c+d"])
def test_name_when_it_has_special_characters_then_is_found_with_its_groups(
    slapd: SlapdServer, username: str
) -> None:
    dn = f"uid={escape_rdn(username)},{PEOPLE}"
    slapd.add(dn, ["inetOrgPerson"], cn="x", sn="x", uid=username, userPassword=PASSWORD)
    slapd.add_group("physics", dn)
    person = directory(slapd).check(username, PASSWORD).person
    assert person is not None
    assert (person.username, person.groups) == (username, {"physics"})


def test_name_when_spelled_otherwise_then_the_directory_says_how_it_is_written(slapd: SlapdServer) -> None:
    slapd.add_person("ada", PASSWORD)
    for spelling in ("ADA", " ada ", "aDa"):
        answer = directory(slapd).check(spelling, "wrong")
        assert (answer.username, answer.person) == ("ada", None)


def test_two_entries_of_one_name_let_nobody_in(slapd: SlapdServer) -> None:
    slapd.add_person("ada", PASSWORD)
    slapd.add(f"ou=guests,{PEOPLE}", ["organizationalUnit"])
    slapd.add(
        f"uid=ada,ou=guests,{PEOPLE}", ["inetOrgPerson"], cn="x", sn="x", userPassword="another password"
    )
    for password in (PASSWORD, "another password"):
        assert directory(slapd).check("ada", password).person is None


def test_person_when_locked_then_is_let_in_no_more_and_the_filter_can_say_they_are_gone(
    slapd: SlapdServer,
) -> None:
    dn = slapd.add_person("ada", PASSWORD)
    slapd.change(dn, {"pwdAccountLockedTime": [LOCKED_FOR_GOOD]})
    assert directory(slapd).check("ada", PASSWORD).person is None
    assert "ada" in directory(slapd).find_people(["ada"])
    living = f"(&(uid={{username}})(!(pwdAccountLockedTime={LOCKED_FOR_GOOD})))"
    assert directory(slapd, LABYARD_LDAP_FILTER=living).find_people(["ada"]) == {}


def test_person_without_a_password_cannot_sign_in(slapd: SlapdServer) -> None:
    slapd.add(f"uid=ada,{PEOPLE}", ["inetOrgPerson"], cn="ada", sn="ada")
    assert directory(slapd).check("ada", "anything").person is None


def test_groups_of_names_when_the_filter_says_so_then_count(slapd: SlapdServer) -> None:
    slapd.add_person("ada", PASSWORD)
    slapd.add(f"cn=by-name,{BASE}", ["device"], description="ada")
    found = directory(
        slapd,
        LABYARD_LDAP_GROUP_BASE=BASE,
        LABYARD_LDAP_GROUP_FILTER="(&(objectClass=device)(description={username}))",
    ).check("ada", PASSWORD)
    assert found.person is not None
    assert found.person.groups == {"by-name"}


def test_certificate_of_another_authority_is_refused_before_any_password(
    slapd: SlapdServer, tmp_path: Path
) -> None:
    slapd.add_person("ada", PASSWORD)
    write_certificates(tmp_path)
    for url in (f"ldaps://127.0.0.1:{slapd.port}", f"ldap+starttls://127.0.0.1:{slapd.plain_port}"):
        stranger = directory(slapd, LABYARD_LDAP_URL=url, LABYARD_LDAP_CA_FILE=str(tmp_path / "ca.pem"))
        with pytest.raises(DirectoryAway) as caught:
            stranger.check("ada", PASSWORD)
        assert "certificate verify failed" in caught.value.cause
        assert "127.0.0.1" not in caught.value.detail


def test_certificate_of_another_name_is_refused(slapd: SlapdServer) -> None:
    with pytest.raises(DirectoryAway) as caught:
        directory(slapd, LABYARD_LDAP_URL=f"ldaps://localhost:{slapd.port}").check("ada", PASSWORD)
    assert "certificate is not valid for 'localhost'" in caught.value.cause


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"LABYARD_LDAP_BIND_PASSWORD_FILE": "/nonexistent"}, "No such file"),
        ({"LABYARD_LDAP_CA_FILE": "/nonexistent"}, "LABYARD_LDAP_CA_FILE"),
        ({"LABYARD_LDAP_BIND_DN": f"cn=nobody,{BASE}"}, "invalidCredentials"),
        ({"LABYARD_LDAP_BASE": "ou=missing,dc=example,dc=org"}, "noSuchObject"),
        ({"LABYARD_LDAP_FILTER": "(uid={username}))((x=y)"}, "filter"),
    ],
)
def test_wrong_settings_are_a_directory_that_cannot_be_asked_with_its_cause(
    slapd: SlapdServer, changes: dict[str, str], cause: str
) -> None:
    with pytest.raises(DirectoryAway) as caught:
        directory(slapd, **changes).check("ada", PASSWORD)
    assert cause in caught.value.cause


def test_server_that_is_away_is_passed_over_for_the_next_one(slapd: SlapdServer) -> None:
    slapd.add_person("ada", PASSWORD)
    urls = f"ldaps://127.0.0.1:1 ldaps://127.0.0.1:{slapd.port}"
    assert directory(slapd, LABYARD_LDAP_URL=urls).check("ada", PASSWORD).person is not None
    with pytest.raises(DirectoryAway, match="does not answer"):
        directory(slapd, LABYARD_LDAP_URL="ldaps://127.0.0.1:1").check("ada", PASSWORD)


@pytest.mark.parametrize("kind", ["ldaps", "ldap+starttls"])
def test_server_that_takes_connections_and_says_nothing_is_given_up(slapd: SlapdServer, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"{kind}://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(DirectoryAway):
            directory(slapd, LABYARD_LDAP_URL=url, LABYARD_LDAP_TIMEOUT="1").check("ada", PASSWORD)


def test_referral_is_not_followed(slapd: SlapdServer) -> None:
    """Another server must not get to see passwords because this one names it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0)
        slapd.add(
            f"cn=elsewhere,{PEOPLE}",
            ["referral", "extensibleObject"],
            cn="elsewhere",
            ref=f"ldap://127.0.0.1:{other.getsockname()[1]}/{PEOPLE}",
        )
        slapd.add_person("ada", PASSWORD)
        assert directory(slapd).check("ada", PASSWORD).person is not None
        assert directory(slapd).check("bob", PASSWORD).person is None
        with pytest.raises(BlockingIOError):
            other.accept()


def test_password_when_sent_without_tls_then_the_server_of_these_tests_refuses_it(slapd: SlapdServer) -> None:
    server = ldap3.Server("127.0.0.1", slapd.plain_port, get_info=ldap3.NONE)
    connection = ldap3.Connection(server, ADMIN, slapd.password)
    assert not connection.bind()
    assert connection.result["description"] == "confidentialityRequired"
    close(connection)
