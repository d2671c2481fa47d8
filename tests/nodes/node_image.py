"""The images that nodes run: Labyard's base image with what makes a machine of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import docker
from docker.errors import ImageNotFound

BASE = "labyard/base:current"
_FOLDER = Path(__file__).parent / "image"


def ensure_node_image(engine: docker.DockerClient, stage: str) -> str:
    """The image of a `stage` of image/Dockerfile (bare, engine or host), built where it is missing.

    What was built is kept: the next run takes it as it is, until the Dockerfile or the base image changes.
    """
    base = engine.images.get(BASE)
    content = (_FOLDER / "Dockerfile").read_bytes() + base.id.encode()
    reference = f"labyard-test/node-{stage}:{hashlib.sha256(content).hexdigest()[:12]}"
    try:
        engine.images.get(reference)
    except ImageNotFound:
        # the packages come over the host's network, as in all of our builds
        engine.images.build(
            path=str(_FOLDER),
            target=stage,
            tag=reference,
            buildargs={"BASE": base.id},
            network_mode="host",
            rm=True,
            forcerm=True,
        )
    return reference
