"""Bring the entries of a directory to what is wanted of them, then become slapd.

    /run/secrets/settings   what is wanted, as JSON: see `Settings` below
    /run/secrets/key        the key of the certificate
    /run/secrets/certificate

The entries are changed before the server starts, with its own tools, so nobody ever sees half of it. A
password is written when the person is made and never again: from then on it is theirs.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMAS = ("core", "cosine", "inetorgperson")
LOCKED_FOR_GOOD = "000001010000Z"
# Of people, what is written anew at each start; the rest is left as it is.
OF_PEOPLE = ("cn", "sn", "mail", "pwdAccountLockedTime")

Entry = dict[str, list[str]]


@dataclass(frozen=True)
class Settings:
    """What is wanted. `people` have name, full_name, mail, password, state; `groups` name and members."""

    base: str  # dc=example,dc=org
    organization: str
    people: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    console_password: str  # of cn=console,ou=services: it searches, and reads everything but passwords
    admin_password: str  # of cn=admin, who may do everything; empty: there is no such way in
    log: str = "none"


@dataclass(frozen=True)
class Places:
    """Where files lie."""

    settings: Path = Path("/run/secrets/settings")
    certificate: Path = Path("/run/secrets/certificate")
    key: Path = Path("/run/secrets/key")
    data: Path = Path("/var/lib/ldap")
    run: Path = Path("/run/slapd")

    @property
    def backup(self) -> Path:
        """What `slapcat` wrote, to be taken over."""
        return self.data / "restore.ldif"

    @property
    def configuration(self) -> Path:
        """The server's own settings; they are made at each start."""
        return self.run / "slapd.conf"


def main() -> None:
    """Converge and become slapd; a start that cannot succeed ends with its cause in the last line."""
    places = Places()
    os.umask(0o077)
    settings = Settings(**json.loads(places.settings.read_text(encoding="utf-8")))
    places.run.mkdir(exist_ok=True)
    places.configuration.write_text(configuration(settings, places), encoding="utf-8")
    for word in ensure_restored(places):
        print(f"start-directory: {word}", file=sys.stderr, flush=True)
    for word in converge(settings, places):
        print(f"start-directory: {word}", file=sys.stderr, flush=True)
    socket = str(places.run / "ldapi").replace("/", "%2f")
    urls = f"ldaps://:1636/ ldap://:1389/ ldapi://{socket}/"
    os.execv(  # noqa: S606 - no shell is wanted
        "/usr/sbin/slapd",
        ["slapd", "-d", settings.log, "-f", str(places.configuration), "-h", urls],
    )


def configuration(settings: Settings, places: Places) -> str:
    """The text of slapd.conf."""
    admin = f"cn=admin,{settings.base}"
    lines = [
        *(f"include /etc/ldap/schema/{name}.schema" for name in SCHEMAS),
        "modulepath /usr/lib/ldap",
        *(f"moduleload {name}" for name in ("back_mdb", "ppolicy", f"argon2 {_COSTS}")),
        f"pidfile {places.run}/slapd.pid",
        f"TLSCertificateFile {places.certificate}",
        f"TLSCertificateKeyFile {places.key}",
        # GnuTLS has no TLSProtocolMin: it is told by a priority. No key exchange without forward secrecy.
        "TLSCipherSuite NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:%SERVER_PRECEDENCE",
        "TLSVerifyClient never",
        "password-hash {ARGON2}",
        "security simple_bind=128",  # without TLS no password is taken, right or wrong
        "disallow bind_anon",
        "require authc",
        "database mdb",
        f'suffix "{settings.base}"',
        f'rootdn "{admin}"',
        *([f"rootpw {hashed(settings.admin_password)}"] if settings.admin_password else []),
        f"directory {places.data}",
        "maxsize 1073741824",
        "index objectClass,uid,member,cn eq",
        "overlay ppolicy",
        f'ppolicy_default "cn=policy,{settings.base}"',
        "access to attrs=userPassword by self =xw by anonymous auth by * none",
        f'access to * by dn.exact="{console_dn(settings)}" read by self read by * none',
    ]
    return "\n".join(lines) + "\n"


def ensure_restored(places: Places) -> Iterator[str]:
    """Take over the entries of a backup that lie beside the data, where there are none of our own yet.

    Who puts them there looks that there are none, so what is there then is of a start that was cut off.
    """
    if not places.backup.exists():
        return
    for path in (places.data / "data.mdb", places.data / "lock.mdb"):
        path.unlink(missing_ok=True)
    _tool("slapadd", places, "-q", "-l", str(places.backup))
    places.backup.unlink()
    yield "the entries of a backup are taken over"


def converge(settings: Settings, places: Places) -> Iterator[str]:
    """Bring the entries to what is wanted; says each change in words."""
    present = read_entries(places)
    changes: list[str] = []
    for dn, entry in wanted_entries(settings):
        now = present.get(dn.lower())
        if now is None:
            first = first_password(settings, dn)
            yield f"{dn} is made"
            changes.append(_add(dn, {**entry, **({"userPassword": [hashed(first)]} if first else {})}))
            continue
        differing = {name: entry.get(name, []) for name in _governed(entry) if _differs(entry, now, name)}
        if differing:
            yield f"{dn} is changed: {', '.join(differing)}"
        if dn == console_dn(settings):  # the console's own password is what it is told to be
            differing["userPassword"] = [hashed(settings.console_password)]
        if differing:
            changes.append(_replace(dn, differing))
    for dn in unwanted_entries(settings):
        if dn.lower() in present:
            yield f"{dn} is removed"
            changes.append(f"{_line('dn', dn)}changetype: delete\n")
    if changes:
        _tool("slapmodify", places, input_text="\n".join(changes))


def wanted_entries(settings: Settings) -> Iterator[tuple[str, Entry]]:
    """Each entry that is wanted, parents first, without passwords."""
    base = settings.base
    first = base.partition(",")[0].partition("=")[2]
    yield base, {"objectClass": ["dcObject", "organization"], "dc": [first], "o": [settings.organization]}
    for unit in ("people", "groups", "services"):
        yield f"ou={unit},{base}", {"objectClass": ["organizationalUnit"], "ou": [unit]}
    policy = {"pwdAttribute": ["userPassword"], "pwdLockout": ["TRUE"]}
    yield f"cn=policy,{base}", {"objectClass": ["device", "pwdPolicy"], "cn": ["policy"], **policy}
    services = ["organizationalRole", "simpleSecurityObject"]
    yield console_dn(settings), {"objectClass": services, "cn": ["console"]}
    for person in settings.people:
        if person.get("state") != "absent":
            yield _person_dn(settings, person["name"]), _person(person)
    for group in settings.groups:
        members = [_person_dn(settings, name) for name in group["members"]]
        if members:
            entry = {"objectClass": ["groupOfNames"], "cn": [group["name"]], "member": members}
            yield f"cn={group['name']},ou=groups,{base}", entry


def console_dn(settings: Settings) -> str:
    """The entry of the console."""
    return f"cn=console,ou=services,{settings.base}"


def unwanted_entries(settings: Settings) -> Iterator[str]:
    """Entries that must not be there. A group cannot be without members, so an empty one is none."""
    for group in settings.groups:
        if not group["members"]:
            yield f"cn={group['name']},ou=groups,{settings.base}"
    for person in settings.people:
        if person.get("state") == "absent":
            yield _person_dn(settings, person["name"])


def first_password(settings: Settings, dn: str) -> str:
    """The password with which an entry is made; empty: none."""
    if dn == console_dn(settings):
        return settings.console_password
    for person in settings.people:
        if dn == _person_dn(settings, person["name"]):
            return person.get("password") or ""
    return ""


def read_entries(places: Places) -> dict[str, Entry]:
    """All entries of the database, by name in small letters; none before the first start."""
    if not any(places.data.glob("data.mdb")):
        return {}
    found = {}
    for block in _tool("slapcat", places, "-o", "ldif_wrap=no").split("\n\n"):
        entry: Entry = {}
        for line in block.splitlines():
            name, mark, text = line.partition(":")
            if mark and not line.startswith("#"):
                entry.setdefault(name, []).append(_value(text))
        if "dn" in entry:
            found[entry.pop("dn")[0].lower()] = entry
    return found


def _value(text: str) -> str:
    """What stands behind the first colon of a line of LDIF.

    Hashes of passwords are bytes: after a change by its owner, slapd keeps one with a stray byte at its end.
    """
    if text.startswith(":"):
        return base64.b64decode(text[1:]).decode("utf-8", "backslashreplace").strip()
    return text.strip()


def hashed(password: str) -> str:
    """`password` as the server keeps it, by Argon2."""
    return _run(["slappasswd", *_ARGON2, "-h", "{ARGON2}", "-n", "-T", "/dev/stdin"], password).strip()


# Each check takes 19 MiB, and the server makes up to 16 at once.
_COSTS = "m=19456 t=3 p=1"
_ARGON2 = ("-o", "module-path=/usr/lib/ldap", "-o", f"module-load=argon2 {_COSTS}")


def _person_dn(settings: Settings, name: str) -> str:
    return f"uid={name},ou=people,{settings.base}"


def _person(person: Mapping[str, Any]) -> Entry:
    full_name = " ".join((person.get("full_name") or person["name"]).split())
    locked = [LOCKED_FOR_GOOD] if person.get("state") == "disabled" else []
    mail = [person["mail"]] if person.get("mail") else []
    return {
        "objectClass": ["inetOrgPerson"],
        "uid": [person["name"]],
        "cn": [full_name],
        "sn": [full_name.split()[-1]],
        "mail": mail,
        "pwdAccountLockedTime": locked,
    }


def _governed(entry: Entry) -> Iterable[str]:
    if "uid" in entry:
        return OF_PEOPLE
    return ("member",) if "member" in entry else ()


def _differs(entry: Entry, now: Entry, name: str) -> bool:
    return {text.lower() for text in entry.get(name, [])} != {text.lower() for text in now.get(name, [])}


def _add(dn: str, entry: Entry) -> str:
    lines = (_line(name, value) for name, values in entry.items() for value in values)
    return f"{_line('dn', dn)}changetype: add\n{''.join(lines)}"


def _replace(dn: str, changes: Entry) -> str:
    parts = (
        f"replace: {name}\n{''.join(_line(name, value) for value in values)}-\n"
        for name, values in changes.items()
    )
    return f"{_line('dn', dn)}changetype: modify\n{''.join(parts)}"


def _line(name: str, value: str) -> str:
    """A line of LDIF; in base64, so that any text is only a text."""
    return f"{name}:: {base64.b64encode(value.encode()).decode()}\n"


def _tool(name: str, places: Places, *options: str, input_text: str = "") -> str:
    return _run([name, "-f", str(places.configuration), *options], input_text)


def _run(command: list[str], input_text: str = "") -> str:
    done = subprocess.run(
        [f"/usr/sbin/{command[0]}", *command[1:]],
        input=input_text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(
            f"start-directory: {command[0]} failed: {' / '.join(done.stderr.split(chr(10))).strip(' /')}"
        )
    return done.stdout


if __name__ == "__main__":
    main()
