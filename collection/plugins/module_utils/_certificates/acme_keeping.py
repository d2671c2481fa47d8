# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of an ACME authority in a folder: ordered when they are missing, others, or about to end."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from .acme_client import AcmeServer, keep_account_key, order, thumbprint
from .errors import CertificateError
from .keeping import Kept, write_text
from .making import Pair, Wanted, belong_together, names_of

FOLDER = "acme"


def keep_ordered(
    folder: Path, wanted: Wanted, server: AcmeServer, renew_days: int, now: datetime, check_mode: bool
) -> Kept:
    """Have a certificate of the authority in `folder`/acme; it is ordered when the one there will not do.

    :raises CertificateError: see :func:`acme_client.order`; one that is still good is left as it is then
    """
    place = folder / FOLDER
    pair = _read(place, wanted.name)
    reason = _why_order(place, pair, wanted, server, renew_days, now)
    if reason and not check_mode:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        chain, pair = order(server, keep_account_key(folder), wanted.dns_names)
        write_text(place / f"{wanted.name}.key", pair.key_text(), 0o600)
        write_text(place / f"{wanted.name}.crt", chain, 0o644)
        write_text(place / f"{wanted.name}.json", json.dumps({"directory": server.directory}), 0o644)
    return _describe(place, wanted, pair, reason, now)


def describe_ordered(folder: Path, wanted: Wanted, now: datetime) -> Kept:
    """What there is in `folder`/acme, good or not."""
    return _describe(folder / FOLDER, wanted, _read(folder / FOLDER, wanted.name), "", now)


def is_good(folder: Path, wanted: Wanted, now: datetime) -> bool:
    """Whether the certificate in `folder`/acme is there, good for all names, and has not ended."""
    pair = _read(folder / FOLDER, wanted.name)
    if pair is None:
        return False
    return names_of(pair.certificate) == wanted.names and pair.certificate.not_valid_after_utc > now


def account_thumbprint(folder: Path, check_mode: bool) -> str:
    """What the ingress answers challenges with; empty in check mode before there is an account's key."""
    if check_mode and not (folder / "acme-account.key").exists():
        return ""
    return thumbprint(keep_account_key(folder))


def _why_order(
    place: Path, pair: Pair | None, wanted: Wanted, server: AcmeServer, renew_days: int, now: datetime
) -> str:
    if pair is None:
        return "missing"
    if names_of(pair.certificate) != wanted.names:
        return "names are others"
    if json.loads((place / f"{wanted.name}.json").read_text("utf-8"))["directory"] != server.directory:
        return "authority is another"
    left = (pair.certificate.not_valid_after_utc - now).days
    return "" if left >= renew_days else f"ends in {left} days"


def _read(place: Path, name: str) -> Pair | None:
    try:
        pair = Pair(
            x509.load_pem_x509_certificate((place / f"{name}.crt").read_bytes()),
            serialization.load_pem_private_key((place / f"{name}.key").read_bytes(), None),
        )
    except (FileNotFoundError, ValueError, TypeError):
        return None
    except OSError as error:
        raise CertificateError(f"{error.filename}: {error.strerror}. Name a folder of this user.") from error
    is_whole = belong_together(pair) and (place / f"{name}.json").exists()
    return pair if is_whole else None


def _describe(place: Path, wanted: Wanted, pair: Pair | None, reason: str, now: datetime) -> Kept:
    stem = place / wanted.name
    found = Kept(bool(reason), reason, f"{stem}.crt", f"{stem}.crt", f"{stem}.key", "", 0, "")
    if pair is None:
        return found
    end = pair.certificate.not_valid_after_utc
    return replace(
        found,
        not_after=end.isoformat(),
        days_left=(end - now).days,
        fingerprint=pair.certificate.fingerprint(hashes.SHA256()).hex(),
    )
