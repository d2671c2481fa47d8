"""Names of images."""

from __future__ import annotations

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.image import repository_of


@pytest.mark.parametrize(
    ("reference", "repository"),
    [
        ("busybox", "docker.io/library/busybox"),
        ("busybox:1.36", "docker.io/library/busybox"),
        ("docker.io/busybox", "docker.io/library/busybox"),
        ("team/tool@sha256:00", "docker.io/team/tool"),
        ("localhost:5000/busybox:1", "localhost:5000/busybox"),
        ("registry.example/a/b:1@sha256:00", "registry.example/a/b"),
    ],
)
def test_repository_of_reference_is_written_out_without_tag_and_digest(
    reference: str, repository: str
) -> None:
    assert repository_of(reference) == repository
