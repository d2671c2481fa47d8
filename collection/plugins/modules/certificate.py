#!/usr/bin/python
# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: a server's certificate, from an authority of one's own or from elsewhere."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate
short_description: Keep a server's certificate in a folder
version_added: 0.1.0
author:
  - The Labyard authors
description:
  - Makes an authority of your own in a folder, and certificates that it signs, and makes them anew
    before they end. What is good is left alone.
  - With O(supplied_certificate) it makes nothing. It looks whether certificate and key belong together,
    are good for all names and have not ended.
  - Keys are of the curve P-256, written with mode 0600 into a folder with mode 0700.
options:
  folder:
    description:
      - Folder of the authority (C(ca.crt), C(ca.key)) and of what it signed (C(<name>.crt), C(<name>.key)).
    type: path
    required: true
  name:
    description:
      - First part of the names of the files.
    type: str
    required: true
  dns_names:
    description:
      - The names that the server is reached by. V(*.) may stand in front of one.
    type: list
    elements: str
    required: true
  ip_addresses:
    description:
      - The addresses that the server is reached by, if that is to be possible without a name.
    type: list
    elements: str
    default: []
  days:
    description:
      - Days for which a new certificate is good. It never outlives its authority.
    type: int
    default: 365
  renew_days:
    description:
      - A certificate that ends in less than so many days is made anew.
    type: int
    default: 30
  ca_name:
    description:
      - The name that a new authority gives itself.
    type: str
    default: Labyard
  ca_days:
    description:
      - Days for which a new authority is good.
    type: int
    default: 3650
  supplied_certificate:
    description:
      - File with a certificate that somebody else made, and behind it those between it and its authority.
    type: path
  supplied_key:
    description:
      - File with its key, without a password.
    type: path
  supplied_ca:
    description:
      - File with its authority, for those who do not trust it yet.
    type: path
requirements:
  - cryptography
attributes:
  check_mode:
    support: full
    description: Says what would be made.
  diff_mode:
    support: full
    description: Shows when it ended before and why it is made anew, never a key.
"""

EXAMPLES = r"""
- name: Keep a certificate for the ingress
  labyard.platform.certificate:
    folder: ~/.labyard/certificates
    name: ingress
    dns_names: [labyard.example.org, "*.apps.example.org"]
  delegate_to: localhost
  register: ingress

- name: Show when it ends
  ansible.builtin.debug:
    msg: "{{ ingress.days_left }} days left"
"""

RETURN = r"""
ca:
  description: Path of the authority's certificate.
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
  description: When it ends, ISO 8601. Empty in check mode for one that is not there yet.
  returned: success
  type: str
  sample: "2027-11-21T09:00:00+00:00"
days_left:
  description: Whole days until then.
  returned: success
  type: int
fingerprint:
  description: Its SHA-256, hexadecimal.
  returned: success
  type: str
reason:
  description: Why it was made anew. Empty if it was not.
  returned: success
  type: str
  sample: ends in 12 days
"""

import ipaddress
import re
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._certificates.errors import CertificateError
from ansible_collections.labyard.platform.plugins.module_utils._certificates.module import run_module

try:
    from ansible_collections.labyard.platform.plugins.module_utils._certificates.keeping import (
        Authority,
        check_supplied,
        keep_certificate,
    )
    from ansible_collections.labyard.platform.plugins.module_utils._certificates.making import Wanted
except ImportError:
    pass  # run_module says which package is missing

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
_DNS_NAME = re.compile(
    r"(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)


def argument_spec() -> dict[str, Any]:
    """The options, as Ansible wants them."""
    return {
        "folder": {"type": "path", "required": True},
        "name": {"type": "str", "required": True},
        "dns_names": {"type": "list", "elements": "str", "required": True},
        "ip_addresses": {"type": "list", "elements": "str", "default": []},
        "days": {"type": "int", "default": 365},
        "renew_days": {"type": "int", "default": 30},
        "ca_name": {"type": "str", "default": "Labyard"},
        "ca_days": {"type": "int", "default": 3650},
        "supplied_certificate": {"type": "path"},
        "supplied_key": {"type": "path", "no_log": False},
        "supplied_ca": {"type": "path"},
    }


def check_options(options: dict[str, Any]) -> None:
    """Raises CertificateError for options that no certificate can be made from."""
    if not _FILE_NAME.fullmatch(options["name"]) or options["name"] == "ca":
        raise CertificateError(
            "name: take letters, digits, dots and dashes, and not ca, which is the authority's."
        )
    if not options["dns_names"]:
        raise CertificateError("dns_names: give one name at least.")
    wrong = [name for name in options["dns_names"] if not _DNS_NAME.fullmatch(name)]
    if wrong:
        raise CertificateError(f"dns_names: {wrong[0]} is no name of a host.")
    for address in options["ip_addresses"]:
        try:
            ipaddress.ip_address(address)
        except ValueError as error:
            raise CertificateError(f"ip_addresses: {error}.") from error
    if not 0 <= options["renew_days"] < min(options["days"], options["ca_days"]):
        raise CertificateError(
            "renew_days must be less than days and ca_days, or it would be made anew at each run."
        )


def run(options: dict[str, Any], check_mode: bool, now: datetime) -> dict[str, Any]:
    """The module's answer; raises CertificateError."""
    check_options(options)
    if options["supplied_certificate"]:
        names = [*options["dns_names"], *options["ip_addresses"]]
        ca = Path(options["supplied_ca"]) if options["supplied_ca"] else None
        found = check_supplied(
            Path(options["supplied_certificate"]), Path(options["supplied_key"] or ""), ca, names, now
        )
        return asdict(found)
    wanted = Wanted(
        options["name"], tuple(options["dns_names"]), tuple(options["ip_addresses"]), options["days"]
    )
    authority = Authority(options["ca_name"], options["ca_days"])
    return asdict(
        keep_certificate(Path(options["folder"]), wanted, authority, options["renew_days"], now, check_mode)
    )


def main() -> None:
    """Entry point."""
    together = [("supplied_certificate", "supplied_key")]
    run_module(argument_spec(), run, required_together=together)


if __name__ == "__main__":
    main()
