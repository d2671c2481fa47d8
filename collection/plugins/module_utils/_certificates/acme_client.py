# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates from an authority that speaks ACME (RFC 8555). The only file that imports `acme`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import requests
from acme import challenges, client, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from josepy.b64 import b64encode
from josepy.jwa import ES256
from josepy.jwk import JWKEC

from .errors import CertificateError
from .keeping import write_text
from .making import Pair

_SECONDS_OF_HOOK = 300
_USER_AGENT = "labyard"


@dataclass(frozen=True)
class AcmeServer:
    """An authority, and how it is shown that names are ours."""

    directory: str  # its address
    mail: str = ""  # whom it tells of certificates that end
    ca: Path | None = None  # whom we trust about its own certificate; None: what this machine trusts
    challenge: str = "http-01"  # or dns-01
    hook: tuple[str, ...] = ()  # dns-01: the program that sets and clears a TXT record
    seconds: int = 180  # to wait for it


def keep_account_key(folder: Path) -> JWKEC:
    """The key of our account, made where there is none."""
    path = folder / "acme-account.key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_text(path, made.decode("ascii"), 0o600)
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError(f"{path} is no key of an elliptic curve: move it away, and a new one is made.")
    return JWKEC(key=key)


def thumbprint(key: JWKEC) -> str:
    """What a web server answers http-01 with, behind the token (RFC 8555, 8.1)."""
    return str(b64encode(key.thumbprint()).decode("ascii"))


def order(server: AcmeServer, account: JWKEC, names: Sequence[str]) -> tuple[str, Pair]:
    """A new certificate: in PEM with those between it and its authority, and as a pair with its new key.

    :raises CertificateError: the authority refuses, does not find our answer, or cannot be reached
    """
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        acme = _sign_in(server, account)
        made = acme.new_order(_request(key, names))
        with _answers(server, acme, account, made):
            deadline = datetime.now() + timedelta(seconds=server.seconds)
            chain = str(acme.poll_and_finalize(made, deadline).fullchain_pem)
    except errors.ValidationError as error:
        raise CertificateError(_why_not_ours(server, error)) from error
    except (errors.Error, messages.Error, requests.RequestException, ValueError) as error:
        raise CertificateError(
            f"The authority {server.directory} gave no certificate for {', '.join(names)}: {_short(error)}. "
            "Check its address, that this machine trusts it, and its limits."
        ) from error
    return chain, Pair(x509.load_pem_x509_certificate(chain.encode()), key)


def _sign_in(server: AcmeServer, account: JWKEC) -> client.ClientV2:
    network = client.ClientNetwork(account, alg=ES256, user_agent=_USER_AGENT)
    if server.ca:
        network.verify_ssl = str(server.ca)  # type: ignore[assignment]  # requests takes a path as well
    acme = client.ClientV2(client.ClientV2.get_directory(server.directory, network), network)
    about = messages.NewRegistration.from_data(email=server.mail or None, terms_of_service_agreed=True)
    try:
        acme.new_account(about)
    except errors.ConflictError as known:
        there = messages.RegistrationResource(uri=known.location, body=messages.Registration())
        acme.query_registration(there)
    return acme


@contextmanager
def _answers(
    server: AcmeServer, acme: client.ClientV2, account: JWKEC, made: messages.OrderResource
) -> Iterator[None]:
    """Our answers to all challenges, while this lasts. For http-01 the web server has them already."""
    records: list[tuple[str, str]] = []
    try:
        for authorization in made.authorizations:
            if authorization.body.status == messages.STATUS_VALID:
                continue
            name = authorization.body.identifier.value
            found = _challenge(server, authorization, name)
            answer, text = found.response_and_validation(account)
            if isinstance(found.chall, challenges.DNS01):
                records.append((found.chall.validation_domain_name(name), text))
                _call_hook(server, "set", *records[-1])
            acme.answer_challenge(found, answer)
        yield
    finally:
        for record in records:
            _call_hook(server, "clear", *record)


def _challenge(
    server: AcmeServer, authorization: messages.AuthorizationResource, name: str
) -> messages.ChallengeBody:
    for each in authorization.body.challenges:
        if each.chall.typ == server.challenge:
            return each
    raise CertificateError(
        f"The authority offers no {server.challenge} for {name}. Names with *. need dns-01, with a hook."
    )


def _call_hook(server: AcmeServer, action: str, record: str, text: str) -> None:
    try:
        done = subprocess.run(
            [*server.hook, action, record, text],
            capture_output=True,
            text=True,
            timeout=_SECONDS_OF_HOOK,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CertificateError(f"The hook for dns-01 does not work: {error}.") from error
    if done.returncode:
        raise CertificateError(
            f"The hook for dns-01 ended with {done.returncode} at '{action} {record}': {done.stderr.strip()}"
        )


def _request(key: ec.EllipticCurvePrivateKey, names: Sequence[str]) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.DNSName(name.lower()) for name in names]), critical=False
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _why_not_ours(server: AcmeServer, error: errors.ValidationError) -> str:
    said = [
        f"{each.body.identifier.value}: {challenge.error.detail}"
        for each in error.failed_authzrs
        for challenge in each.body.challenges
        if challenge.error is not None
    ]
    way = (
        "The ingress must answer at port 80 of these names, with ingress_acme_thumbprint."
        if server.challenge == "http-01"
        else "See whether the hook sets TXT records, and how long it takes until they are seen."
    )
    return f"The authority {server.directory} did not find our answer ({'; '.join(said)}). {way}"


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < 300 else f"{text[:300]}…"
