"""People of a directory: LDAPAuthenticator with TLS that is verified, time-outs, and groups by name."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPBindError, LDAPException
from ldap3.utils.conv import escape_filter_chars
from ldapauthenticator import LDAPAuthenticator
from tornado.web import HTTPError
from traitlets import Integer, List, Unicode

_AWAY = "The directory of people does not answer, so nobody can sign in now. Notebooks that run go on."


class VerifiedTls(ldap3.Tls):
    """TLS 1.2 or newer, with a certificate signed by whom we trust for the name that we asked for.

    ldap3's own way looks at the name with a function that newer Pythons have dropped.
    """

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        """Replace the connection's socket by an encrypted one; raises ssl.SSLError or OSError."""
        context = ssl.create_default_context(cafile=self.ca_certs_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        connection.socket = context.wrap_socket(connection.socket, server_hostname=connection.server.host)


class LdapPeople(LDAPAuthenticator):
    """Search, then bind. The questions are asked in a thread: the hub serves others meanwhile."""

    group_base = Unicode(config=True, help="The entry below which groups are.")
    group_filter = Unicode("(member={dn})", config=True, help="Finds groups of a person: {dn}, {username}.")
    group_attribute = Unicode("cn", config=True, help="What a group is called.")
    named_groups = List(Unicode(), config=True, help="Groups whose members may sign in; none: everybody.")
    named_admins = List(Unicode(), config=True, help="Groups whose members are admins, as long as they are.")
    timeout = Integer(5, config=True, help="Seconds for each answer of the directory.")

    async def authenticate(self, handler: Any, data: dict[str, str]) -> dict[str, Any] | None:
        """The person, or None for a wrong name or password; raises HTTPError 503 if nobody can tell."""
        asked = super().authenticate(handler, data)
        model: dict[str, Any] | None = await self._ask(lambda: asyncio.run(asked))
        if model is not None:
            groups = await self._ask(lambda: self._groups(data["username"]))
            model["auth_state"] = {"ldap_groups": groups or []}
            if self.named_admins:
                model["admin"] = self._is_admin(model["name"], groups or [])
        return model

    async def check_allowed(self, username: str, auth_model: dict[str, Any] | None) -> bool:
        """Whether a person whom the directory knows may sign in here."""
        if auth_model is None or auth_model.get("admin") or await super().check_allowed(username, auth_model):
            return True
        return bool(set(self.named_groups) & set(auth_model["auth_state"]["ldap_groups"]))

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> bool | dict[str, Any]:
        """Whether the person is still there and may still sign in; who is not, has to sign in again."""
        try:
            found = await self._ask(lambda: self._groups(user.name))
        except HTTPError:
            return True  # nobody is sent away because the directory is
        if found is None:
            self.log.warning("%s is no longer in the directory, or is disabled there", user.name)
            return False
        admin = self._is_admin(user.name, found) if self.named_admins else user.admin
        if self.named_groups and not admin and not set(self.named_groups) & set(found):
            return False
        return {"admin": admin}

    def get_connection(self, userdn: str | None, password: str | None) -> Any:
        """A connection of that person, or None if the password is wrong; raises LDAPException."""
        starttls = self.tls_strategy.name == "before_bind"
        server = ldap3.Server(
            self.server_address,
            port=self.server_port,
            use_ssl=not starttls,
            tls=VerifiedTls(**self.tls_kwargs),
            get_info=ldap3.NONE,
            connect_timeout=self.timeout,
        )
        try:
            return ldap3.Connection(
                server,
                user=userdn,
                password=password,
                auto_bind=ldap3.AUTO_BIND_TLS_BEFORE_BIND if starttls else ldap3.AUTO_BIND_NO_TLS,
                auto_referrals=False,  # passwords go to no other server
                receive_timeout=self.timeout,
                read_only=True,
                check_names=False,  # no schema was read
            )
        except LDAPBindError:
            return None

    def _is_admin(self, name: str, groups: list[str]) -> bool:
        return name in self.admin_users or bool(set(self.named_admins) & set(groups))

    def _groups(self, username: str) -> list[str] | None:
        """Names of a person's groups; None if the search finds no such person, or several."""
        connection = self.get_connection(self.lookup_dn_search_user, self.lookup_dn_search_password)
        if connection is None:
            raise LDAPException("the directory does not take the hub's own password")
        try:
            wanted = self.lookup_dn_search_filter.format(
                login_attr=self.user_attribute, login=escape_filter_chars(username)
            )
            connection.search(self.user_search_base, wanted, attributes=[self.user_attribute])
            entries = [found for found in connection.response or [] if found["type"] == "searchResEntry"]
            return self._groups_of(connection, entries[0]["dn"], username) if len(entries) == 1 else None
        finally:
            connection.unbind()

    def _groups_of(self, connection: Any, dn: str, username: str) -> list[str]:
        if not self.group_base:
            return []
        wanted = self.group_filter.replace("{dn}", escape_filter_chars(dn))
        wanted = wanted.replace("{username}", escape_filter_chars(username))
        connection.search(self.group_base, wanted, attributes=[self.group_attribute])
        return [
            value.decode("utf-8", "replace")
            for found in connection.response or []
            if found["type"] == "searchResEntry"
            for value in found["raw_attributes"].get(self.group_attribute) or []
        ]

    async def _ask(self, question: Any) -> Any:
        """What `question` gives, asked in a thread; raises HTTPError 503 if the directory is away."""
        try:
            return await asyncio.to_thread(question)
        except (LDAPException, OSError) as error:
            self.log.error("The directory at %s: %s", self.server_address, error)
            raise HTTPError(503, _AWAY) from error
