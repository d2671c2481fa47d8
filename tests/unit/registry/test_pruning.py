"""Which images of a registry may go."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._registry.errors import RegistryError
from ansible_collections.labyard.platform.plugins.module_utils._registry.names import ImageName, parse_name
from ansible_collections.labyard.platform.plugins.module_utils._registry.pruning import Manifest, decide

HOST = "registry.example.org:5000"
DIGESTS = [f"sha256:{number:064x}" for number in range(5)]


def manifest(number: int, *tags: str, repository: str = "labyard/base") -> Manifest:
    return Manifest(repository, DIGESTS[number], tags, datetime(2026, 1, 1 + number, tzinfo=UTC))


def reasons(
    manifests: list[Manifest], *in_use: str, protect: tuple[str, ...] = (), keep: int = 0
) -> list[str]:
    """Why each stays, in the order given; empty for one that goes."""
    decided = {each.manifest: each.reason for each in decide(manifests, HOST, in_use, protect, keep)}
    return [decided[each] for each in manifests]


@pytest.mark.parametrize(
    "name",
    [
        f"{HOST}/labyard/base:old",
        f"{HOST}/labyard/base@{DIGESTS[0]}",
        f"{HOST}/labyard/base:moved@{DIGESTS[0]}",
    ],
)
def test_image_when_in_use_by_tag_or_digest_then_it_stays(name: str) -> None:
    assert reasons([manifest(0, "old"), manifest(1, "other")], name) == ["in use", ""]


def test_image_when_only_another_registry_or_repository_has_its_name_then_it_goes() -> None:
    names = ["elsewhere:5000/labyard/base:old", "labyard/base:old", f"{HOST}/labyard/more:old", "sha256:12ab"]
    assert reasons([manifest(0, "old")], *names) == [""]


def test_image_when_one_of_its_tags_is_protected_then_it_stays_with_all() -> None:
    images = [manifest(0, "a", "current"), manifest(1, "b")]
    assert reasons(images, protect=("*:current",)) == ["protected", ""]


def test_images_when_some_are_kept_then_the_newest_of_each_repository_are() -> None:
    images = [
        manifest(0, "a"),
        manifest(2, "c"),
        manifest(1, "b"),
        manifest(0, "x", repository="labyard/more"),
    ]
    kept = "among the 2 newest"
    assert reasons(images, keep=2) == ["", kept, kept, kept]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("busybox", ImageName("", "busybox")),
        ("labyard/base:current", ImageName("", "labyard/base", "current")),
        ("localhost/a:1", ImageName("localhost", "a", "1")),
        ("10.0.0.1:5000/a/b", ImageName("10.0.0.1:5000", "a/b")),
        (f"r.org/a:1@{DIGESTS[0]}", ImageName("r.org", "a", "1", DIGESTS[0])),
    ],
)
def test_name_when_read_then_it_has_its_parts(text: str, expected: ImageName) -> None:
    assert parse_name(text) == expected


@pytest.mark.parametrize("text", ["", "A/b", "a b", "r.org/", "a@sha256:12", "-a", "a:b:c"])
def test_name_when_no_registry_takes_it_then_it_is_refused(text: str) -> None:
    with pytest.raises(RegistryError, match="host:port/path:tag"):
        parse_name(text)
