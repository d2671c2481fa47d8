"""Sending one signed message to one address: the connection is made to an address that was checked."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook as Signer

from labyard import __version__
from labyard.addresses import AddressError, Network, Resolver, permitted_addresses, resolve, split_url

DEADLINE = 15.0  # seconds that a whole exchange may take


class NotSent(Exception):
    """A message was not taken; the text says why, `status` is that of the answer, if there was one."""

    def __init__(self, text: str, status: int | None = None):
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Poster:
    """Sends messages over HTTP to public addresses and to those of `networks`.

    No redirect is followed, no proxy is asked, and the answer's body is not read.
    """

    networks: tuple[Network, ...] = ()
    ca_bundle: Path | None = None
    deadline: float = DEADLINE  # seconds
    resolver: Resolver = resolve

    def post(self, url: str, secret: str, ident: str, body: Mapping[str, Any], now: datetime) -> int:
        """Send `body` signed with `secret`; the status of the answer, which is 200 to 299.

        `ident` stays the same however often the message is sent. Raises NotSent.
        """
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        try:
            scheme, host, port, target = split_url(url)
            addresses = permitted_addresses(host, port, self.networks, self.resolver)
        except AddressError as error:
            raise NotSent(f"The URL {error}.") from error
        try:
            with self._connection(scheme, host, port, addresses) as connection:
                connection.request("POST", target, text.encode(), signed_headers(secret, ident, text, now))
                status = connection.getresponse().status
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NotSent(f"{host} did not answer: {_explain(error, self.deadline)}") from error
        if not 200 <= status < 300:
            hint = "; redirects are not followed" if 300 <= status < 400 else ""
            raise NotSent(f"{host} answered with {status}{hint}.", status)
        return status

    @contextlib.contextmanager
    def _connection(
        self, scheme: str, host: str, port: int, addresses: Sequence[str]
    ) -> Iterator[http.client.HTTPConnection]:
        """A connection to the first of `addresses` that takes one, cut off when the time is over."""
        link = _connect(addresses, port, self.deadline)
        if scheme == "https":
            context = ssl.create_default_context(cafile=self.ca_bundle)
            # Not shaken yet: a server that dawdles in the handshake is cut off as well.
            link = context.wrap_socket(link, server_hostname=host, do_handshake_on_connect=False)
        expired = threading.Event()
        cut = threading.Timer(self.deadline, _cut, (link, expired))
        cut.daemon = True
        cut.start()
        default_port = 443 if scheme == "https" else 80
        connection = http.client.HTTPConnection(host, port)
        connection.default_port = default_port  # what the Host header leaves out
        connection.sock = link
        try:
            if isinstance(link, ssl.SSLSocket):
                link.do_handshake()
            yield connection
            # The end of a connection that was cut can look like the end of an answer.
            if expired.is_set():
                raise TimeoutError
        except (OSError, ValueError, http.client.HTTPException) as error:
            if expired.is_set():
                raise TimeoutError from error
            raise
        finally:
            cut.cancel()
            connection.close()


def signed_headers(secret: str, ident: str, text: str, now: datetime) -> dict[str, str]:
    """The headers of the Standard Webhooks specification, version 1, for the body `text`."""
    now = now.astimezone(UTC)
    return {
        "Content-Type": "application/json",
        "User-Agent": f"Labyard/{__version__}",
        "Connection": "close",
        "webhook-id": ident,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(secret).sign(ident, now, text),
    }


def _connect(addresses: Sequence[str], port: int, timeout: float) -> socket.socket:
    last: OSError = OSError("it has no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=timeout / len(addresses))
        except OSError as error:
            last = error
    raise last


def _cut(link: socket.socket, expired: threading.Event) -> None:
    expired.set()
    with contextlib.suppress(OSError):  # it has ended in the meantime
        link.shutdown(socket.SHUT_RDWR)


def _explain(error: Exception, deadline: float) -> str:
    if isinstance(error, TimeoutError):
        return f"it took longer than {deadline:g} s."
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})."
    if isinstance(error, http.client.RemoteDisconnected | ConnectionResetError):
        return "it ended the connection."
    return f"{getattr(error, 'strerror', None) or error or type(error).__name__}."
