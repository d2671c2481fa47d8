"""Where swarm_stack differs from `docker stack deploy` on purpose; docs/swarm-stack.md gives the reasons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.canonical import canonical_service
from ansible_collections.labyard.platform.plugins.module_utils._stack.compose import load_stack
from ansible_collections.labyard.platform.plugins.module_utils._stack.convert import Naming
from tests.oracle.docker_recorder import recorded_deploy
from tests.oracle.oracle import VARIABLES

CONTAINER = "TaskTemplate.ContainerSpec"


def both(folder: Path, texts: Sequence[str], path: str) -> tuple[Any, Any]:
    """The value at `path` of the one service, as docker sends it and as we do; None if it is not there."""
    paths = []
    for number, text in enumerate(texts):
        file = folder / f"{number}.yml"
        file.write_text(f"services: {{w: {{image: a, {text}}}}}\n")
        paths.append(str(file))
    (theirs,) = recorded_deploy("s", paths, folder)["services"]
    ours = load_stack(paths, Naming("s"), variables=VARIABLES)[0].services["s_w"]
    return _at(canonical_service(theirs), path), _at(canonical_service(ours), path)


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


@pytest.mark.parametrize(
    ("texts", "path", "theirs", "ours"),
    [
        pytest.param(["oom_score_adj: 5"], f"{CONTAINER}.OomScoreAdj", None, 5, id="dropped in silence"),
        pytest.param(
            ["environment: {A: $ORACLE_TRUE-x}"], f"{CONTAINER}.Env", ["A=true"], ["A=true-x"], id="text lost"
        ),
        pytest.param(
            ["environment: {A: '${NOWHERE_SET:-${ORACLE_TRUE}}'}"],
            f"{CONTAINER}.Env",
            ["A=${ORACLE_TRUE}"],
            ["A=true"],
            id="nested",
        ),
        pytest.param(
            ["environment: {A: 2024-01-01}"],
            f"{CONTAINER}.Env",
            ["A=2024-01-01 00:00:00 +0000 UTC"],
            ["A=2024-01-01"],
            id="date",
        ),
        pytest.param(["tty: true", "tty: false"], f"{CONTAINER}.TTY", True, None, id="false overrides"),
        pytest.param(
            ["init: true", "init: false"], f"{CONTAINER}.Init", True, False, id="false overrides init"
        ),
        pytest.param(
            ["stop_grace_period: 5s", "stop_grace_period: 0s"],
            f"{CONTAINER}.StopGracePeriod",
            5 * 10**9,
            0,
            id="zero overrides",
        ),
        pytest.param(["command: a", "command: []"], f"{CONTAINER}.Args", ["a"], None, id="empty overrides"),
        pytest.param(
            ["environment: {A: x}", "environment: {A: ''}"],
            f"{CONTAINER}.Env",
            ["A=x"],
            ["A="],
            id="empty text",
        ),
        pytest.param(
            ["healthcheck: {test: [CMD, a]}", "healthcheck: {test: [CMD, b]}"],
            f"{CONTAINER}.Healthcheck.Test",
            ["CMD", "a", "CMD", "b"],
            ["CMD", "b"],
            id="tests joined",
        ),
        pytest.param(
            ["dns: [10.0.0.1]", "dns: [10.0.0.1, 10.0.0.2]"],
            f"{CONTAINER}.DNSConfig.Nameservers",
            ["10.0.0.1", "10.0.0.1", "10.0.0.2"],
            ["10.0.0.1", "10.0.0.2"],
            id="doubled",
        ),
    ],
)
def test_difference_on_purpose_is_still_one(
    texts: list[str], path: str, theirs: Any, ours: Any, tmp_path: Path
) -> None:
    assert both(tmp_path, texts, path) == (theirs, ours)


def test_ports_without_a_published_number_in_two_files_then_docker_loses_some(tmp_path: Path) -> None:
    theirs, ours = both(tmp_path, ["ports: ['80']", "ports: ['81']"], "EndpointSpec.Ports")
    assert [port["TargetPort"] for port in theirs] == [81]
    assert [port["TargetPort"] for port in ours] == [80, 81]
