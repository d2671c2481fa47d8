"""The small languages inside compose values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack import values
from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import ComposeError
from ansible_collections.labyard.platform.plugins.module_utils._stack.image import (
    normal_image,
    registry_of,
    with_digest,
)

SECOND = 10**9


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (values.duration, "30s", 30 * SECOND),
        (values.duration, "1m30s", 90 * SECOND),
        (values.duration, "1.5h", 5400 * SECOND),
        (values.duration, "500ms", SECOND // 2),
        (values.duration, "10us", 10_000),
        (values.duration, 0, 0),
        (values.size, "512m", 512 * 2**20),
        (values.size, "1.5g", 3 * 2**29),
        (values.size, "64M", 64 * 2**20),
        (values.size, "10kb", 10240),
        (values.size, "1GiB", 2**30),
        (values.size, "100", 100),
        (values.size, 100, 100),
        (values.nano_cpus, "0.5", 500_000_000),
        (values.nano_cpus, 2, 2 * 10**9),
        (values.nano_cpus, ".25", 250_000_000),
        (values.nano_cpus, 0.1, 100_000_000),
        (values.integer, "3", 3),
        (values.integer, 3.0, 3),
        (values.boolean, "yes", True),
        (values.boolean, "false", False),
        (values.string, 5.0, "5"),
        (values.string, True, "true"),
        (values.command, "sh -c 'a b'", ["sh", "-c", "a b"]),
        (values.command, ["a b", 1], ["a b", "1"]),
        (values.command, None, None),
        (values.map_or_list, ["a=1", "b", "c=x=y"], {"a": "1", "b": "", "c": "x=y"}),
        (values.map_or_list, {"a": 1, "b": None}, {"a": "1", "b": ""}),
    ],
)
def test_value_when_well_formed_then_read(read: Callable[[Any, str], Any], value: Any, expected: Any) -> None:
    assert read(value, "p") == expected


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (values.duration, "30"),
        (values.duration, "s"),
        (values.duration, "5 s"),
        (values.duration, "-5s"),
        (values.duration, None),
        (values.size, "12x"),
        (values.size, "-1m"),
        (values.size, None),
        (values.nano_cpus, "half"),
        (values.nano_cpus, "-1"),
        (values.nano_cpus, True),
        (values.integer, "1.5"),
        (values.integer, True),
        (values.boolean, 1),
        (values.string, {}),
        (values.string, None),
        (values.strings, "a"),
        (values.command, "sh 'open"),
        (values.mapping, []),
    ],
)
def test_value_when_malformed_then_error_with_path(read: Callable[[Any, str], Any], value: Any) -> None:
    with pytest.raises(ComposeError) as caught:
        read(value, "services.web.x")
    assert str(caught.value).startswith("services.web.x: ")


def port(target: int, published: int = 0, protocol: str = "tcp") -> dict[str, Any]:
    return {"mode": "ingress", "target": target, "published": published, "protocol": protocol}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80", [port(80)]),
        (80, [port(80)]),
        ("8080:80", [port(80, 8080)]),
        ("8080:80/udp", [port(80, 8080, "udp")]),
        ("8000-8001:80-81", [port(80, 8000), port(81, 8001)]),
        ("8000-8001:80", [port(80, 8000), port(80, 8001)]),
        ("80-81", [port(80), port(81)]),
        ("127.0.0.1:8080:80", [port(80, 8080)]),
        ("[::1]:8080:80", [port(80, 8080)]),
        ("127.0.0.1::80", [port(80)]),
    ],
)
def test_short_ports_when_well_formed_then_long(text: Any, expected: list[dict[str, Any]]) -> None:
    assert values.short_ports(text, "p", lambda *_: None) == expected


@pytest.mark.parametrize("text", ["", "x", "0:80", "80:70000", "1-2:1-3", "80/ftp", "9-8:9-8", ":"])
def test_short_ports_when_malformed_then_error(text: str) -> None:
    with pytest.raises(ComposeError):
        values.short_ports(text, "p", lambda *_: None)


def test_short_ports_with_an_address_then_warned() -> None:
    warnings: list[tuple[str, str]] = []
    values.short_ports("127.0.0.1:8080:80", "p", lambda *words: warnings.append(words))
    assert "127.0.0.1" in warnings[0][0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/data", {"type": "volume", "target": "/data"}),
        ("data:/data", {"type": "volume", "source": "data", "target": "/data"}),
        ("./a:/b:ro", {"type": "bind", "source": "./a", "target": "/b", "read_only": True}),
        ("~/a:/b:rw,z", {"type": "bind", "source": "~/a", "target": "/b", "read_only": False}),
        ("d:/b:nocopy", {"type": "volume", "source": "d", "target": "/b", "volume": {"nocopy": True}}),
        (
            "/a:/b:rshared",
            {"type": "bind", "source": "/a", "target": "/b", "bind": {"propagation": "rshared"}},
        ),
    ],
)
def test_short_mount_when_well_formed_then_long(text: str, expected: dict[str, Any]) -> None:
    assert values.short_mount(text, "p") == expected


@pytest.mark.parametrize("text", ["", ":", "a:", "a:b:c:d", "a:/b:wrong"])
def test_short_mount_when_malformed_then_error(text: str) -> None:
    with pytest.raises(ComposeError):
        values.short_mount(text, "p")


@pytest.mark.parametrize(
    ("reference", "normal", "registry"),
    [
        ("app", "app:latest", "docker.io"),
        ("app:1", "app:1", "docker.io"),
        ("docker.io/library/app", "app:latest", "docker.io"),
        ("me/app", "me/app:latest", "docker.io"),
        ("reg.example:5000/app", "reg.example:5000/app:latest", "reg.example:5000"),
        ("localhost/app:2", "localhost/app:2", "localhost"),
        ("app@sha256:00", "app@sha256:00", "docker.io"),
    ],
)
def test_image_reference_then_normal_form(reference: str, normal: str, registry: str) -> None:
    assert normal_image(reference) == normal
    assert registry_of(reference) == registry


def test_with_digest_keeps_a_digest_that_is_there() -> None:
    assert with_digest("app", "sha256:11") == "app:latest@sha256:11"
    assert with_digest("app@sha256:00", "sha256:11") == "app@sha256:00"
