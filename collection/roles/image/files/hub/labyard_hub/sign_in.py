"""How people sign in at the hub: by a directory (LDAP) or at an OpenID provider."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import urlsplit

from .given import Given

_PORTS = {"ldaps": 636, "ldap+starttls": 389}
#: Letters, digits, dots, dashes and underscores; what looks like an option or a path is none.
USERNAMES = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z"
#: Providers may have addresses of mail for names.
ACCOUNT_NAMES = r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,126}\Z"


def configure_sign_in(c: Any, given: Given) -> None:
    """Set the authenticator of `c`; raises ValueError for a kind that is none."""
    sign_in = given.settings["sign_in"]
    c.Authenticator.admin_users = set(sign_in["admins"])
    c.Authenticator.allow_all = not sign_in["allowed_groups"]
    c.Authenticator.auto_login = False
    c.Authenticator.auth_refresh_age = sign_in["refresh_seconds"]
    if sign_in["kind"] == "ldap":
        _configure_ldap(c, given, sign_in["ldap"], sign_in)
    elif sign_in["kind"] == "oidc":
        _configure_oidc(c, given, sign_in["oidc"], sign_in)
    else:
        raise ValueError(f"There is no way to sign in that is called {sign_in['kind']}.")


def _configure_ldap(c: Any, given: Given, ldap: dict[str, Any], sign_in: dict[str, Any]) -> None:
    # The first of several: the library asks one server.
    place = urlsplit(ldap["url"].split()[0])
    if place.scheme not in _PORTS:
        raise ValueError(
            f"{ldap['url']} is neither ldaps:// nor ldap+starttls://. Passwords travel on nothing else."
        )
    c.JupyterHub.authenticator_class = "labyard_hub.ldap_people.LdapPeople"
    people = c.LdapPeople
    people.server_address = place.hostname
    people.server_port = place.port or _PORTS[place.scheme]
    people.tls_strategy = "on_connect" if place.scheme == "ldaps" else "before_bind"
    people.tls_kwargs = {
        "validate": ssl.CERT_REQUIRED,
        **({"ca_certs_file": given.authorities} if given.authorities else {}),
    }
    people.valid_username_regex = USERNAMES
    people.lookup_dn = True
    people.lookup_dn_search_filter = ldap["filter"].replace("{username}", "{login}")
    people.lookup_dn_search_user = ldap["bind_dn"]
    people.lookup_dn_search_password = given.secrets.get("ldap_password", "")
    people.lookup_dn_user_dn_attribute = ldap["username_attribute"]
    people.user_attribute = ldap["username_attribute"]
    people.user_search_base = ldap["base"]
    people.use_lookup_dn_username = True
    people.group_base = ldap["group_base"]
    people.group_filter = ldap["group_filter"]
    people.named_groups = sign_in["allowed_groups"]
    people.named_admins = sign_in["admin_groups"]
    # The directory always knows: who is gone from it is shut out with every token of theirs.
    c.Authenticator.auth_refresh_strict = True


def _configure_oidc(c: Any, given: Given, oidc: dict[str, Any], sign_in: dict[str, Any]) -> None:
    c.JupyterHub.authenticator_class = "labyard_hub.oidc_people.OidcPeople"
    people = c.OidcPeople
    people.login_service = oidc["title"]
    people.client_id = oidc["client_id"]
    people.client_secret = given.secrets["oidc_client_secret"]
    people.oauth_callback_url = f"{given.settings['public_url']}/hub/oauth_callback"
    people.issuer = oidc["issuer"]
    for address in ("authorize_url", "token_url", "userdata_url"):
        if not oidc["issuer"]:
            setattr(people, address, oidc[address])
    people.scope = oidc["scope"]
    people.username_claim = oidc["username_claim"]
    people.username_pattern = ACCOUNT_NAMES
    people.enable_pkce = True
    people.custom_403_message = (
        "You are known to the provider, and may not use this hub: you are in none of the groups that may, or "
        "your name there is none that can be used here. Ask an admin, or sign out at the provider first."
    )
    if sign_in["allowed_groups"] or sign_in["admin_groups"]:
        people.manage_groups = True
        people.auth_state_groups_key = f"oauth_user.{oidc['groups_claim']}"
        people.allowed_groups = set(sign_in["allowed_groups"])
        people.admin_groups = set(sign_in["admin_groups"])
    people.http_request_kwargs = {
        "connect_timeout": 5,
        "request_timeout": 10,
        "follow_redirects": False,  # secrets go to no other address
        **({"ca_certs": given.authorities} if given.authorities else {}),
    }
    # What the provider is asked with again, later: kept in the database, sealed.
    people.enable_auth_state = True
    c.CryptKeeper.keys = [given.derived("accounts")]
