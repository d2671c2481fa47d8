#!/usr/bin/python
# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: a server's certificate from an authority that speaks ACME."""

from __future__ import annotations

DOCUMENTATION = r"""
module: acme_certificate
short_description: Keep a server's certificate that an ACME authority signs
version_added: 0.1.0
author:
  - The Labyard authors
description:
  - Orders a certificate by ACME (RFC 8555), with a new key each time, and orders another before it ends.
    What is good is left alone.
  - Files are kept in the folder C(acme) in O(folder), the key of the account in C(acme-account.key), with
    mode 0600.
  - By http-01 every web server that answers for the names gives the same answer, the token that it is asked
    for and RV(thumbprint) with a dot between; so no file has to be brought to it. Names that begin with C(*.)
    need dns-01.
options:
  folder:
    description:
      - Folder for certificates, keys and the account.
    type: path
    required: true
  state:
    description:
      - V(present) orders what is missing or ends soon.
      - V(looked) says what there is, and makes the key of the account where there is none.
    type: str
    choices: [present, looked]
    default: present
  name:
    description:
      - First part of the names of the files.
    type: str
    required: true
  dns_names:
    description:
      - The names that the server is reached by.
    type: list
    elements: str
    required: true
  directory:
    description:
      - Address of the authority's directory. Required for O(state=present).
    type: str
    default: ""
  mail:
    description:
      - Whom the authority may write to.
    type: str
    default: ""
  ca_path:
    description:
      - File with the authorities that are trusted about O(directory), for one of your own.
    type: path
  challenge:
    description:
      - How it is shown that the names are ours.
    type: str
    choices: [http-01, dns-01]
    default: http-01
  dns_hook:
    description:
      - For dns-01, a program on this machine and its first arguments. It is called with C(set) or C(clear),
        the name of a TXT record, and its text, and returns when the record can be seen.
    type: list
    elements: str
    default: []
  renew_days:
    description:
      - A certificate that ends in less than so many days is ordered anew.
    type: int
    default: 30
  timeout:
    description:
      - Seconds to wait for the authority.
    type: int
    default: 180
requirements:
  - acme 5 or newer (the Python package)
  - cryptography
attributes:
  check_mode:
    support: full
    description: Says whether one would be ordered, and asks nobody.
  diff_mode:
    support: full
    description: Shows when it ended before and why it is ordered, never a key.
"""

EXAMPLES = r"""
- name: Keep a certificate with a wildcard
  labyard.platform.acme_certificate:
    folder: ~/.labyard/certificates
    name: ingress
    dns_names: [labyard.example.org, "*.apps.example.org"]
    directory: https://acme-v02.api.letsencrypt.org/directory
    mail: admin@example.org
    challenge: dns-01
    dns_hook: [/usr/local/bin/set-txt-record]
  delegate_to: localhost
"""

RETURN = r"""
usable:
  description: Whether there is a certificate that is good for all names now.
  returned: success
  type: bool
thumbprint:
  description:
    - What a web server answers http-01 with, behind the token. Empty in check mode before there is an
      account.
  returned: success
  type: str
ca:
  description: The same as RV(certificate); it ends with those between the certificate and its authority.
  returned: success
  type: str
certificate:
  description: Path of the certificate.
  returned: success
  type: str
key:
  description: Path of its key.
  returned: success
  type: str
not_after:
  description: When it ends, ISO 8601. Empty if there is none.
  returned: success
  type: str
days_left:
  description: Whole days until then.
  returned: success
  type: int
fingerprint:
  description: Its SHA-256, hexadecimal.
  returned: success
  type: str
reason:
  description: Why it was ordered. Empty if it was not.
  returned: success
  type: str
"""

import importlib.util
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._certificates.errors import CertificateError
from ansible_collections.labyard.platform.plugins.module_utils._certificates.module import run_module


def argument_spec() -> dict[str, Any]:
    """The options, as Ansible wants them."""
    return {
        "folder": {"type": "path", "required": True},
        "state": {"type": "str", "choices": ["present", "looked"], "default": "present"},
        "name": {"type": "str", "required": True},
        "dns_names": {"type": "list", "elements": "str", "required": True},
        "directory": {"type": "str", "default": ""},
        "mail": {"type": "str", "default": ""},
        "ca_path": {"type": "path"},
        "challenge": {"type": "str", "choices": ["http-01", "dns-01"], "default": "http-01"},
        "dns_hook": {"type": "list", "elements": "str", "default": []},
        "renew_days": {"type": "int", "default": 30},
        "timeout": {"type": "int", "default": 180},
    }


def check_options(options: dict[str, Any]) -> None:
    """Raises CertificateError for options that no certificate can be ordered with."""
    if importlib.util.find_spec("acme") is None:
        raise CertificateError(
            f"The Python package acme is not installed for {sys.executable}: "
            "install it with pip install 'acme>=5'."
        )
    if options["state"] == "looked":
        return
    if not options["directory"].startswith("https://"):
        raise CertificateError(
            "directory: give the address of the authority's directory, which begins with https."
        )
    wild = [name for name in options["dns_names"] if name.startswith("*.")]
    if wild and options["challenge"] == "http-01":
        raise CertificateError(
            f"{wild[0]}: no authority gives names with *. by http-01. Take dns-01, with a hook."
        )
    if options["challenge"] == "dns-01" and not options["dns_hook"]:
        raise CertificateError("dns_hook: dns-01 needs a program that sets TXT records.")


def run(options: dict[str, Any], check_mode: bool, now: datetime) -> dict[str, Any]:
    """The module's answer; raises CertificateError."""
    check_options(options)
    from ansible_collections.labyard.platform.plugins.module_utils._certificates import acme_keeping as acme
    from ansible_collections.labyard.platform.plugins.module_utils._certificates.acme_client import AcmeServer
    from ansible_collections.labyard.platform.plugins.module_utils._certificates.making import Wanted

    folder = Path(options["folder"])
    wanted = Wanted(options["name"], tuple(options["dns_names"]))
    if options["state"] == "present":
        server = AcmeServer(
            directory=options["directory"],
            mail=options["mail"],
            ca=Path(options["ca_path"]) if options["ca_path"] else None,
            challenge=options["challenge"],
            hook=tuple(options["dns_hook"]),
            seconds=options["timeout"],
        )
        kept = acme.keep_ordered(folder, wanted, server, options["renew_days"], now, check_mode)
        changed = kept.changed
    else:
        changed = not (folder / "acme-account.key").exists()
        kept = acme.describe_ordered(folder, wanted, now)
    usable = acme.is_good(folder, wanted, now)
    mark = acme.account_thumbprint(folder, check_mode)
    return {**asdict(kept), "changed": changed, "usable": usable, "thumbprint": mark}


def main() -> None:
    """Entry point."""
    run_module(argument_spec(), run)


if __name__ == "__main__":
    main()
