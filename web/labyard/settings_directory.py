"""The settings of a directory of people (LDAP), read from the environment with the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from .errors import InvalidInput

_PORTS = {"ldaps": 636, "ldap+starttls": 389}
_FILTER = "(&(objectClass=inetOrgPerson)(uid={username}))"
_GROUP_FILTER = "(&(objectClass=groupOfNames)(member={dn}))"


@dataclass(frozen=True)
class Place:
    """One server of the directory, reached with TLS from the first byte or after StartTLS."""

    host: str
    port: int
    starttls: bool


@dataclass(frozen=True)
class DirectorySettings:
    """Which directory, how its people are found, and what their groups mean here.

    Each field has an environment variable `LABYARD_LDAP_<FIELD>`; that of `places` is `LABYARD_LDAP_URL`.
    """

    places: tuple[Place, ...]  # tried in this order
    base: str  # the entry below which people are
    # Finds one person; {username} is what was typed. Whom it does not find, has no account.
    filter: str = _FILTER
    username_attribute: str = "uid"
    mail_attribute: str = "mail"
    # What an entry keeps for its whole life, so that a name given to somebody else is noticed.
    id_attribute: str = "entryUUID"
    bind_dn: str = ""  # who searches; empty: nobody, the directory lets everyone search
    bind_password_file: Path | None = None
    ca_file: Path | None = None  # who signs its certificates; None: whom the system trusts
    group_base: str = ""  # the entry below which groups are; empty: `base`
    group_filter: str = _GROUP_FILTER  # finds the groups of a person: {dn}, {username}
    group_attribute: str = "cn"
    allowed_groups: tuple[str, ...] = ()  # who may sign in; empty: everybody who is found
    admin_groups: tuple[str, ...] = ()  # who is an admin here; empty: admins are made here
    projects: tuple[tuple[str, str], ...] = ()  # group and project: members of one are in the other
    timeout: int = 5  # seconds for each answer
    sync_minutes: int = 5  # how often it is looked who is still there


def read_directory(env: Mapping[str, str]) -> DirectorySettings | None:
    """The directory that `env` names, or None; raises InvalidInput with the variable's name."""
    addresses = (env.get("LABYARD_LDAP_URL") or "").replace(",", " ").split()
    if not addresses:
        return None
    default = DirectorySettings(tuple(_place(address) for address in addresses), "")
    return DirectorySettings(
        places=default.places,
        base=_needed(
            env, "LABYARD_LDAP_BASE", "the entry below which people are: ou=people,dc=example,dc=org"
        ),
        filter=_template(env, "LABYARD_LDAP_FILTER", _FILTER, ("{username}",)),
        username_attribute=env.get("LABYARD_LDAP_USERNAME_ATTRIBUTE") or default.username_attribute,
        mail_attribute=env.get("LABYARD_LDAP_MAIL_ATTRIBUTE") or default.mail_attribute,
        id_attribute=env.get("LABYARD_LDAP_ID_ATTRIBUTE") or default.id_attribute,
        bind_dn=env.get("LABYARD_LDAP_BIND_DN") or "",
        bind_password_file=_path(env.get("LABYARD_LDAP_BIND_PASSWORD_FILE")),
        ca_file=_path(env.get("LABYARD_LDAP_CA_FILE")) or _path(env.get("LABYARD_CA_BUNDLE")),
        group_base=env.get("LABYARD_LDAP_GROUP_BASE") or "",
        group_filter=_template(env, "LABYARD_LDAP_GROUP_FILTER", _GROUP_FILTER, ("{dn}", "{username}")),
        group_attribute=env.get("LABYARD_LDAP_GROUP_ATTRIBUTE") or default.group_attribute,
        allowed_groups=_list(env.get("LABYARD_LDAP_ALLOWED_GROUPS")),
        admin_groups=_list(env.get("LABYARD_LDAP_ADMIN_GROUPS")),
        projects=tuple(_pair(pair) for pair in _list(env.get("LABYARD_LDAP_PROJECTS"))),
        timeout=_number(env, "LABYARD_LDAP_TIMEOUT", default.timeout),
        sync_minutes=_number(env, "LABYARD_LDAP_SYNC_MINUTES", default.sync_minutes),
    )


def _place(address: str) -> Place:
    parts = urlsplit(address)
    if parts.scheme not in _PORTS:
        raise InvalidInput(
            f"LABYARD_LDAP_URL: {parts.scheme or address}:// is neither ldaps:// nor ldap+starttls://."
            " Passwords travel on nothing else."
        )
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError:
        port = 0
    if not parts.hostname or not port or parts.path.strip("/") or parts.username:
        raise InvalidInput(f"LABYARD_LDAP_URL: {address} is not {parts.scheme}://HOST or HOST:PORT.")
    return Place(parts.hostname, port, parts.scheme == "ldap+starttls")


def _needed(env: Mapping[str, str], variable: str, what: str) -> str:
    text = env.get(variable) or ""
    if not text:
        raise InvalidInput(f"{variable} is not set. It says {what}.")
    return text


def _template(env: Mapping[str, str], variable: str, default: str, words: tuple[str, ...]) -> str:
    text = (env.get(variable) or default).strip()
    balanced = text.startswith("(") and text.endswith(")") and text.count("(") == text.count(")")
    if not balanced or not any(word in text for word in words):
        needed = " or ".join(words)
        raise InvalidInput(f"{variable}: {text} is no filter in brackets with {needed} in it.")
    return text


def _pair(text: str) -> tuple[str, str]:
    group, _, project = (part.strip() for part in text.rpartition("="))
    if not group or not project:
        raise InvalidInput(f"LABYARD_LDAP_PROJECTS: {text} is not GROUP=PROJECT.")
    return group, project


def _number(env: Mapping[str, str], variable: str, default: int) -> int:
    text = env.get(variable) or str(default)
    if not text.isdecimal() or int(text) < 1:
        raise InvalidInput(f"{variable}: {text} is no whole number of at least 1.")
    return int(text)


def _list(text: str | None) -> tuple[str, ...]:
    """Names, between commas: names of groups may hold spaces."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _path(text: str | None) -> Path | None:
    return Path(text).resolve() if text else None
