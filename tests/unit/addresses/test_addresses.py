"""Which addresses the console may connect to for a person."""

from __future__ import annotations

import pytest

from labyard.addresses import AddressError, is_permitted, permitted_addresses, read_networks, split_url


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://example.org", ("https", "example.org", 443, "/")),
        ("http://example.org:8080/a?b=c#d", ("http", "example.org", 8080, "/a?b=c")),
        ("https://[2001:db8::1]:8443/x", ("https", "2001:db8::1", 8443, "/x")),
        ("HTTPS://Example.org/", ("https", "example.org", 443, "/")),
    ],
)
def test_good_url_is_taken_apart(url: str, parts: tuple[str, str, int, str]) -> None:
    assert split_url(url) == parts


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "must begin with"),
        ("ftp://example.org", "must begin with"),
        ("file:///etc/passwd", "must begin with"),
        ("https://", "must name a host"),
        ("https:///path", "must name a host"),
        ("https://user:word@example.org", "must not hold a user name"),
        ("https://example.org/a b", "must not hold spaces"),
        ("https://example.org/\r\nHost: x", "must not hold spaces"),
        ("https://exämple.org/", "letters beyond ASCII"),
        ("https://example.org:99999/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://" + "a" * 64 + ".test/", "no valid name"),
        ("https://a..test/", "no valid name"),
        ("https://example.org/" + "a" * 2000, "longer than"),
    ],
)
def test_bad_url_is_refused_with_the_reason(url: str, words: str) -> None:
    with pytest.raises(AddressError, match=words):
        split_url(url)


@pytest.mark.parametrize(
    ("address", "permitted"),
    [
        ("93.184.215.14", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - nothing listens there
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.215.14", True),
        ("2002:0a00:0001::1", False),
        ("64:ff9b::a00:1", False),
        ("not an address", False),
    ],
)
def test_address_is_public_or_refused(address: str, permitted: bool) -> None:
    assert is_permitted(address, ()) is permitted


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "fd00::7"])
def test_named_networks_are_permitted(address: str) -> None:
    assert is_permitted(address, read_networks(["10.0.0.0/8", "fd00::/8"]))
    assert not is_permitted("192.168.0.1", read_networks(["10.0.0.0/8", "fd00::/8"]))


def test_one_private_address_among_public_ones_is_refused() -> None:
    with pytest.raises(AddressError, match=r"leads to 10\.0\.0\.1"):
        permitted_addresses("example.org", 443, (), lambda *_: ["93.184.215.14", "10.0.0.1"])


def test_host_without_an_address_is_named() -> None:
    def none(*_: object) -> list[str]:
        raise OSError("no such host")

    with pytest.raises(AddressError, match=r"example\.org, which has no address"):
        permitted_addresses("example.org", 443, (), none)
