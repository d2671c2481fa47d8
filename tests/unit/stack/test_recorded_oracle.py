"""What docker's own client was recorded to send for the compose files of the oracle, and what we send.

`python -m tests.oracle.record` records anew, which needs docker's client; this comparison needs nothing.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.canonical import canonical_service
from ansible_collections.labyard.platform.plugins.module_utils._stack.compose import load_stack
from ansible_collections.labyard.platform.plugins.module_utils._stack.convert import Naming
from ansible_collections.labyard.platform.plugins.module_utils._stack.desired import DesiredFile
from tests.oracle.oracle import RECORDED, TOPICS
from tests.oracle.record import RECORDINGS, STACK, environment, stacks, without_paths

ALL = {
    topic: json.loads((RECORDINGS / f"{topic}.json").read_text())["stacks"] for topic in (*TOPICS, *RECORDED)
}


def meaning(network: dict[str, Any]) -> dict[str, Any]:
    """The body of a call that makes a network, without what the engine would add by itself."""
    return {key: value for key, value in network.items() if value and key != "CheckDuplicate"}


def body(file: DesiredFile) -> dict[str, Any]:
    """The body of the call that makes a secret or config."""
    found: dict[str, Any] = {"Name": file.name, "Labels": file.labels}
    if file.data is not None:
        found["Data"] = base64.b64encode(file.data).decode()
    if file.driver:
        found["Driver"] = file.driver
    if file.templating:
        found["Templating"] = {"Name": file.templating}
    return found


@pytest.mark.parametrize("topic", ALL)
def test_recordings_then_one_of_every_compose_file(topic: str, tmp_path: Path) -> None:
    assert set(stacks(topic, tmp_path)) == set(ALL[topic]), "record anew: python -m tests.oracle.record"


@pytest.mark.parametrize(("topic", "name"), [(topic, name) for topic, found in ALL.items() for name in found])
def test_compose_files_then_we_send_what_docker_was_recorded_to_send(
    topic: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = environment(tmp_path)
    monkeypatch.setenv("HOME", given["HOME"])
    stack, _ = load_stack(stacks(topic, tmp_path)[name], Naming(STACK), variables=given)
    ours = {
        "services": {key: canonical_service(spec) for key, spec in stack.services.items()},
        "networks": {key: meaning(network) for key, network in stack.networks.items()},
        "secrets": {key: body(file) for key, file in stack.secrets.items() if not file.external},
        "configs": {key: body(file) for key, file in stack.configs.items() if not file.external},
    }
    theirs = ALL[topic][name]
    assert without_paths(ours, tmp_path) == {
        "services": {key: canonical_service(spec) for key, spec in theirs["services"].items()},
        "networks": {key: meaning(network) for key, network in theirs.get("networks", {}).items()},
        "secrets": theirs.get("secrets", {}),
        "configs": theirs.get("configs", {}),
    }
