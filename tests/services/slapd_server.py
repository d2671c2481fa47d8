"""OpenLDAP of Debian's packages, with a few people and groups."""

from __future__ import annotations

import secrets
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPException, LDAPNoSuchObjectResult

from labyard.accounts.ldap_client import VerifiedTls, close
from tests.conftest import free_port
from tests.integration.tls_engine import write_certificates

from .process import ServerProcess

BASE = "dc=example,dc=org"
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"
ADMIN = f"cn=admin,{BASE}"
SEARCHER = f"cn=console,{BASE}"
LOCKED_FOR_GOOD = "000001010000Z"
_REFERRALS_TOO = [("2.16.840.1.113730.3.4.2", True, None)]  # ManageDsaIT: as entries

_CONFIGURATION = f"""\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
pidfile {{folder}}/slapd.pid
TLSCertificateFile {{folder}}/server.pem
TLSCertificateKeyFile {{folder}}/server-key.pem
TLSCipherSuite NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA
# A password that is sent without TLS is refused, right or wrong.
security simple_bind=128
database mdb
suffix "{BASE}"
rootdn "{ADMIN}"
rootpw {{password}}
directory {{folder}}/data
dbnosync
overlay ppolicy
ppolicy_default "cn=policy,{BASE}"
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{SEARCHER}" read by * none
"""


class SlapdServer(ServerProcess):
    """A server on two free ports: TLS from the first byte, and StartTLS."""

    def __init__(self, addresses: Sequence[str] = ("127.0.0.1",)) -> None:
        super().__init__("slapd", "openldap", addresses)
        self.plain_port = free_port()
        self.password = secrets.token_urlsafe(16)
        self.searcher_password = secrets.token_urlsafe(16)
        write_certificates(self.folder, self.addresses)
        for path in self.folder.iterdir():
            path.chmod(0o644)
        (self.folder / "data").mkdir()
        (self.folder / "searcher").write_text(f"{self.searcher_password}\n", encoding="ascii")
        text = _CONFIGURATION.format(folder=self.folder, password=self.password)
        (self.folder / "slapd.conf").write_text(text, encoding="ascii")
        self._hand_over()

    def command(self) -> list[str]:
        """The server, in the foreground."""
        urls = [f"ldaps://{address}:{self.port}/" for address in self.addresses]
        urls += [f"ldap://{address}:{self.plain_port}/" for address in self.addresses]
        return ["/usr/sbin/slapd", "-d", "0", "-f", str(self.folder / "slapd.conf"), "-h", " ".join(urls)]

    def answers(self) -> bool:
        """Whether one can sign in."""
        try:
            with self._connect():
                return True
        except LDAPException:
            return False

    def fill(self) -> None:
        """The tree, with who searches it; everything that was in it goes."""
        with self._connect() as connection:
            with suppress(LDAPNoSuchObjectResult):
                connection.search(BASE, "(objectClass=*)", controls=_REFERRALS_TOO)
            names = [found["dn"] for found in connection.response or []]
            for name in sorted(names, key=lambda name: name.count(","), reverse=True):
                connection.delete(name, controls=_REFERRALS_TOO)
            for dn, classes, attributes in self._tree():
                connection.add(dn, classes, attributes)

    def _tree(self) -> Iterator[tuple[str, list[str], dict[str, str]]]:
        yield BASE, ["dcObject", "organization"], {"dc": "example", "o": "Example"}
        for unit in (PEOPLE, GROUPS):
            yield unit, ["organizationalUnit"], {}
        searcher = ["simpleSecurityObject", "organizationalRole"]
        yield SEARCHER, searcher, {"userPassword": self.searcher_password}
        policy = {"pwdAttribute": "userPassword", "pwdLockout": "TRUE"}
        yield f"cn=policy,{BASE}", ["device", "pwdPolicy"], policy

    def add_person(self, username: str, password: str, **attributes: Any) -> str:
        """A person; gives the name of the entry back."""
        dn = f"uid={username},{PEOPLE}"
        self.add(dn, ["inetOrgPerson"], cn=username, sn=username, userPassword=password, **attributes)
        return dn

    def add_group(self, name: str, *members: str) -> None:
        """A group of entries."""
        self.add(f"cn={name},{GROUPS}", ["groupOfNames"], member=list(members))

    def add(self, dn: str, classes: Sequence[str], **attributes: Any) -> None:
        """One entry."""
        with self._connect() as connection:
            connection.add(dn, list(classes), attributes)

    def change(self, dn: str, changes: Mapping[str, Sequence[Any]]) -> None:
        """Replace attributes of an entry; an empty list takes one away."""
        with self._connect() as connection:
            replacing = {name: [(ldap3.MODIFY_REPLACE, list(values))] for name, values in changes.items()}
            connection.modify(dn, replacing)

    def delete(self, dn: str) -> None:
        """Take an entry away."""
        with self._connect() as connection:
            connection.delete(dn)

    def variables(self, **further: str) -> dict[str, str]:
        """Settings of a console that uses this directory."""
        return {
            "LABYARD_LDAP_URL": f"ldaps://{self.addresses[0]}:{self.port}",
            "LABYARD_LDAP_CA_FILE": str(self.folder / "ca.pem"),
            "LABYARD_LDAP_BASE": PEOPLE,
            "LABYARD_LDAP_GROUP_BASE": GROUPS,
            "LABYARD_LDAP_BIND_DN": SEARCHER,
            "LABYARD_LDAP_BIND_PASSWORD_FILE": str(self.folder / "searcher"),
            **further,
        }

    @contextmanager
    def _connect(self) -> Iterator[ldap3.Connection]:
        tls = VerifiedTls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(self.folder / "ca.pem"))
        server = ldap3.Server(self.addresses[0], self.port, use_ssl=True, tls=tls, get_info=ldap3.NONE)
        connection = ldap3.Connection(server, ADMIN, self.password, raise_exceptions=True, check_names=False)
        try:
            connection.bind()
            yield connection
        finally:
            close(connection)

    def _hand_over(self) -> None:
        if self.user:
            subprocess.run(["chown", "-R", f"{self.user}:", str(self.folder)], check=True)
