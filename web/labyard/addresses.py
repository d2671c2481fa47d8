"""Which network addresses the console may connect to on behalf of a person. Pure, but for the resolver."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# (host, port) to its addresses; raises OSError if there is none.
Resolver = Callable[[str, int], list[str]]

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in IPv6 clothes
_LONGEST_URL = 2000


class AddressError(ValueError):
    """A URL may not be used; the text says why, to follow "the URL "."""


def read_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """`texts` such as 10.0.0.0/8 or 192.168.7.4 as networks; raises ValueError with the wrong one."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def split_url(url: str) -> tuple[str, str, int, str]:
    """Scheme (http or https), host, port and path with query of `url`; raises AddressError."""
    if len(url) > _LONGEST_URL:
        raise AddressError(f"must not be longer than {_LONGEST_URL} characters")
    if not url.isascii() or any(c <= " " or c == "\x7f" for c in url):
        raise AddressError("must not hold spaces, control characters or letters beyond ASCII")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressError(f"cannot be read: {error}") from error
    try:
        (parts.hostname or "").encode("idna")  # as TLS will want it
    except UnicodeError as error:
        raise AddressError("must name a host; this is no valid name of one") from error
    if parts.scheme not in ("http", "https"):
        raise AddressError("must begin with https:// or http://")
    if not parts.hostname:
        raise AddressError("must name a host")
    if "@" in parts.netloc:
        raise AddressError("must not hold a user name or a password")
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), target


def resolve(host: str, port: int) -> list[str]:
    """The addresses of `host`, as the system's resolver gives them; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def permitted_addresses(
    host: str, port: int, networks: Sequence[Network], resolver: Resolver = resolve
) -> list[str]:
    """The addresses of `host` to connect to; asked for once, so that they cannot change after the check.

    Raises AddressError if one of them belongs neither to the public internet nor to `networks`, or
    if the host has none.
    """
    try:
        found = resolver(host, port)
    except (OSError, UnicodeError) as error:
        raise AddressError(f"names the host {host}, which has no address now") from error
    for text in found:
        if not is_permitted(text, networks):
            raise AddressError(
                f"leads to {text}, an address inside of this network; an operator may permit such "
                "addresses with LABYARD_NOTICE_NETWORKS"
            )
    return found


def is_permitted(address: str, networks: Sequence[Network]) -> bool:
    """Whether `address` is a public one or lies in one of `networks`."""
    try:
        plain = _unwrap(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    if any(plain in network for network in networks if network.version == plain.version):
        return True
    return plain.is_global and not plain.is_multicast


def _unwrap(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, if it does: 10.0.0.1 has many spellings."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or address
