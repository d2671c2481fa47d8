"""A directory over LDAP: search then bind, with TLS that is verified. The only file that imports ldap3."""

from __future__ import annotations

import logging
import re
import secrets
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ldap3
from ldap3.core import exceptions as refusals
from ldap3.core.exceptions import LDAPException
from ldap3.core.results import RESULT_SIZE_LIMIT_EXCEEDED, RESULT_SUCCESS
from ldap3.utils.conv import escape_filter_chars

from labyard.settings_directory import DirectorySettings, Place

from .directory import DirectoryAnswer, DirectoryAway, DirectoryPerson

log = logging.getLogger(__name__)

_LONGEST_ID = 64
# What servers say to a bind with a wrong name or password, or of somebody who is locked out.
_REFUSED = (
    refusals.LDAPConstraintViolationResult,
    refusals.LDAPInappropriateAuthenticationResult,
    refusals.LDAPInsufficientAccessRightsResult,
    refusals.LDAPInvalidCredentialsResult,
    refusals.LDAPInvalidDNSyntaxResult,
    refusals.LDAPNoSuchObjectResult,
    refusals.LDAPUnwillingToPerformResult,
)


class VerifiedTls(ldap3.Tls):
    """TLS 1.2 or newer, with a certificate that is signed by whom we trust for the name we asked for.

    ldap3's own checks neither by default, and looks at the name with a function that Python has dropped.
    """

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        """Replace the connection's socket by an encrypted one; raises ssl.SSLError or OSError."""
        context = ssl.create_default_context(cafile=self.ca_certs_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        connection.socket = context.wrap_socket(connection.socket, server_hostname=connection.server.host)


@dataclass(frozen=True)
class _Entry:
    """A person's entry."""

    dn: str
    username: str
    email: str
    entry_id: str


class LdapDirectory:
    """The directory of `settings`. Each question opens a connection of its own."""

    def __init__(self, settings: DirectorySettings) -> None:
        self._settings = settings

    def check(self, username: str, password: str) -> DirectoryAnswer:
        """Whether that is the password of that person.

        The directory is asked the same questions whether there is such a person or not. An empty
        password is refused before anything is asked: a server takes it for a wish to stay nameless,
        and says yes. Raises DirectoryAway.
        """
        if not username or not password:
            return DirectoryAnswer(username, None)
        with self._session() as connection:
            entry = self._find(connection, username)
            dn = entry.dn if entry else f"cn={secrets.token_hex(8)},{self._settings.base}"
            right = _bind(connection, dn, password)
            if entry is None or not right:
                return DirectoryAnswer(entry.username if entry else username, None)
            self._bind_searcher(connection, again=True)
            return DirectoryAnswer(entry.username, self._read(connection, entry))

    def find_people(self, usernames: Iterable[str]) -> dict[str, DirectoryPerson]:
        """Those of `usernames` who are still there, by the name that was asked for; raises DirectoryAway."""
        found = {}
        with self._session() as connection:
            for username in usernames:
                entry = self._find(connection, username)
                if entry is not None:
                    found[username] = self._read(connection, entry)
        return found

    @contextmanager
    def _session(self) -> Iterator[ldap3.Connection]:
        """A connection on which can be searched; the first server that answers has it."""
        causes = []
        for place in self._settings.places:
            connection = self._connection(place)
            try:
                self._open(connection, place)
                break
            except (LDAPException, OSError) as error:
                causes.append(f"{place.host}:{place.port}: {_words(error)}")
                close(connection)
        else:
            raise _away("; ".join(causes))
        try:
            yield connection
        except (LDAPException, OSError) as error:
            raise _away(f"{connection.server.host}: {_words(error)}") from error
        finally:
            close(connection)

    def _connection(self, place: Place) -> ldap3.Connection:
        timeout = self._settings.timeout
        try:
            tls = VerifiedTls(
                validate=ssl.CERT_REQUIRED,
                ca_certs_file=str(self._settings.ca_file) if self._settings.ca_file else None,
            )
        except LDAPException as error:
            raise _away(f"the file {self._settings.ca_file} of LABYARD_LDAP_CA_FILE: {error}") from error
        server = ldap3.Server(
            place.host,
            place.port,
            use_ssl=not place.starttls,
            tls=tls,
            get_info=ldap3.NONE,
            connect_timeout=timeout,
        )
        return ldap3.Connection(
            server,
            read_only=True,
            raise_exceptions=True,
            check_names=False,  # no schema was read
            auto_referrals=False,  # passwords go to no other server than those that were named
            receive_timeout=timeout,
        )

    def _open(self, connection: ldap3.Connection, place: Place) -> None:
        connection.open(read_server_info=False)
        if place.starttls and not connection.start_tls(read_server_info=False):
            raise LDAPException("the server does not start TLS")
        self._bind_searcher(connection)

    def _bind_searcher(self, connection: ldap3.Connection, *, again: bool = False) -> None:
        settings = self._settings
        if not settings.bind_dn:
            if again:
                connection.user = None
                connection.rebind(authentication=ldap3.ANONYMOUS, read_server_info=False)
            return
        path = settings.bind_password_file
        password = path.read_bytes().strip() if path else b""
        if not password or not connection.rebind(settings.bind_dn, password, read_server_info=False):
            raise LDAPException(f"no password for {settings.bind_dn}: see LABYARD_LDAP_BIND_PASSWORD_FILE")

    def _find(self, connection: ldap3.Connection, username: str) -> _Entry | None:
        settings = self._settings
        names = (settings.username_attribute, settings.mail_attribute, settings.id_attribute)
        wanted = _fill(settings.filter, username=username)
        found = _search(connection, settings.base, wanted, names, size_limit=2)
        if len(found) != 1:
            if found:
                log.warning("LABYARD_LDAP_FILTER finds several entries for one name: nobody is let in by it")
            return None
        texts = [_first(found[0], name) for name in names]
        if not texts[0]:
            log.warning("%s has no %s: nobody is let in by it", found[0]["dn"], names[0])
            return None
        return _Entry(found[0]["dn"], texts[0], texts[1], texts[2][:_LONGEST_ID])

    def _read(self, connection: ldap3.Connection, entry: _Entry) -> DirectoryPerson:
        settings = self._settings
        wanted = _fill(settings.group_filter, username=entry.username, dn=entry.dn)
        name = settings.group_attribute
        found = _search(connection, settings.group_base or settings.base, wanted, (name,))
        groups = frozenset(_first(group, name).lower() for group in found)
        return DirectoryPerson(entry.username, entry.email, entry.entry_id, groups)


def _away(cause: str) -> DirectoryAway:
    log.warning("the directory cannot be asked: %s", cause)
    return DirectoryAway(cause)


def _words(error: Exception) -> str:
    """What ldap3 says, without the brackets and quotes of texts within texts."""
    return str(error).replace("\\'", "'").strip("()'\", ")


def close(connection: ldap3.Connection) -> None:
    """End a connection, in whatever state it is."""
    connection.strategy.close()
    if connection.socket is not None:  # of a connection that never came about
        connection.socket.close()


def _bind(connection: ldap3.Connection, dn: str, password: str) -> bool:
    """Whether `dn` may bind with `password`, which must not be empty."""
    try:
        # As bytes: as a text it would be prepared first, and could become another one or an empty one.
        bound = connection.rebind(dn, password.encode(), ldap3.SIMPLE, read_server_info=False)
    except _REFUSED:
        return False
    return bool(bound) and connection.result["result"] == RESULT_SUCCESS


def _search(
    connection: ldap3.Connection, base: str, wanted: str, names: Iterable[str], size_limit: int = 0
) -> list[dict[str, Any]]:
    connection.search(
        base,
        wanted,
        attributes=list(names),
        size_limit=size_limit,
        time_limit=int(connection.receive_timeout),
        auto_escape=False,  # it is escaped already
    )
    if connection.result["result"] not in (RESULT_SUCCESS, RESULT_SIZE_LIMIT_EXCEEDED):
        raise LDAPException(f"the search ended with {connection.result['description']}")
    return [found for found in connection.response if found["type"] == "searchResEntry"]


def _fill(template: str, **texts: str) -> str:
    """`template` with each {name} replaced by its text, which says nothing but itself in a filter."""
    pattern = "|".join(re.escape(f"{{{name}}}") for name in texts)
    return re.sub(pattern, lambda hit: escape_filter_chars(texts[hit.group()[1:-1]]), template)


def _first(entry: dict[str, Any], name: str) -> str:
    """The first value of an attribute as a text; empty if there is none."""
    attributes = {key.lower(): values for key, values in entry["raw_attributes"].items()}
    values = attributes.get(name.lower()) or [b""]
    try:
        return str(values[0].decode())
    except UnicodeDecodeError:
        return str(values[0].hex())
