# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates in a folder: what is good stays, what is not is made anew."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization

from .errors import CertificateError
from .making import Pair, Wanted, belong_together, covers, make_authority, make_leaf, names_of


@dataclass(frozen=True)
class Authority:
    """An authority of one's own."""

    common_name: str
    days: int = 3650


@dataclass(frozen=True)
class Kept:
    """A certificate as it stands in the folder after the call. Paths are texts, days are whole days."""

    changed: bool
    reason: str  # why it was made anew; empty if it was not
    ca: str
    certificate: str
    key: str
    not_after: str  # ISO 8601, UTC; empty in check mode for one that is not there yet
    days_left: int
    fingerprint: str  # SHA-256, hexadecimal


def keep_certificate(
    folder: Path, wanted: Wanted, authority: Authority, renew_days: int, now: datetime, check_mode: bool
) -> Kept:
    """Have a certificate for `wanted` in `folder`, signed by the authority that lies there.

    Both are made when they are missing, cannot be read, or end within `renew_days`; the certificate
    also when its names are others or its authority is another. Raises CertificateError if the folder
    cannot be written to.
    """
    try:
        return _keep(folder, wanted, authority, renew_days, now, check_mode)
    except OSError as error:
        raise CertificateError(
            f"{error.filename or folder}: {error.strerror}. Name a folder of the user who runs this."
        ) from error


def _keep(
    folder: Path, wanted: Wanted, authority: Authority, renew_days: int, now: datetime, check_mode: bool
) -> Kept:
    ca_pair = _read_pair(folder / "ca.crt", folder / "ca.key")
    ca_reason = _why_new(ca_pair, renew_days, now)
    leaf = _read_pair(folder / f"{wanted.name}.crt", folder / f"{wanted.name}.key")
    reason = f"authority {ca_reason}" if ca_reason else _why_new(leaf, renew_days, now)
    if ca_pair and not reason and leaf:
        reason = _why_other(leaf, ca_pair, wanted)
    if reason and not check_mode:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        if ca_reason or ca_pair is None:
            ca_pair = make_authority(authority.common_name, authority.days, now)
            _write_pair(folder, "ca", ca_pair)
        leaf = make_leaf(ca_pair, wanted, now)
        _write_pair(folder, wanted.name, leaf)
    return _describe(folder / "ca.crt", folder / wanted.name, leaf, reason, now)


def check_supplied(
    certificate: Path, key: Path, ca: Path | None, names: Sequence[str], now: datetime
) -> Kept:
    """Look at files that somebody else made; raises CertificateError if they cannot serve `names`."""
    try:
        pair = _load_pair(certificate, key)
    except (OSError, ValueError, TypeError) as error:
        raise CertificateError(
            f"{certificate} and {key} are no certificate and key in PEM without a password: {error}"
        ) from error
    if not belong_together(pair):
        raise CertificateError(f"{key} is not the key of {certificate}. Name the two that belong together.")
    missing = [name for name in names if not covers(pair.certificate, name)]
    if missing:
        raise CertificateError(
            f"{certificate} is for {', '.join(sorted(names_of(pair.certificate))) or 'no name'}, not for "
            f"{', '.join(missing)}. Ask for one with all names."
        )
    if pair.certificate.not_valid_after_utc <= now:
        raise CertificateError(
            f"{certificate} ended on {pair.certificate.not_valid_after_utc:%Y-%m-%d}. Renew it."
        )
    found = _describe(ca or certificate, certificate, pair, "", now)
    return Kept(**{**found.__dict__, "certificate": str(certificate), "key": str(key)})


def _why_new(pair: Pair | None, renew_days: int, now: datetime) -> str:
    if pair is None:
        return "missing"
    if not belong_together(pair):
        return "key is another one's"
    left = (pair.certificate.not_valid_after_utc - now).days
    return "" if left >= renew_days else f"ends in {left} days"


def _why_other(leaf: Pair, authority: Pair, wanted: Wanted) -> str:
    if names_of(leaf.certificate) != wanted.names:
        return "names are others"
    try:
        leaf.certificate.verify_directly_issued_by(authority.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return "authority is another"
    return ""


def _read_pair(certificate: Path, key: Path) -> Pair | None:
    """The pair in two files, or None if it is missing or broken."""
    try:
        return _load_pair(certificate, key)
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _load_pair(certificate: Path, key: Path) -> Pair:
    return Pair(
        x509.load_pem_x509_certificate(certificate.read_bytes()),
        serialization.load_pem_private_key(key.read_bytes(), None),
    )


def _write_pair(folder: Path, name: str, pair: Pair) -> None:
    """The key first: a certificate whose key is not there yet is made anew by the next run."""
    write_text(folder / f"{name}.key", pair.key_text(), 0o600)
    write_text(folder / f"{name}.crt", pair.certificate_text(), 0o644)


def write_text(path: Path, text: str, mode: int) -> None:
    """Write a file with this mode, in one step."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
    os.replace(draft, path)


def _describe(ca: Path, stem: Path, leaf: Pair | None, reason: str, now: datetime) -> Kept:
    end = leaf.certificate.not_valid_after_utc if leaf else None
    return Kept(
        changed=bool(reason),
        reason=reason,
        ca=str(ca),
        certificate=f"{stem}.crt",
        key=f"{stem}.key",
        not_after=end.isoformat() if end else "",
        days_left=(end - now).days if end else 0,
        fingerprint=leaf.certificate.fingerprint(hashes.SHA256()).hex() if leaf else "",
    )
