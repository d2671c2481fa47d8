"""A stack that was just removed is deployed again at once, again and again."""

from __future__ import annotations

import os

import docker

from tests.integration.stack_helpers import ensure_image, service, stack_module, stack_names

#: How often; `LABYARD_REDEPLOYMENTS=20` is the long form.
TIMES = int(os.environ.get("LABYARD_REDEPLOYMENTS", "3"))


def test_deploy_straight_after_absent_then_no_failure(engine: docker.DockerClient) -> None:
    ensure_image(engine)
    source = {"services": {"web": service(configs=["conf"])}, "configs": {"conf": {"content": "x"}}}
    with stack_names() as make:
        name = make()
        for _ in range(TIMES):
            deployed = stack_module(name, source, interpolate=False, hold=0.0)
            assert (deployed.changed, deployed.services[0]["running"]) == (True, 1)
            assert stack_module(name, state="absent").changed
        left = engine.networks.list(filters={"label": f"com.docker.stack.namespace={name}"})
        assert left == []
