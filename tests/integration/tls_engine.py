"""The engine of this machine over TCP and TLS: certificates, and a proxy that asks for a client's."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ENGINE_SOCKET = "/var/run/docker.sock"


def write_certificates(folder: Path, addresses: Sequence[str] = ("127.0.0.1",)) -> None:
    """An authority (ca.pem), a client (cert.pem, key.pem), named as DOCKER_CERT_PATH wants them, and a server
    of these IP addresses and the name `engine.test` (server.pem, server-key.pem). They last for a day."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("test authority")
    ca = _sign(ca_name, ca_name, ca_key, ca_key, x509.BasicConstraints(ca=True, path_length=0))
    (folder / "ca.pem").write_bytes(_pem(ca))
    names = x509.SubjectAlternativeName(
        [
            x509.DNSName("engine.test"),
            *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses),
        ]
    )
    for certificate, key_file, usage in (
        ("server.pem", "server-key.pem", ExtendedKeyUsageOID.SERVER_AUTH),
        ("cert.pem", "key.pem", ExtendedKeyUsageOID.CLIENT_AUTH),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        signed = _sign(_name(certificate), ca_name, key, ca_key, names, x509.ExtendedKeyUsage([usage]))
        (folder / certificate).write_bytes(_pem(signed))
        (folder / key_file).write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _sign(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    *extensions: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(issuer_key, hashes.SHA256())


@contextmanager
def tls_engine(folder: Path) -> Iterator[int]:
    """The port of 127.0.0.1 on which the engine answers clients with a certificate, while this lasts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepting = threading.Thread(target=_accept, args=(server, context), daemon=True)
        accepting.start()
        yield int(server.getsockname()[1])
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
    accepting.join(5)


def _accept(server: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(client, context), daemon=True).start()


def _serve(client: socket.socket, context: ssl.SSLContext) -> None:
    """Carry bytes both ways until one side ends."""
    with (
        contextlib.suppress(OSError),
        context.wrap_socket(client, server_side=True) as near,
        socket.socket(socket.AF_UNIX) as far,
    ):
        far.connect(ENGINE_SOCKET)
        back = threading.Thread(target=_carry, args=(far, near), daemon=True)
        back.start()
        _carry(near, far)
        back.join(5)


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError, ValueError):
        target.shutdown(socket.SHUT_RDWR)
