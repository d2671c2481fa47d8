# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and certificates are made here, as RFC 5280 has them. No files, no clock."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_SLACK = timedelta(minutes=10)  # clocks of others may be behind
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True)
class Wanted:
    """What a certificate is for."""

    name: str  # of its files
    dns_names: tuple[str, ...]  # `*.` may stand in front
    ip_addresses: tuple[str, ...] = ()
    days: int = 365

    @property
    def names(self) -> frozenset[str]:
        """All names and addresses, as they are compared."""
        addresses = {str(ipaddress.ip_address(a)) for a in self.ip_addresses}
        return frozenset({n.lower() for n in self.dns_names} | addresses)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: PrivateKeyTypes = field(repr=False)

    def certificate_text(self) -> str:
        """The certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")

    def key_text(self) -> str:
        """The key in PEM (PKCS 8), without a password."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode("ascii")


def make_authority(common_name: str, days: int, now: datetime) -> Pair:
    """An authority that signs certificates of servers, and no other authorities."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(common_name)
    builder = _builder(subject, subject, key.public_key(), now, now + timedelta(days=days))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
    return Pair(builder.sign(key, hashes.SHA256()), key)


def make_leaf(authority: Pair, wanted: Wanted, now: datetime) -> Pair:
    """A server's certificate with a new key. It ends no later than the authority's."""
    key = ec.generate_private_key(ec.SECP256R1())
    end = min(now + timedelta(days=wanted.days), authority.certificate.not_valid_after_utc)
    issuer = authority.certificate.subject
    builder = _builder(_name(wanted.dns_names[0]), issuer, key.public_key(), now, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage("digital_signature"), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    names: list[x509.GeneralName] = [x509.DNSName(name.lower()) for name in wanted.dns_names]
    names += [x509.IPAddress(ipaddress.ip_address(a)) for a in wanted.ip_addresses]
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.certificate.public_key())  # type: ignore[arg-type]  # a key that signs
    builder = builder.add_extension(identifier, critical=False)
    return Pair(builder.sign(authority.key, hashes.SHA256()), key)  # type: ignore[arg-type]  # a key that signs


def names_of(certificate: x509.Certificate) -> frozenset[str]:
    """All names and addresses that a certificate is good for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    names = {name.lower() for name in found.get_values_for_type(x509.DNSName)}
    return frozenset(names | {str(a) for a in found.get_values_for_type(x509.IPAddress)})


def covers(certificate: x509.Certificate, name: str) -> bool:
    """Whether a certificate is good for `name`, by itself or by a `*.` (RFC 6125, 6.4.3)."""
    name, names = name.lower(), names_of(certificate)
    parent = name.partition(".")[2]
    return name in names or (bool(parent) and not name.startswith("*.") and f"*.{parent}" in names)


def belong_together(pair: Pair) -> bool:
    """Whether the key is that of the certificate."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    of_key = pair.key.public_key().public_bytes(serialization.Encoding.DER, form)
    return of_key == pair.certificate.public_key().public_bytes(serialization.Encoding.DER, form)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - _SLACK)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*allowed: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in allowed for name in _USAGES})
