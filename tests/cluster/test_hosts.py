"""What the platform makes of its hosts."""

from __future__ import annotations

import json

from tests.cluster.platform import Platform


def test_container_when_the_platform_made_its_engine_then_its_log_is_limited(platform: Platform) -> None:
    for node in platform.nodes:
        one = platform.on(node, "docker", "ps", "--quiet").split()[0]
        seen = json.loads(
            platform.on(node, "docker", "inspect", "--format", "{{json .HostConfig.LogConfig}}", one)
        )
        assert seen["Config"] == {"max-size": "10m", "max-file": "3"}
