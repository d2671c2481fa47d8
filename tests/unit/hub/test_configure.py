"""The settings of JupyterHub, from what the swarm gives."""

from __future__ import annotations

import json
import ssl
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from labyard_hub.configure import configure, cull_command, database_url
from labyard_hub.given import Given, read_given

SECRETS = {
    "secret": "s" * 32,
    "proxy_token": "p",
    "ldap_password": "l",
    "oidc_client_secret": "o",
    "tokens": {},
}
LDAP = {
    "url": "ldaps://directory:1636",
    "base": "ou=people,dc=x",
    "bind_dn": "cn=hub,dc=x",
    "filter": "(&(objectClass=person)(uid={username}))",
    "username_attribute": "uid",
    "group_base": "",
    "group_filter": "(member={dn})",
}
SETTINGS: dict[str, Any] = {
    "hub_host": "labyard-hub_hub",
    "proxy_host": "proxy-api",
    "public_url": "https://hub.example.org",
    "subdomains": True,
    "database_url": "sqlite:////srv/jupyterhub/jupyterhub.sqlite",
    "concurrent_starts": 64,
    "server_limit": 0,
    "named_servers": 3,
    "start_timeout": 120,
    "pending_timeout": 30,
    "environment": {},
    "profiles": [],
    "ground": {"hub": "labyard-hub", "network": "n", "home": {"type": "volume", "source": "{user}"}},
    "cull": {"timeout": 3600, "max_age": 0, "every": 0},
    "sign_in": {
        "kind": "ldap", "admins": ["ada"], "allowed_groups": [], "admin_groups": [],
        "refresh_seconds": 300, "ldap": LDAP, "oidc": {},
    },
}  # fmt: skip


class Config(defaultdict[str, Any]):
    """As much of traitlets' configuration as is set."""

    def __init__(self) -> None:
        super().__init__(SimpleNamespace)

    __getattr__ = defaultdict.__getitem__


def configured(authorities: str = "", **changes: Any) -> Config:
    """What `configure` sets."""
    c = Config()
    configure(c, Given({**SETTINGS, **changes}, {**SECRETS, "tokens": {"console": "c" * 32}}, authorities))
    return c


def test_hub_when_configured_then_leaves_notebooks_and_proxy_alone() -> None:
    c = configured()
    assert not c.JupyterHub.cleanup_servers
    assert not c.JupyterHub.cleanup_proxy
    assert not c.ConfigurableHTTPProxy.should_start
    assert c.JupyterHub.authenticate_prometheus
    assert c.JupyterHub.subdomain_host == "https://hub.example.org"


def test_programs_when_they_have_a_token_then_may_do_no_more_than_they_need() -> None:
    c = configured()
    assert [service["name"] for service in c.JupyterHub.services] == ["console", "idle-culler"]
    (console, _) = c.JupyterHub.load_roles
    assert "admin:users" not in console["scopes"]
    assert "access:servers" not in console["scopes"]


def test_culler_when_neither_idle_nor_age_counts_then_there_is_none() -> None:
    c = configured(cull={"timeout": 0, "max_age": 0, "every": 0})
    assert [service["name"] for service in c.JupyterHub.services] == ["console"]
    assert "--max-age=60" in cull_command({"timeout": 0, "max_age": 60, "every": 0})
    assert not [word for word in cull_command({"timeout": 9, "max_age": 0, "every": 0}) if "age" in word]


def test_ldap_when_configured_then_certificates_are_verified() -> None:
    people = configured("/etc/jupyterhub/ca.crt").LdapPeople
    assert people.tls_kwargs == {"validate": ssl.CERT_REQUIRED, "ca_certs_file": "/etc/jupyterhub/ca.crt"}
    assert (people.server_address, people.server_port, people.tls_strategy) == (
        "directory",
        1636,
        "on_connect",
    )
    assert people.lookup_dn_search_filter == "(&(objectClass=person)(uid={login}))"


def test_ldap_when_without_tls_then_refused() -> None:
    sign_in = {**SETTINGS["sign_in"], "ldap": {**LDAP, "url": "ldap://directory"}}
    with pytest.raises(ValueError, match="Passwords travel on nothing else"):
        configured(sign_in=sign_in)


OIDC = {
    "title": "the university", "client_id": "hub", "issuer": "https://i", "scope": ["openid"],
    "username_claim": "preferred_username", "groups_claim": "groups",
}  # fmt: skip


def with_provider(**changes: Any) -> Config:
    """What `configure` sets for sign-in at a provider."""
    return configured(sign_in={**SETTINGS["sign_in"], "kind": "oidc", "oidc": OIDC, **changes})


def test_oidc_when_configured_then_groups_decide() -> None:
    c = with_provider(allowed_groups=["physics"], admin_groups=["staff"])
    assert c.OidcPeople.oauth_callback_url == "https://hub.example.org/hub/oauth_callback"
    assert (c.OidcPeople.allowed_groups, c.OidcPeople.admin_groups) == ({"physics"}, {"staff"})
    assert c.OidcPeople.enable_pkce
    assert c.Authenticator.allow_all is False


def test_oidc_when_configured_then_people_are_asked_for_again_with_what_is_sealed() -> None:
    c = with_provider()
    assert c.OidcPeople.enable_auth_state
    assert [len(bytes.fromhex(key)) for key in c.CryptKeeper.keys] == [32]


def test_oidc_when_there_is_an_issuer_then_its_addresses_are_not_given() -> None:
    assert not hasattr(with_provider().OidcPeople, "token_url")
    addresses = {"authorize_url": "https://i/a", "token_url": "https://i/t", "userdata_url": "https://i/u"}
    c = with_provider(oidc={**OIDC, "issuer": "", **addresses})
    assert c.OidcPeople.token_url == "https://i/t"


@pytest.mark.parametrize(
    ("url", "password", "expected"),
    [
        ("sqlite:////srv/x.sqlite", "", "sqlite:////srv/x.sqlite"),
        ("postgresql://hub@db/hub", "p@ss/w:rd", "postgresql+psycopg://hub:p%40ss%2Fw%3Ard@db/hub"),
        (
            "postgresql://hub@db/hub?sslmode=verify-full", "x",
            "postgresql+psycopg://hub:x@db/hub?sslmode=verify-full&sslrootcert=%2Fetc%2Fjupyterhub%2Fca.crt",
        ),
        (
            "postgresql://hub@db/hub?sslmode=verify-ca&sslrootcert=system", "",
            "postgresql+psycopg://hub@db/hub?sslmode=verify-ca&sslrootcert=system",
        ),
    ],
)  # fmt: skip
def test_database_url_when_there_is_a_password_then_it_is_in_it(
    url: str, password: str, expected: str
) -> None:
    assert database_url(url, password) == expected


def test_given_when_read_then_secrets_are_derived_and_an_empty_file_is_no_authority(tmp_path: Path) -> None:
    (tmp_path / "settings").write_text("{}")
    (tmp_path / "secrets").write_text(json.dumps({"secret": "s" * 32}))
    (tmp_path / "ca").write_text("\n")
    given = read_given(tmp_path / "settings", tmp_path / "secrets", tmp_path / "ca")
    assert given.authorities == ""
    assert len(bytes.fromhex(given.derived("cookies"))) == 32
    assert given.derived("cookies") != given.derived("other")
